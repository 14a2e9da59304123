"""Taking one named member out of an archive: streamed, limited in size, and written only where we say."""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from arcface_cli.errors import DownloadFailed
from arcface_cli.weights.files import CHUNK

SIZE_LIMIT = 2 << 30
"""Bytes; a member whose size isn't known beforehand may not be larger."""


def extract_member(archive: Path, member: str, target: Path, size: int | None) -> str:
    """Write `member` of a zip or tar to `target` and return its SHA-256.

    The member's name only selects it: nothing is ever written under a name from the archive. Some
    publishers put a folder around the files and some don't, so a single member with the same last
    component also serves; the caller compares the hash. size: expected bytes; reading stops beyond it.
    Raises DownloadFailed when the archive is damaged, lacks the member, or holds more than expected.
    """
    opened = _open_zip_member if zipfile.is_zipfile(archive) else _open_tar_member
    try:
        with opened(archive, member) as stream, target.open("wb") as sink:
            return _copy(stream, sink, SIZE_LIMIT if size is None else size, member)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError) as error:
        raise DownloadFailed(f"the archive is damaged ({error})") from error


def _copy(stream: IO[bytes], sink: IO[bytes], limit: int, member: str) -> str:
    digest, done = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        done += len(chunk)
        if done > limit:
            raise DownloadFailed(f"its member {member} is larger than the {limit} bytes expected")
        digest.update(chunk)
        sink.write(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _open_zip_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(archive) as opened:
        name = _choose([info.filename for info in opened.infolist() if not info.is_dir()], member)
        with opened.open(name) as stream:
            yield stream


@contextlib.contextmanager
def _open_tar_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    with tarfile.open(archive, "r:*") as opened:
        members = {info.name: info for info in opened if info.isfile()}
        stream = opened.extractfile(members[_choose(list(members), member)])
        if stream is None:
            raise DownloadFailed(f"its member {member} is no file")
        with stream:
            yield stream


def _choose(names: list[str], member: str) -> str:
    if member in names:
        return member
    alike = [name for name in names if PurePosixPath(name).name == PurePosixPath(member).name]
    if len(alike) != 1:
        raise DownloadFailed(f"the archive has no member {member}")
    return alike[0]
