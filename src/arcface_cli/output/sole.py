"""One run at a time writes a file: locks on open files, which end with their process, however it ends.

Whoever is to write FILE holds `.FILE.arcface.part` beside it: a file under a name that every run knows, so
that two runs meet there before either has anything to show. One that a killed run left behind is held by
nobody: the next run takes it over. On a file system without locks nothing keeps two runs apart.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from arcface_cli.errors import OutputError
from arcface_cli.inputs.names import printable

_SUFFIX = "arcface.part"
_LONGEST = 240
"""Bytes of a name; file systems take some 255."""


def lock(stream: BinaryIO, shown: str, *, shared: bool = False, wait: bool = False) -> bool:
    """Keep other runs off an open output until it is closed; False where the file system has no locks.

    shared: only find out that none continues it, which a file that is open for reading can, also on NFS.
    wait: for a run that holds it for a moment; else OutputError is raised.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(stream, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(
            f"{shown} is being written by another arcface", hint="let that end, or name another -o"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP):
            return False
        raise
    return True


@contextlib.contextmanager
def sole_writer(target: Path, shown: str, *, wait: bool = False) -> Iterator[BinaryIO]:
    """Be the one who writes `target`, with an empty file beside it to write into and to rename.

    What is left of that file when the block ends is removed. wait: for another who is about to be done;
    else OutputError is raised. Raises OSError as the operating system does.
    """
    stream = _held(target, shown, wait=wait)
    try:
        yield stream
    finally:
        _remove(stream)
        with contextlib.suppress(OSError):  # what is still held back belongs to a file that is gone
            stream.close()


def _held(target: Path, shown: str, *, wait: bool) -> BinaryIO:
    part = target.with_name(f".{target.name}.{_SUFFIX}")
    if len(os.fsencode(part.name)) > _LONGEST:
        part = target.with_name(f".{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}.{_SUFFIX}")
    while True:
        stream = _opened(part, shown)
        try:
            if not lock(stream, shown, wait=wait):
                _remove(stream)
                stream.close()
                own = part.with_name(f"{part.name.removesuffix(_SUFFIX)}{os.getpid()}.{_SUFFIX}")
                return own.open("xb")
            if not _is_there(stream):
                stream.close()  # renamed or removed by its writer before we had the lock
                continue
            if _is_ours(stream):
                stream.truncate(0)
                return stream
            part.unlink()
            stream.close()
        except BaseException:
            stream.close()
            raise


def _opened(part: Path, shown: str) -> BinaryIO:
    try:
        return open(part, "wb", opener=_open)  # which Path.open has none of
    except OSError as error:
        if not os.path.lexists(part):
            raise
        raise OutputError(
            f"{shown} can't be written: {printable(part.name)} beside it is in the way ({error.strerror})",
            hint="remove that, unless another arcface is at work there",
        ) from error


def _open(path: str, flags: int) -> int:
    """Not emptied, as it may be another run's, and never another file that a link leads to."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def _is_there(stream: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.lstat(stream.name))
    except FileNotFoundError:
        return False


def _is_ours(stream: BinaryIO) -> bool:
    """A plain file without other names, of this user: any other is removed, not written into."""
    status = os.fstat(stream.fileno())
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid()


def _remove(stream: BinaryIO) -> None:
    with contextlib.suppress(OSError):
        if _is_there(stream):
            os.unlink(stream.name)  # noqa: PTH108 - what is open has a name, not a Path
