"""Files that are there whole or not at all, and their hashes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from arcface_cli.errors import ModelUnusable, OutputError

CHUNK = 1 << 20
ANOTHER_FOLDER = "or choose another folder for the models with ARCFACE_MODELS_DIR"
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's content, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: a reader, or a crash, sees the old file or the new one, never half.

    The caller holds the lock that makes this process the only writer of `path`.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def move_atomically(source: Path, target: Path) -> None:
    """Move a finished file of the same file system into place and make that survive a power cut."""
    descriptor = os.open(source, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)
    fsync_folder(target.parent)
    fsync_folder(target.parent.parent)


def fsync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn a failure of the file system into an OutputError that names `place` and the reason."""
    try:
        yield
    except TimeoutError:  # somebody else holds a lock: no failure of writing
        raise
    except OSError as error:
        first = "make it writable for this user" if error.errno in _FORBIDDEN else "free some space"
        raise OutputError(
            f"{place}: can't be written ({error.strerror or error})",
            hint=f"{first}, {ANOTHER_FOLDER}",
        ) from error


@contextlib.contextmanager
def reading(place: Path) -> Iterator[None]:
    """Turn a file that is there and can't be read into a ModelUnusable; a missing one passes."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise ModelUnusable(
            f"{place}: can't be read ({error.strerror or error})",
            hint=f"make it readable for this user, {ANOTHER_FOLDER}",
        ) from error
