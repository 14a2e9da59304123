"""The words in every picture that arcface draws; a picture without them is a photograph, never replaced."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

WORDS = b"drawn by arcface"
HEAD = 256
"""Bytes of a file that tell."""

_PNG = b"\x89PNG\r\n\x1a\n"
_BEHIND_HEADER = len(_PNG) + 25  # the chunk IHDR: length, name, 13 bytes, checksum
_JPEG, _JFIF = b"\xff\xd8", b"\xff\xe0"


def signed(picture: bytes) -> bytes:
    """The same PNG or JPEG file with a comment near its beginning. Raises ValueError for anything else."""
    place = _place(picture)
    if place is None:
        raise ValueError("only a PNG or a JPEG file can be signed")
    return picture[:place] + _comment(picture) + picture[place:]


def is_signed(head: bytes) -> bool:
    """Whether a file that begins so (256 bytes will do) is a picture as `signed` gives it."""
    place = _place(head)
    return place is not None and head.startswith(_comment(head), place)


def is_drawn(path: Path) -> bool:
    """Whether a file is a picture that arcface drew. Why one can't be read is for its reader to tell."""
    try:
        with path.open("rb") as file:
            return is_signed(file.read(HEAD))
    except OSError:
        return False


def _place(picture: bytes) -> int | None:
    """Where the comment stands: right behind the header, which both formats want first."""
    if picture.startswith(_PNG):
        return _BEHIND_HEADER
    if not picture.startswith(_JPEG):
        return None
    if not picture.startswith(_JFIF, 2):
        return 2
    return 4 + int.from_bytes(picture[4:6], "big")


def _comment(picture: bytes) -> bytes:
    """The comment in the picture's format: a chunk tEXt, or a segment COM."""
    if picture.startswith(_JPEG):
        return b"\xff\xfe" + struct.pack(">H", len(WORDS) + 2) + WORDS
    chunk = b"tEXtComment\0" + WORDS
    return struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
