"""Proof that somebody is gone: what was stored about them is looked for, byte for byte, in every file."""

from __future__ import annotations

import mmap
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PIECE = 48  # bytes: long enough to be nobody else's, short enough to lie on one page
_SHORTEST_TEXT = 4  # bytes of a path or name that is looked for


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes that stood in the gallery for a template, and nowhere else."""

    what: str
    data: bytes


def needles(
    connection: sqlite3.Connection, template_ids: Sequence[int], names: Sequence[str] = ()
) -> list[Needle]:
    """What to look for once these templates are removed: pieces of features and crops, hashes, paths.

    names: people whose refused photographs go too. A hash or a path that others share is left out: it has a
    right to stay.
    """
    found: list[Needle] = []
    leaving = _Leaving(frozenset(template_ids), _refusals_leaving(connection, template_ids, names))
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
            found += _texts(connection, f"template {template_id}", leaving, *row)
    for path, content in leaving.refusals.items():
        found += _texts(connection, "a refused photograph", leaving, content, path)
    return found


@dataclass(frozen=True, slots=True)
class _Leaving:
    """What will be gone: numbers of templates, and of refusals the paths, each with its content's hash."""

    templates: frozenset[int]
    refusals: dict[bytes, str]

    def all_of(self, templates: Iterable[tuple[int]], refusals: Iterable[tuple[bytes]]) -> bool:
        """Whether none of these rows stays."""
        stays = any(number not in self.templates for (number,) in templates)
        return not stays and all(path in self.refusals for (path,) in refusals)


def _refusals_leaving(
    connection: sqlite3.Connection, template_ids: Sequence[int], names: Sequence[str]
) -> dict[bytes, str]:
    queries: list[tuple[str, tuple[object]]] = [("WHERE subject = ?", (name,)) for name in names]
    queries += [
        (
            "JOIN templates t ON t.id = ? "
            "WHERE r.content_sha256 = t.content_sha256 OR r.source_path = t.source_path",
            (number,),
        )
        for number in template_ids
    ]
    return {
        path: content
        for condition, parameters in queries
        for path, content in connection.execute(
            f"SELECT r.source_path, r.content_sha256 FROM refusals r {condition}", parameters
        )
    }


def _pieces(blob: bytes) -> Iterator[bytes]:
    """Three pieces; not the first bytes, which all crops share."""
    for part in (1, 2, 3):
        start = len(blob) * part // 4
        piece = blob[start : start + _PIECE]
        if len(set(piece)) > 4:  # a run of equal bytes would be found anywhere
            yield piece


def _texts(
    connection: sqlite3.Connection, owner: str, leaving: _Leaving, content: object, path: object
) -> Iterator[Needle]:
    if not isinstance(content, str) or not isinstance(path, bytes):
        return  # a damaged row

    def last(condition: str, value: object) -> bool:
        return leaving.all_of(
            connection.execute(f"SELECT id FROM templates WHERE {condition}", (value,)),
            connection.execute(f"SELECT source_path FROM refusals WHERE {condition}", (value,)),
        )

    if last("content_sha256 = ?", content):
        yield Needle(f"hash of the photograph of {owner}", content.encode())
    if len(path) >= _SHORTEST_TEXT and last("instr(source_path, ?) > 0", path):
        yield Needle(f"path of {owner}", path)


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
