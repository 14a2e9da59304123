"""Output files appear whole or not at all; what can't be written is said in one line."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from arcface_cli.errors import OutputError, UsageError
from arcface_cli.imaging.kinds import picture_kind
from arcface_cli.imaging.signature import is_signed, signed
from arcface_cli.inputs.names import printable
from arcface_cli.output.sole import lock, sole_writer

_REASON: dict[int | None, str] = {
    errno.ENOSPC: "the disk is full",
    errno.EBADF: "it is closed",
    errno.ENAMETOOLONG: "the name is too long for this file system",
}
_NO_FOLDER = "make its folder first, or choose another place, then run this again"
_FORBIDDEN = "choose a place that this user can write, then run this again"
_NEXT_STEP: dict[int | None, str] = {
    errno.ENOENT: _NO_FOLDER,
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: "a file lies where a folder is needed: choose another place, then run this again",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENAMETOOLONG: "give it a shorter name, then run this again",
    errno.EBADF: "open it, or name a file with -o, then run this again",
}
"""What to do, where it isn't space that is missing."""
_DATABASE = b"SQLite format 3\0"
_HEAD = 256
"""Bytes that tell what a file is."""


def output_file(
    path: Path, earlier: contextlib.AbstractContextManager[BinaryIO] | None
) -> contextlib.AbstractContextManager[BinaryIO]:
    """A new file that appears whole, or else the one of an earlier run, where that is continued."""
    return whole_file(path) if earlier is None else earlier


@contextlib.contextmanager
def whole_file(path: Path, *, picture: bool = False) -> Iterator[BinaryIO]:
    """Write a file that appears under its name, complete and on disk, when the block ends well.

    A link stays, and leads to the new file. A device or a pipe (/dev/null, a FIFO) can't appear whole: it is
    written to as it is, never replaced. picture: one is written, in a moment, and may replace one that
    arcface drew.

    Raises OutputError when it can't be written, or another run writes it, and UsageError for a folder and for
    a photograph or a gallery, which nothing that is written may replace.
    """
    shown = printable(str(path))
    with telling_output(shown):
        if path.is_dir():
            raise UsageError(f"{shown}: this is a folder", hint="name a file")
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        _refuse_precious(_head(target), shown, picture=picture)
        with sole_writer(target, shown, wait=picture) as file:
            _refuse_continued(target, shown, wait=picture)
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(target)
        _sync_folder(target.parent)


def write_picture(path: Path, picture: bytes) -> None:
    """Write a PNG or a JPEG file, signed and whole. Raises what `whole_file` raises."""
    with whole_file(path, picture=True) as file:
        file.write(signed(picture))


def require_replaceable(path: Path, *, picture: bool = False, called: str | None = None) -> None:
    """Raise UsageError now where `whole_file` would: for a file that is a photograph or a gallery.

    called: its name to people, where that isn't the path.
    """
    if os.path.isfile(path):  # noqa: PTH113 - where Path's raises, for a name too long, writing will say so
        shown = printable(str(path)) if called is None else called
        _refuse_precious(_head(path), shown, picture=picture)


def _head(path: Path) -> bytes:
    """How a file begins; nothing of one that isn't there or can't be read."""
    with contextlib.suppress(FileNotFoundError, PermissionError), path.open("rb") as earlier:
        return earlier.read(_HEAD)
    return b""


def _refuse_continued(target: Path, shown: str, *, wait: bool) -> None:
    """A run that continues the file would write on into one without a name."""
    with contextlib.suppress(FileNotFoundError, PermissionError), target.open("rb") as earlier:
        lock(earlier, shown, shared=True, wait=wait)


def _refuse_precious(head: bytes, shown: str, *, picture: bool) -> None:
    """`-o *.jpg`, written out by a shell, names a photograph to write to; so can a slip name a gallery."""
    kind = None
    if head.startswith(_DATABASE):
        kind = "a database, perhaps a gallery"
    elif not picture and picture_kind(head) is not None:
        kind = "a picture"
    elif picture_kind(head) is not None and not is_signed(head):
        kind = "a picture that arcface didn't draw"
    if kind is not None:
        raise UsageError(f"{shown} is {kind}, and would be replaced", hint="name another file, or remove it")


@contextlib.contextmanager
def telling_output(name: str) -> Iterator[None]:
    """Turn what the operating system says about writing `name` into an OutputError; a closed pipe passes."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = _REASON.get(error.errno) or error.strerror or str(error)
        raise OutputError(f"{name} can't be written: {reason}", hint=_NEXT_STEP.get(error.errno)) from error


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder for output, if it isn't there. Raises OutputError when it can't be made."""
    with telling_output(printable(str(path))):
        path.mkdir(mode, parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems can't; the file itself is synced
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
