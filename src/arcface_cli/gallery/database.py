"""Connections to one gallery file, and what SQLite's errors mean to a user."""

from __future__ import annotations

import errno
import os
import re
import secrets
import sqlite3
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from arcface_cli.errors import (
    ArcfaceError,
    GalleryDamaged,
    GalleryError,
    GalleryLocked,
    GalleryMissing,
    GalleryNewer,
    MissingFile,
    NotAFile,
    OutputError,
)
from arcface_cli.gallery import migrations, places, schema, writer_note
from arcface_cli.gallery.waiting import WAITS

LOCK_TIMEOUT = 30.0
"""Seconds to wait for another writer. A batch takes far less."""

TEMPORARY_PREFIX = ".gallery-new-"
CHECK_HINT = "see what is damaged and how to mend it with: arcface gallery check"

CHECKED_WHOLE = 48 * 1024 * 1024
"""Bytes up to which every page of a file is checked when it is opened: some 20,000 templates."""

LONG_LOG = 64 * 1024 * 1024
"""Bytes of the write-ahead log from which a writer sees to it that it begins anew."""

_CHECKPOINT_WAIT_MS = 500
_OF_AN_INDEX = re.compile(r"\bindex (\w+)$")
_OF_A_TREE = re.compile(r"Tree (\d+) page ")  # the number of its root
_MAGIC = b"SQLite format 3\0"
_MAX_VALUE_SIZE = 16 * 1024 * 1024  # bytes of one row or value: nothing of ours comes near it
_OURS_TO_FIX = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.IntegrityError)
_DAMAGE_CODES = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_ERROR}
    | {sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_SCHEMA}
)
_NETWORK_CODES = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS})
"""What a disk that fails answers, and a network file system that can't map or lock."""

_ACCESS_CODES = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN})


NOTHING_STORED = "nothing of this batch was stored"
NO_GALLERY = "no gallery was made"


@contextmanager
def translated(path: Path, *, undone: str | None = None, onto: Path | None = None) -> Iterator[None]:
    """Turn what SQLite raises inside into one of our errors, naming the file; our own mistakes pass.

    undone: what did not come to pass if writing fails; None while only reading.  onto: the file that is
    written, where that is another.
    """
    try:
        yield
    except sqlite3.Error as error:
        meaning = _meaning(error, path, undone, path if onto is None else onto)
        if meaning is None:
            raise
        raise meaning from error


def _meaning(error: sqlite3.Error, path: Path, undone: str | None, written: Path) -> ArcfaceError | None:
    code = _primary_code(error)
    if code is None or code in _DAMAGE_CODES:
        return None if isinstance(error, _OURS_TO_FIX) else damaged(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _locked(path)
    if code == sqlite3.SQLITE_FULL:
        return OutputError(
            f"{written}: the disk is full{'' if undone is None else f'; {undone}'}",
            hint="free some space, then run this again",
        )
    return _of_the_disk(error, code, path, undone, written)


def _of_the_disk(
    error: sqlite3.Error, code: int, path: Path, undone: str | None, written: Path
) -> ArcfaceError | None:
    if code not in _ACCESS_CODES | _NETWORK_CODES:
        return None
    system = places.network_file_system(path.parent)
    if code in _NETWORK_CODES and system is not None:
        return GalleryError(
            f"{path}: lies on a network file system ({system}) where SQLite's write-ahead log doesn't work "
            f"({error})",
            hint="move the gallery to a local disk, and name it with -g",
        )
    if undone is not None:
        return OutputError(
            f"{written}: can't be written ({error}); {undone}",
            hint="check the disk and the permissions, then run this again",
        )
    return GalleryDamaged(f"{path}: can't be read ({error})", hint="check the disk and the permissions")


def _locked(path: Path) -> GalleryLocked:
    """Names the process that writes, when it left a note and still runs."""
    writer = writer_note.holder(path.parent)
    if writer is None:
        return GalleryLocked(f"{path}: another program is writing to this gallery")
    return GalleryLocked(f"{path}: is being written by {writer.described}")


def _primary_code(error: sqlite3.Error) -> int | None:
    """SQLite's result code without its details; None for what Python found (text that isn't UTF-8)."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def damaged(path: Path, reason: str) -> GalleryDamaged:
    """The error for a gallery file that isn't as we wrote it; what to do about it, `gallery check` knows."""
    return GalleryDamaged(f"{path}: is damaged: {reason}", hint=CHECK_HINT)


@contextmanager
def one_moment(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All reads inside see the same state, whatever other processes commit meanwhile."""
    with translated(path):
        connection.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")  # a COMMIT would fail once more where a page was damaged


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """All or nothing: committed at the end, rolled back by whatever is raised, Ctrl-C as well."""
    with WAITS.noticed(path):
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


# --- opening --------------------------------------------------------------------------------


def connect(
    path: Path, *, writable: bool, timeout: float = LOCK_TIMEOUT, mending: bool = False
) -> sqlite3.Connection:
    """Open and check a gallery file; an error names what is wrong with it.

    timeout: seconds to wait for a lock.  mending: broken pages are no obstacle. Raises GalleryMissing,
    GalleryDamaged, GalleryNewer, GalleryLocked, and OutputError when it is to be written and can't be.
    """
    _check_file(path)
    if writable:
        _check_writable(path)
    with translated(path, undone="nothing was changed" if writable else None):
        connection = _connect_for(path, writable=writable, timeout=timeout)
        try:
            _configure(connection, writable=writable)
            version = _check_format(connection, path)
            if not mending:
                check_pages(connection, path)
            if version == schema.FORMAT_VERSION:
                return connection
            return _brought_up_to_date(connection, path, version, writable=writable)
        except BaseException:
            connection.close()
            raise


def _brought_up_to_date(
    connection: sqlite3.Connection, path: Path, version: int, *, writable: bool
) -> sqlite3.Connection:
    """An older file in today's format: a writer changes it for good, a reader only its own copy in memory."""
    target = connection
    if not writable:
        connection.execute("PRAGMA query_only = OFF")
        lent = migrations.lend(connection, version)
        connection.execute("PRAGMA query_only = ON")
        if lent:
            return connection
        target = sqlite3.connect(":memory:", isolation_level=None)
        connection.backup(target)
    target.execute("PRAGMA foreign_keys = OFF")
    try:
        with transaction(target, path):
            (now,) = target.execute("PRAGMA user_version").fetchone()  # another writer may have been faster
            migrations.migrate(target, now)
    except (sqlite3.IntegrityError, struct.error, TypeError, ValueError) as error:
        raise damaged(path, f"its format {version} can't be brought up to date: {error}") from error
    target.execute("PRAGMA foreign_keys = ON")
    if target is not connection:
        connection.close()
        target.execute("PRAGMA query_only = ON")
    return target


def restart_long_log(connection: sqlite3.Connection, path: Path) -> None:
    """Begin the write-ahead log anew once it is long, which readers that never pause keep SQLite from doing.

    Waits a moment for them; if they don't make room, the next batch tries again.
    """
    wal = path.with_name(f"{path.name}-wal")
    if not wal.exists() or wal.stat().st_size < LONG_LOG:
        return
    (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT_MS}")
    with translated(path, undone="its write-ahead log stays long; all that was stored is there"):
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {usual}")


def _check_file(path: Path) -> None:
    """Refuse what can't be a database before SQLite sees it: a pipe would block, an empty file pass."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise damaged(path, "it is no file")
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        raise _missing(path) from None
    except NotADirectoryError:
        raise GalleryMissing(
            f"{path.parent}: is a file, not the folder of a gallery", hint="name a folder with -g"
        ) from None
    except OSError as error:
        raise GalleryMissing(
            f"{path}: can't be opened: {error.strerror}", hint="check the path and its permissions"
        ) from error
    if not head:
        raise damaged(path, "it is empty")
    if not head.startswith(_MAGIC):
        raise damaged(path, "it is no SQLite database")


def require_exported(file: Path) -> None:
    """Raise MissingFile, NotAFile or GalleryError for what `gallery export` can't have written."""
    hint = "name a file that gallery export wrote"
    try:
        if file.exists() and not file.is_file():
            raise NotAFile(f"{file}: is no file", hint=hint)
        with file.open("rb") as stream:
            begins_well = stream.read(len(_MAGIC)) == _MAGIC
    except (FileNotFoundError, NotADirectoryError):
        raise MissingFile(f"{file}: there is no such file", hint=hint) from None
    except OSError as error:
        raise GalleryError(f"{file}: can't be read: {error.strerror}", hint="make it readable") from error
    if not begins_well:
        raise GalleryError(f"{file}: is no exported gallery", hint=hint)


def _missing(path: Path) -> GalleryMissing:
    for place in (path, path.parent):
        if place.is_symlink() and not place.exists():
            hint = "mend the link, or name another folder with -g"
            return GalleryMissing(f"{place}: is a link that leads nowhere", hint=hint)
    return GalleryMissing(f"{path.parent}: holds no gallery")


def _check_writable(path: Path) -> None:
    for place in (path, path.parent):
        if not os.access(place, os.W_OK):
            raise OutputError(
                f"{place}: can't be written: no permission, or a read-only file system",
                hint="make it writable for this user, or name another gallery with -g",
            )


def _connect_for(path: Path, *, writable: bool, timeout: float) -> sqlite3.Connection:
    """Also in a folder that can't be written: there SQLite can't make the files that WAL mode needs.

    Without a WAL left behind the file is whole, so it is read as one that nobody changes.
    """
    connection = _raw_connection(path, "mode=rw", timeout)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if writable or _primary_code(error) not in _ACCESS_CODES:
            raise
        if _has_wal(path):
            raise GalleryDamaged(
                f"{path}: has changes in {path.name}-wal that can't be read in a read-only folder",
                hint="make the folder writable, or copy it to a place that is",
            ) from error
        return _raw_connection(path, "mode=ro&immutable=1", timeout)
    except BaseException:
        connection.close()
        raise
    return connection


def _raw_connection(path: Path, query: str, timeout: float) -> sqlite3.Connection:
    """A connection that begins transactions only when told; any bytes may stand in the path."""
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{query}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_SIZE)
    return connection


def _has_wal(path: Path) -> bool:
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > 0


def _configure(connection: sqlite3.Connection, *, writable: bool) -> None:
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {pragma}")
    if not writable:
        connection.execute("PRAGMA query_only = ON")
        return
    connection.execute("PRAGMA secure_delete = ON")  # a removed face must not linger in free pages
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = WAL")


def _check_format(connection: sqlite3.Connection, path: Path) -> int:
    """The file's format, one that we know, with all of its tables and nothing else."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.APPLICATION_ID:
        raise damaged(path, "it is a database of another program")
    if version > schema.FORMAT_VERSION:
        raise GalleryNewer(
            f"{path}: has gallery format {version}; this arcface reads up to {schema.FORMAT_VERSION}"
        )
    if version != schema.FORMAT_VERSION and version not in migrations.STEPS:
        raise damaged(path, f"there is no gallery format {version}")
    foreign = foreign_objects(connection, version)
    if foreign:
        kind, name = foreign[0]
        raise damaged(path, f"the {kind} {name!a} is missing or none of ours")
    return int(version)


def foreign_objects(connection: sqlite3.Connection, version: int) -> list[tuple[str, str]]:
    """(kind, name) of what the file should define and doesn't, and of what it does and shouldn't."""
    rows = connection.execute(
        "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    ours = migrations.OBJECTS.get(version, schema.OBJECTS)
    return sorted(ours.symmetric_difference(rows.fetchall()))


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Every page of a small file, 0.1 s at most; of a large one, that none is missing.

    All of a large file is `gallery check`'s to read; what a verb reads of it is checked row by row.
    """
    if path.stat().st_size > CHECKED_WHOLE:
        _check_size(connection, path)
        return
    for (problem,) in connection.execute("PRAGMA quick_check(100)"):
        # A value that no column allows is found by whoever reads its row, and `remove` must get at it.
        # A broken index misleads no reader unseen, and `compact` must get at it.
        if problem == "ok" or problem.startswith("CHECK constraint failed"):
            continue
        if index_at_fault(connection, problem) is None:
            raise damaged(path, " ".join(str(problem).split()))


def index_at_fault(connection: sqlite3.Connection, problem: str) -> str | None:
    """The index that a line of SQLite's integrity check is about; None where a table is damaged."""
    named = _OF_AN_INDEX.search(problem)
    if named is not None:
        return named[1]
    tree = _OF_A_TREE.match(problem)
    if tree is None:
        return None
    row = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND rootpage = ?", (int(tree[1]),)
    ).fetchone()
    return None if row is None else str(row[0])


def _check_size(connection: sqlite3.Connection, path: Path) -> None:
    if _has_wal(path):
        return  # the last pages may still stand there
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    if path.stat().st_size < pages * page_size:
        raise damaged(path, f"it has {path.stat().st_size:,} of {pages * page_size:,} bytes")


# --- making ---------------------------------------------------------------------------------


def create(path: Path, fill: Callable[[Path], None]) -> None:
    """Make the file whole under another name, then link it into place: it appears complete or not at all.

    fill: writes all that it is to hold into an empty file. Readable by its owner only. Raises FileExistsError
    when the file is there, OutputError for the disk.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=path.parent) as scratch:
            temporary = Path(scratch) / path.name
            temporary.touch(mode=0o600)
            with translated(path, undone=NO_GALLERY):
                fill(temporary)
            sync(temporary)
            _publish(temporary, path)
            sync(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise OutputError(f"{path}: can't be made: {error.strerror}") from error


def fill_empty(path: Path, meta: Mapping[str, str]) -> None:
    """Make the tables of a gallery without anybody in an empty file."""
    connection = _raw_connection(path, "mode=rw", LOCK_TIMEOUT)
    try:
        connection.execute(f"PRAGMA page_size = {schema.PAGE_SIZE}")
        with transaction(connection, path):
            for statement in schema.statements():
                connection.execute(statement)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            note_change(connection, "create", meta["created"])
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def note_change(connection: sqlite3.Connection, kind: str, created: str) -> None:
    """Begin a new generation, of one of `schema.KINDS`; its token tells it from one of a diverged copy."""
    (last,) = connection.execute("SELECT max(generation) FROM changes").fetchone()
    row = (0 if last is None else last + 1, secrets.token_hex(8), kind, created)
    connection.execute("INSERT INTO changes VALUES (?, ?, ?, ?)", row)


def _publish(temporary: Path, path: Path) -> None:
    """A link never replaces a file that somebody else has just made; a rename would."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        temporary.rename(path)  # exFAT and some network file systems know no links


def sync(path: Path) -> None:
    """Wait until a file or a folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
