"""CRC-32 of every stored row, so that a flipped bit anywhere in a gallery is seen.

Each covers the row's own id as well: a row that turned up in another's place does not pass.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

_ID = struct.Struct("<q")
_NUMBERS = struct.Struct("<qqqqqddddd")

META_KEY = "checksum"


def of_blob(template_id: int, blob: bytes) -> int:
    """Of a feature or a crop: the id as 8 bytes, little-endian, then the blob. 0 to 2^32 - 1."""
    return zlib.crc32(blob, zlib.crc32(_ID.pack(template_id)))


def of_subject(subject_id: int, name: str, created: str) -> int:
    """Of a subject: the id as 8 bytes, then name and time in UTF-8 with a zero byte between."""
    return zlib.crc32(_ID.pack(subject_id) + f"{name}\0{created}".encode())


def of_template(
    template_id: int,
    subject_id: int,
    face_index: int,
    size: tuple[int, int],
    numbers: tuple[float, float, float, float, float],
    landmarks: bytes,
    words: tuple[str, str, str],
    source_path: bytes,
) -> int:
    """Of a template's provenance.

    size: image width, height.  numbers: x_min, y_min, x_max, y_max, detection_score.  words: content_sha256,
    detector, created.  Summed are five 64-bit integers and five doubles (all little-endian), the landmarks,
    the words each with a zero byte behind it, and the path.
    """
    head = _NUMBERS.pack(template_id, subject_id, face_index, *size, *numbers)
    return zlib.crc32(b"".join((head, landmarks, "\0".join((*words, "")).encode(), source_path)))


def of_refusal(words: tuple[str, str, str, str, str], source_path: bytes) -> int:
    """Of a refusal: the words, each with a zero byte behind it, then the path, which is the row's name.

    words: content_sha256, subject, reason, decided_by, created.
    """
    return zlib.crc32("\0".join((*words, "")).encode() + source_path)


def of_meta(values: Mapping[str, str]) -> str:
    """Of all rows of meta but its own: key, zero byte, value, newline, by ascending key. 8 hex digits."""
    text = "".join(f"{key}\0{values[key]}\n" for key in sorted(values) if key != META_KEY)
    return f"{zlib.crc32(text.encode()):08x}"
