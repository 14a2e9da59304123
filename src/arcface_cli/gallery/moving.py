"""A gallery as a single file: exported while it is in use, imported into another."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from arcface_cli.errors import OutputError
from arcface_cli.gallery import database

_NO_EXPORT = "no export was written, and the gallery is as it was"
_ANOTHER_NAME = "name a file that doesn't exist yet"


def export(
    connection: sqlite3.Connection, source: Path, target: Path, examine: Callable[[Path], None]
) -> None:
    """Write a compact copy of one moment, which appears whole under its name, for its owner only.

    examine: raises for a copy that is not to appear. Raises OutputError when something is there already, or
    it can't be written, and GalleryDamaged where the gallery can't be read.
    """
    if os.path.lexists(target):
        raise OutputError(f"{target}: is there already", hint=_ANOTHER_NAME)
    try:
        _clear_leftovers(target)
        with _part_of(target) as temporary:
            with database.translated(source, undone=_NO_EXPORT, onto=target):
                copy(connection, temporary)
            examine(temporary)
            database.sync(temporary)
            os.link(temporary, target)
            database.sync(target.absolute().parent)
    except FileExistsError:
        raise OutputError(f"{target}: is there already", hint=_ANOTHER_NAME) from None
    except OSError as error:
        raise OutputError(
            f"{target}: can't be written: {error.strerror}; {_NO_EXPORT}",
            hint="choose another place, in a folder that is there and can be written, with room for it",
        ) from error


def copy(connection: sqlite3.Connection, target: Path) -> None:
    """Write all of an open gallery, as of one moment, into an empty file."""
    connection.execute("PRAGMA query_only = OFF")  # a reader may write a copy
    connection.execute("VACUUM INTO ?", (os.fsdecode(target),))


def copy_whole(connection: sqlite3.Connection, target: Path) -> None:
    """As `copy`, and in today's format, ready to be written to."""
    copy(connection, target)
    database.connect(target, writable=True).close()


@contextlib.contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """A new file beside `target`, for its owner only, locked for as long as somebody is at work on it."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path
    finally:
        _delete(path)
        os.close(descriptor)


def _clear_leftovers(target: Path) -> None:
    """Delete what exports to the same place left that were killed: there are faces in it."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
        with contextlib.suppress(OSError):  # somebody is at work on it, or it is none of ours
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _delete(path)
            finally:
                os.close(descriptor)


def _delete(path: Path) -> None:
    for each in (path, *(path.with_name(f"{path.name}-{kind}") for kind in ("journal", "wal", "shm"))):
        with contextlib.suppress(OSError):
            each.unlink(missing_ok=True)


def reindex(connection: sqlite3.Connection, path: Path) -> None:
    """Make every index anew from the rows. Raises GalleryDamaged where that leaves anything broken."""
    try:
        connection.execute("REINDEX")
    except sqlite3.IntegrityError as error:  # two people of one name, say
        raise database.damaged(path, f"its indexes can't be made anew: {error}") from error
    database.check_pages(connection, path)


def compact(connection: sqlite3.Connection, path: Path) -> None:
    """Rewrite the file without its free pages, and move the write-ahead log into it."""
    with database.translated(path, undone="the file stays as large as it was, with all that it holds"):
        connection.execute("VACUUM")
    empty_log(connection, path)


def empty_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Move the write-ahead log into the file and cut it off; False while somebody still reads from it."""
    with database.translated(path, undone="what was removed may still stand in its write-ahead log"):
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
