"""Photographs that `sync` could not use, remembered with what decided so, and forgotten with their person."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from arcface_cli.errors import InvalidSubjectName
from arcface_cli.gallery import checksums, database, reading
from arcface_cli.gallery.entries import NewTemplate, Refusal

_COLUMNS = "source_path, content_sha256, subject, reason, decided_by, created, checksum"
_TYPES = (bytes, str, str, str, str, str, int)

MEND = "arcface gallery compact, which forgets it; enroll --sync then looks at the photograph again"


# --- reading ----------------------------------------------------------------------------------


def of_subject(connection: sqlite3.Connection, path: Path, name: str) -> list[Refusal]:
    """What was refused for a person, by path."""
    return _found(connection, path, "WHERE subject = ?", (name,))


def from_content(connection: sqlite3.Connection, path: Path, content_sha256: str) -> list[Refusal]:
    """What was refused of photographs with this content."""
    return _found(connection, path, "WHERE content_sha256 = ?", (content_sha256,))


def below(connection: sqlite3.Connection, path: Path, folder: bytes) -> list[Refusal]:
    """What was refused below a folder, given as its path's bytes."""
    return _found(connection, path, "WHERE source_path >= ? AND source_path < ?", reading.paths_below(folder))


def everything(connection: sqlite3.Connection, path: Path) -> list[Refusal]:
    """All of them, by path."""
    return _found(connection, path, "", ())


def _found(
    connection: sqlite3.Connection, path: Path, condition: str, parameters: tuple[Any, ...]
) -> list[Refusal]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM refusals {condition} ORDER BY source_path", parameters
    ).fetchall()
    return [_refusal(row, path) for row in rows]


def _refusal(row: tuple[Any, ...], path: Path) -> Refusal:
    """Raises GalleryDamaged unless the row is as it was written."""
    source_path, content, subject, reason, decided_by, created, _ = row
    try:
        if is_sound(row):
            return Refusal(subject, source_path, content, reason, decided_by, created)
    except (InvalidSubjectName, ValueError) as error:
        raise database.damaged(path, f"the refusal of {source_path!a}: {error}") from error
    damage = database.damaged(path, f"the refusal of {source_path!a} differs from its checksum")
    damage.hint = MEND
    raise damage


def is_sound(row: tuple[Any, ...]) -> bool:
    """Whether a row of the table, columns in its order, fits its checksum."""
    if not all(isinstance(value, kind) for value, kind in zip(row, _TYPES, strict=True)):
        return False
    source_path, *words, checksum = row
    content, subject, reason, decided_by, created = words
    try:
        summed = checksums.of_refusal((content, subject, reason, decided_by, created), source_path)
    except UnicodeError:  # a surrogate, which no file of ours holds
        return False
    return bool(summed == checksum)


def broken(connection: sqlite3.Connection) -> Iterator[object]:
    """The paths of rows that are not as they were written."""
    for row in connection.execute(f"SELECT {_COLUMNS} FROM refusals").fetchall():
        if not is_sound(row):
            yield row[0]


# --- writing: inside one transaction of the caller's --------------------------------------------


def note(connection: sqlite3.Connection, refusal: Refusal, created: str) -> None:
    """Remember one, in place of what was remembered of that path."""
    words = (
        refusal.content_sha256,
        refusal.subject,
        refusal.reason,
        refusal.decided_by,
        refusal.created or created,
    )
    connection.execute(
        "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?)",
        (refusal.source_path, *words, checksums.of_refusal(words, refusal.source_path)),
    )


def forget(connection: sqlite3.Connection, source_paths: Sequence[object]) -> None:
    """Forget what was remembered of some paths."""
    connection.executemany("DELETE FROM refusals WHERE source_path IS ?", [(each,) for each in source_paths])


def forget_subject(connection: sqlite3.Connection, name: str) -> None:
    """Forget all that was remembered about a person."""
    connection.execute("DELETE FROM refusals WHERE subject = ?", (name,))


def forget_enrolled(connection: sqlite3.Connection, entry: NewTemplate) -> None:
    """Forget that a photograph was refused which is now enrolled."""
    connection.execute(
        "DELETE FROM refusals WHERE source_path = ? OR (content_sha256 = ? AND subject = ?)",
        (entry.source_path, entry.content_sha256, entry.subject),
    )


def forget_photograph_of(connection: sqlite3.Connection, template_id: int) -> None:
    """Forget all that was remembered of a template's photograph, by its content and by its path."""
    photograph = connection.execute(
        "SELECT content_sha256, source_path FROM templates WHERE id = ?", (template_id,)
    ).fetchone()
    if photograph is not None:
        connection.execute("DELETE FROM refusals WHERE content_sha256 = ? OR source_path = ?", photograph)


def give_to(connection: sqlite3.Connection, path: Path, old: str, new: str) -> None:
    """Keep what was remembered about a person under another name."""
    for refusal in of_subject(connection, path, old):
        note(connection, replace(refusal, subject=new), refusal.created)
