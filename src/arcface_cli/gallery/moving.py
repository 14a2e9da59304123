"""A gallery as a single file: exported while it is in use, imported into another."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

from arcface_cli.errors import GalleryError, OutputError
from arcface_cli.gallery import database


def export(connection: sqlite3.Connection, source: Path, target: Path) -> None:
    """Write a compact copy of one moment, which appears whole under its name, for its owner only.

    Raises GalleryError when something is there already, OutputError when it can't be written.
    """
    if os.path.lexists(target):
        raise GalleryError(f"{target}: is there already", hint="name a file that doesn't exist yet")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        os.close(descriptor)
        with database.translated(temporary, writing=True):
            connection.execute("PRAGMA query_only = OFF")  # a reader may write a copy
            connection.execute("VACUUM INTO ?", (os.fsdecode(temporary),))
        database.sync(temporary)
        os.link(temporary, target)
        database.sync(target.absolute().parent)
    except FileExistsError:
        raise GalleryError(f"{target}: is there already", hint="name a file that doesn't exist yet") from None
    except OSError as error:
        raise OutputError(
            f"{target}: can't be written: {error.strerror}",
            hint="choose another place, in a folder that is there and can be written, with room for it",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def compact(connection: sqlite3.Connection, path: Path) -> None:
    """Rewrite the file without its free pages, and move the write-ahead log into it."""
    with database.translated(path, writing=True):
        connection.execute("VACUUM")
    empty_log(connection, path)


def empty_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Move the write-ahead log into the file and cut it off; False while somebody still reads from it."""
    with database.translated(path, writing=True):
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
