"""Output files appear whole or not at all; what can't be written is said in one line."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from arcface_cli.errors import OutputError, UsageError
from arcface_cli.inputs.names import printable


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears under its name, complete and on disk, when the block ends well.

    Raises OutputError when it can't be written, UsageError for a folder.
    """
    shown = printable(str(path))
    if path.is_dir():
        raise UsageError(f"-o {shown}: this is a folder", hint="name a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with telling_output(shown):
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def telling_output(name: str) -> Iterator[None]:
    """Turn what the operating system says about writing `name` into an OutputError; a closed pipe passes."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise OutputError(f"{name} can't be written: {reason}") from error


def make_folder(path: Path) -> None:
    """Make a folder for output. Raises OutputError when it can't be made."""
    with telling_output(printable(str(path))):
        path.mkdir(parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems can't; the file itself is synced
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
