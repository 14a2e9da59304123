"""One photograph that the user named: where it is, what to call it, how to read it. Opening is lazy."""

from __future__ import annotations

import base64
import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from arcface_cli.errors import (
    ArcfaceError,
    EmptyFile,
    ImageTooLarge,
    MissingFile,
    NotAFile,
    PermissionDenied,
    UnreadableImage,
)
from arcface_cli.inputs.names import printable

MAX_BYTES = 256 * 1024 * 1024
"""What a photograph may weigh unless the caller says otherwise: beyond any camera's file."""

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_KINDS = (
    (stat.S_ISDIR, "a folder", "name a photograph inside it"),
    (stat.S_ISFIFO, "a pipe", "pass the photograph on standard input, as -"),
    (stat.S_ISCHR, "a device", None),
    (stat.S_ISBLK, "a device", None),
    (stat.S_ISSOCK, "a socket", None),
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph that is still to be read.

    path: where it is; None = standard input, which can be read once.  subject: the person it shows, if
    the input says so (already NFC and printable).  named: typed on the command line, rather than found
    in a folder or a list.  failure: why there is nothing to read (an unreadable folder); `read` raises it.
    """

    path: Path | None
    subject: str | None = None
    named: bool = False
    failure: ArcfaceError | None = field(default=None, compare=False)
    stream: BinaryIO | None = field(default=None, compare=False, repr=False)

    @property
    def display(self) -> str:
        """The name on one line, safe for any terminal and for JSON; "-" for standard input."""
        return "-" if self.path is None else printable(str(self.path))

    @property
    def raw(self) -> bytes:
        """The path's own bytes."""
        return b"-" if self.path is None else os.fsencode(self.path)

    @property
    def base64_if_escaped(self) -> str | None:
        """A record's `input_b64`: the path in base64 where `display` had to escape part of it, else None."""
        if self.display.encode() == self.raw:
            return None
        return base64.b64encode(self.raw).decode("ascii")

    def read(self, max_bytes: int = MAX_BYTES) -> bytes:
        """The file's content, 1 to `max_bytes` bytes. Never waits for a pipe or a device.

        Raises MissingFile, NotAFile, PermissionDenied, EmptyFile, ImageTooLarge or UnreadableImage, or the
        failure that the photograph was made with.
        """
        if self.failure is not None:
            raise self.failure
        try:
            data = self._read_stdin(max_bytes) if self.path is None else self._read_file(self.path, max_bytes)
        except OSError as error:
            raise opening_failed(error, self.raw, self._called) from error
        if not data:
            raise EmptyFile(f"{self._called} is empty")
        return data

    @property
    def _called(self) -> str:
        return "standard input" if self.path is None else self.display

    def _read_stdin(self, max_bytes: int) -> bytes:
        if self.stream is None:
            raise UnreadableImage("standard input is not open", hint="pipe the photograph in, or name a file")
        data = _read_up_to(self.stream, max_bytes, 1 << 20)
        if len(data) > max_bytes:
            raise self._too_large(max_bytes)
        return data

    def _read_file(self, path: Path, max_bytes: int) -> bytes:
        try:
            descriptor = os.open(path, _OPEN)
        except ValueError as error:
            raise MissingFile(f"{self.display} can't be the name of a file: {error}") from error
        with open(descriptor, "rb", buffering=0, closefd=True) as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(descriptor)
            self._check_kind(status.st_mode)
            if status.st_size > max_bytes:
                raise self._too_large(max_bytes)
            data = _read_up_to(file, max_bytes, status.st_size)
        if len(data) > max_bytes:
            raise self._too_large(max_bytes)
        return data

    def _check_kind(self, mode: int) -> None:
        for is_kind, kind, hint in _KINDS:
            if is_kind(mode):
                raise NotAFile(f"{self.display} is {kind}, not a photograph", hint=hint)

    def _too_large(self, max_bytes: int) -> ImageTooLarge:
        return ImageTooLarge(
            f"{self._called} is larger than {max_bytes:,} bytes", hint="save it smaller, then try again"
        )


def opening_failed(error: OSError, path: bytes, display: str) -> ArcfaceError:
    """The deliberate error that stands for what the operating system said about a path."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _missing(path, display)
    if isinstance(error, PermissionError):
        return PermissionDenied(f"{display} can't be opened: permission denied")
    if isinstance(error, IsADirectoryError):
        return NotAFile(f"{display} is a folder, not a file", hint="name a file inside it")
    known = {
        errno.ENXIO: NotAFile(f"{display} is a socket or a device, not a photograph"),
        errno.ENODEV: NotAFile(f"{display} is a socket or a device, not a photograph"),
        errno.ELOOP: MissingFile(
            f"{display} is a link that leads back to itself", hint="mend or remove the link"
        ),
        errno.ENAMETOOLONG: MissingFile(f"{display}: the name is too long for this file system"),
    }
    if error.errno in known:
        return known[error.errno]
    return UnreadableImage(
        f"{display} can't be read: {error.strerror or error}",
        hint="check the disk and the path, then try again",
    )


def _missing(path: bytes, display: str) -> MissingFile:
    try:
        target = os.fsdecode(os.readlink(path))  # noqa: PTH115 - bytes
    except OSError:  # no link at all: the usual case
        return MissingFile(f"{display} does not exist")
    return MissingFile(
        f"{display} is a broken link: it points to {printable(target)}, which does not exist",
        hint="mend or remove the link",
    )


def _read_up_to(stream: BinaryIO, max_bytes: int, expected: int) -> bytes:
    """All of a stream, or just over `max_bytes` of it; `expected` bytes are asked for at once."""
    parts: list[bytes] = []
    room = max_bytes + 1
    size = min(expected + 1, room, 1 << 26)
    while room > 0:
        part = stream.read(min(size, room))
        if not part:
            break
        parts.append(part)
        room -= len(part)
        size = 1 << 20
    return parts[0] if len(parts) == 1 else b"".join(parts)
