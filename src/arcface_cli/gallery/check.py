"""`gallery check`: everything that can be wrong with a gallery, found and named, with a way to mend it."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from arcface_cli.errors import GalleryDamaged, GalleryMissing
from arcface_cli.gallery import checksums, database, places, reading, refusals, snapshots
from arcface_cli.gallery.cache import FOLDER
from arcface_cli.gallery.entries import has_unit_length
from arcface_cli.gallery.vectors import VectorType
from arcface_cli.wording import command, counted

RESTORE = "restore the gallery from a backup, or enroll the photographs again into a new one with -g"
REBUILD = "arcface gallery compact, which makes it anew from the rows"
BROKEN_PAGES = f"arcface gallery compact, which mends indexes; if it can't, {RESTORE}"
_STALE_AFTER = 3600.0  # seconds after which nobody is still at work on a new file
_REMOVED_AT_ONCE = 100  # templates that one command names
_TOLD = 1000  # problems of one kind: after these, the file is beyond mending row by row


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    code: stable word for scripts.  where: file, template or subject.  problem: what.  mend: what to do.
    template_id: the template that it concerns, if one.
    """

    code: str
    where: str
    problem: str
    mend: str
    template_id: int | None = None

    @property
    def said(self) -> str:
        """Where and what, on one line."""
        return self.problem if self.code == "page" else f"{self.where}: {self.problem}"


def folder_findings(directory: Path, file_name: str) -> Iterator[Finding]:
    """What is wrong around the database: who may read it, what was left behind, where it lies.

    Raises GalleryMissing when there is no folder, or none that this user may list.
    """
    try:
        entries = sorted(directory.iterdir())
    except OSError as error:
        raise GalleryMissing(
            f"{directory}: can't be opened: {error.strerror}", hint="check the path and its permissions"
        ) from error
    for path in (directory, *(entry for entry in entries if entry.exists())):
        open_to = stat.S_IMODE(path.stat().st_mode) & 0o077
        if open_to and (path == directory or path.name.startswith(file_name)):
            yield Finding(
                "readable_by_others",
                str(path),
                f"others may read or write it (mode {stat.S_IMODE(path.stat().st_mode):o})",
                command("chmod", "go=", str(path)),
            )
        age = time.time() - path.stat().st_mtime
        if path.name.startswith(database.TEMPORARY_PREFIX) and age > _STALE_AFTER:
            yield Finding(
                "leftover",
                str(path),
                "was left by a process that was killed",
                command("rm -r", str(path)),
            )
    index = directory / FOLDER
    if index.is_symlink():
        target = str(index.readlink())
        yield Finding(
            "cache",
            str(index),
            f"is a link, to {target!a}, where vectors of people may lie: no cache is kept",
            command("rm", str(index)),
        )
    system = places.network_file_system(directory)
    if system is not None:
        yield Finding("network", str(directory), places.warning(directory, system), "move it to a local disk")


def findings(moment: snapshots.Moment) -> Iterator[Finding]:
    """What is wrong inside: pages, references, every row against its checksum, and the caches."""
    yield from database_findings(moment)
    yield from _caches(moment)


def database_findings(moment: snapshots.Moment) -> Iterator[Finding]:
    """What is wrong with the database alone.

    Indexes come first, and nothing else is asked of them: what they say of rows may be untrue.
    """
    yield from _pages(moment.connection, moment.path)
    yield from _references(moment.connection)
    yield from _subjects(moment.connection, moment.path)
    yield from _templates(moment.connection, moment.path)
    yield from _features(moment)
    yield from _crops(moment.connection)
    yield from _refusals(moment.connection)
    yield from _history(moment.connection)


def _pages(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    of_indexes: dict[str, list[str]] = {}
    for problem in _integrity(connection):
        index = database.index_at_fault(connection, problem)
        if index is not None:
            of_indexes.setdefault(index, []).append(problem)
        elif problem != "ok":
            yield Finding("page", str(path), problem, BROKEN_PAGES)
    for index, told in of_indexes.items():
        more = "" if len(told) == 1 else f" and {counted(len(told) - 1, 'problem')} more"
        yield Finding("index", f"index {index}", f"{told[0]}{more}", REBUILD)


def _integrity(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds, a line each. An entry that it can't even read it raises; rows are read below."""
    try:
        lines = connection.execute(f"PRAGMA integrity_check({_TOLD})").fetchall()
    except sqlite3.DatabaseError as error:
        return [f"{error}, perhaps an entry in an index"]
    return [" ".join(str(text).split()) for (text,) in lines]


def _references(connection: sqlite3.Connection) -> Iterator[Finding]:
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchall():
        mend = _remove([row]) if table == "templates" else "arcface gallery compact"
        yield Finding("reference", f"{table} {row}", f"its row in {parent} is missing", mend, row)


def _subjects(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    owners = {owner for (owner,) in connection.execute("SELECT subject_id FROM templates NOT INDEXED")}
    rows = connection.execute("SELECT id, name, created, checksum FROM subjects NOT INDEXED ORDER BY id")
    for subject_id, name, created, checksum in rows:
        where = f"subject {subject_id} ({name!a})"
        if not _holds(checksums.of_subject, checksum, subject_id, name, created) or not _is_name(name, path):
            sources = _sources(connection, subject_id)
            problem = "its name or time differs from its checksum"
            problem += f" (from {sources[0]!a})" if sources else ""
            was = next(
                (each for each in _names_in(sources) if _is(each, subject_id, created, checksum)), "NEW"
            )
            yield Finding("subject", where, problem, _rename(connection, subject_id, name, was, path))
        if subject_id not in owners:
            mend = command("arcface gallery remove", str(name)) if _is_name(name, path) else RESTORE
            yield Finding("subject", where, "has no template", mend)


def _sources(connection: sqlite3.Connection, subject_id: int) -> list[str]:
    rows = connection.execute(
        "SELECT source_path FROM templates NOT INDEXED WHERE subject_id = ? ORDER BY id LIMIT ?",
        (subject_id, _REMOVED_AT_ONCE),
    )
    return [os.fsdecode(path) for (path,) in rows if isinstance(path, bytes)]


def _names_in(sources: Sequence[str]) -> Iterator[str]:
    """What a person may have been called: the folders that photographs lie in, from the nearest on."""
    return (unicodedata.normalize("NFC", folder.name) for each in sources for folder in Path(each).parents)


def _is(name: str, subject_id: int, created: object, checksum: object) -> bool:
    """Whether a name is the one that a subject's checksum was made of."""
    return _holds(checksums.of_subject, checksum, subject_id, name, created)


def _rename(connection: sqlite3.Connection, subject_id: int, name: object, was: str, path: Path) -> str:
    """How a person gets a sound name; templates go by their numbers where nobody can have this one."""
    if _is_name(name, path):
        return f"{_to_be_called(connection, subject_id, str(name), was)}, or {RESTORE}"
    numbers = connection.execute(
        "SELECT id FROM templates NOT INDEXED WHERE subject_id = ? ORDER BY id", (subject_id,)
    ).fetchall()
    removal = [f"{_remove([number for (number,) in numbers[:_REMOVED_AT_ONCE]])}, or "] if numbers else []
    return "".join([*removal, RESTORE])


def _to_be_called(connection: sqlite3.Connection, subject_id: int, name: str, was: str) -> str:
    """Commands that give a name back; by way of a free one where somebody else has it, as after a swap."""
    others = {
        other
        for (other,) in connection.execute(
            "SELECT name FROM subjects NOT INDEXED WHERE id <> ?", (subject_id,)
        )
    }
    if was not in others:
        return command("arcface gallery rename", name, was, mend=True)
    free = next(each for each in (f"{was}-{number}" for number in count(2)) if each not in others)
    first = command("arcface gallery rename", name, free, mend=True)
    return f"{first}, then, once nobody else is called so, {command('arcface gallery rename', free, was)}"


def _is_name(name: object, path: Path) -> bool:
    try:
        reading.known_name(name, path)
    except GalleryDamaged:
        return False
    return True


def _templates(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    for row in connection.execute(
        f"SELECT {reading.TEMPLATE_COLUMNS} FROM templates t NOT INDEXED ORDER BY t.id"
    ):
        try:
            reading.check_template(row, path)
        except GalleryDamaged:
            source = os.fsdecode(row[2]) if isinstance(row[2], bytes) else "?"
            yield Finding(
                "template",
                f"template {row[0]}",
                f"its provenance differs from its checksum (from {source!a})",
                _remove([row[0]]),
                row[0],
            )


def _features(moment: snapshots.Moment) -> Iterator[Finding]:
    size = 4 * moment.fingerprint.dimension
    rows = moment.connection.execute(
        "SELECT t.id, f.feature, f.checksum FROM templates t NOT INDEXED "
        "LEFT JOIN features f ON f.template_id = t.id ORDER BY t.id"
    )
    for template_id, feature, checksum in rows:
        problem = _feature_problem(template_id, feature, checksum, size)
        if problem is not None:
            yield Finding("feature", f"template {template_id}", problem, _remove([template_id]), template_id)


def _feature_problem(template_id: int, feature: Any, checksum: Any, size: int) -> str | None:
    if feature is None:
        return "its feature is missing"
    if not isinstance(feature, bytes) or len(feature) != size:
        return f"its feature is not {size // 4} float32 numbers"
    if checksums.of_blob(template_id, feature) != checksum:
        return "its feature differs from its checksum"
    if not has_unit_length(np.frombuffer(feature, "<f4")[np.newaxis])[0]:
        return "its feature has no unit length"
    return None


def _crops(connection: sqlite3.Connection) -> Iterator[Finding]:
    for template_id, png, checksum in connection.execute("SELECT template_id, png, checksum FROM crops"):
        if not _holds(checksums.of_blob, checksum, template_id, png):
            yield Finding(
                "crop",
                f"template {template_id}",
                "its crop differs from its checksum",
                _remove([template_id]),
                template_id,
            )


def _refusals(connection: sqlite3.Connection) -> Iterator[Finding]:
    for path in refusals.broken(connection):
        shown = os.fsdecode(path) if isinstance(path, bytes) else path
        yield Finding("refusal", f"refusal of {shown!a}", "it differs from its checksum", refusals.MEND)


def _history(connection: sqlite3.Connection) -> Iterator[Finding]:
    first, last, count = connection.execute(
        "SELECT min(generation), max(generation), count(*) FROM changes"
    ).fetchone()
    if count == 0 or last - first + 1 != count:
        yield Finding("history", "table changes", "generations are missing", RESTORE)
    for table in ("subjects", "templates"):
        (highest,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        if highest > (0 if row is None else row[0]):
            yield Finding("history", f"table {table}", "a number could be given out twice", RESTORE)


def _caches(moment: snapshots.Moment) -> Iterator[Finding]:
    if (moment.path.parent / FOLDER).is_symlink():
        return  # told of with the folder
    for kind in VectorType:
        try:
            problem = snapshots.cache_problem(moment, kind)
        except GalleryDamaged:  # the database is told of above
            problem = None
        if problem is not None:
            where = moment.path.parent / FOLDER
            yield Finding(
                "cache",
                f"{where} ({kind})",
                problem,
                f"{command('rm -r', str(where))}; it is made again when needed",
            )


def _holds(function: Any, checksum: object, *values: Any) -> bool:
    try:
        return bool(function(*values) == checksum)
    except (TypeError, AttributeError, UnicodeError):  # a value of another type than was written
        return False


def _remove(template_ids: Sequence[object]) -> str:
    removal = command("arcface gallery remove", template=[str(each) for each in template_ids])
    return f"{removal}, then enroll {'its photograph' if len(template_ids) == 1 else 'the photographs'} again"
