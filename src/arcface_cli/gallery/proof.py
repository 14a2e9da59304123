"""Proof that somebody is gone: what was stored about them is looked for, byte for byte, in every file."""

from __future__ import annotations

import mmap
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PIECE = 48  # bytes: long enough to be nobody else's, short enough to lie on one page
_SHORTEST_TEXT = 4  # bytes of a path or name that is looked for


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes that stood in the gallery for a template, and nowhere else."""

    what: str
    data: bytes


def needles(connection: sqlite3.Connection, template_ids: Sequence[int]) -> list[Needle]:
    """What to look for once these templates are removed: pieces of features and crops, hashes, paths.

    A hash or a path that other templates share is left out: it has a right to stay.
    """
    found: list[Needle] = []
    gone = set(template_ids)
    for template_id in template_ids:
        for table, column in (("features", "feature"), ("crops", "png")):
            row = connection.execute(
                f"SELECT {column} FROM {table} WHERE template_id = ?", (template_id,)
            ).fetchone()
            if row is not None and isinstance(row[0], bytes):
                found += (Needle(f"{column} of template {template_id}", piece) for piece in _pieces(row[0]))
        row = connection.execute(
            "SELECT content_sha256, source_path FROM templates WHERE id = ?", (template_id,)
        ).fetchone()
        if row is not None:
            found += _texts(connection, template_id, gone, *row)
    return found


def _pieces(blob: bytes) -> Iterator[bytes]:
    """Three pieces; not the first bytes, which all crops share."""
    for part in (1, 2, 3):
        start = len(blob) * part // 4
        piece = blob[start : start + _PIECE]
        if len(set(piece)) > 4:  # a run of equal bytes would be found anywhere
            yield piece


def _texts(
    connection: sqlite3.Connection, template_id: int, gone: set[int], content: str, path: bytes
) -> Iterator[Needle]:
    shared = connection.execute("SELECT id FROM templates WHERE content_sha256 = ?", (content,)).fetchall()
    if {row[0] for row in shared} <= gone:
        yield Needle(f"hash of the photograph of template {template_id}", content.encode())
    holders = connection.execute(
        "SELECT id FROM templates WHERE instr(source_path, ?) > 0", (path,)
    ).fetchall()
    if {row[0] for row in holders} <= gone and len(path) >= _SHORTEST_TEXT:
        yield Needle(f"path of template {template_id}", path)


def traces(folder: Path, needles: Sequence[Needle]) -> list[str]:
    """Where in a gallery's files something of what was removed still stands; empty is the proof."""
    return [
        f"{path}: {needle.what}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size
        for needle in _found_in(path, needles)
    ]


def _found_in(path: Path, needles: Sequence[Needle]) -> Iterator[Needle]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for needle in needles:
            if content.find(needle.data) >= 0:
                yield needle
