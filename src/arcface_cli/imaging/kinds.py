"""What a file is, told from its first bytes: its suffix may lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PLUGINS = {
    "JPEG": "PIL.JpegImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "DIB": "PIL.BmpImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "PPM": "PIL.PpmImagePlugin",
    "JPEG2000": "PIL.Jpeg2KImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
}
"""The formats that Pillow may open for us -> the one module that reads each. No other plugin ever runs."""

HEIF = "HEIC"
"""Read by pillow-heif, which is an extra."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Content that is no picture we read. `certain`: the format is known, rather than guessed."""

    description: str
    certain: bool


_PICTURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (8, b"WEBP", "WEBP"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
)

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM film"),
    (b"\0\0\1\0", "an icon"),
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
)

_NETPBM = (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F")
_DIB_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)


def picture_kind(data: bytes) -> str | None:
    """The format of a picture that we read: a key of `PLUGINS`, `HEIF`, or None for anything else."""
    for offset, magic, kind in _PICTURES:
        if data.startswith(magic, offset):
            return kind
    if data[:1] == b"P" and data[1:2] in _NETPBM and data[2:3].isspace():
        return "PPM"
    if _is_bare_bitmap(data):
        return "DIB"
    return _box_kind(data)


def foreign_kind(data: bytes) -> Foreign:
    """What content that is no picture of ours looks like, for a message."""
    for magic, description in _FOREIGN:
        if data.startswith(magic):
            return Foreign(description, certain=True)
    if data[4:8] == b"ftyp" or data[8:12] == b"AVI ":
        return Foreign("a film or a sound recording", certain=True)
    return _foreign_text(data)


def ends_early(kind: str, data: bytes) -> bool:
    """Whether the format's own marks say that the end of the file is missing."""
    check = _ENDS_EARLY.get("J2K" if data.startswith(b"\xff\x4f") else kind)
    return check is not None and check(data)


def _is_bare_bitmap(data: bytes) -> bool:
    """A BMP without its file header: it starts with its header's size, and has exactly one plane."""
    size = int.from_bytes(data[:4], "little")
    planes = data[8:10] if size == 12 else data[12:14]
    return size in _DIB_HEADER_SIZES and planes == b"\1\0"


def _box_kind(data: bytes) -> str | None:
    """AVIF and HEIC share a container (ISO/IEC 14496-12); the brands in its first box tell them apart."""
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), 256)
    brands = {data[8:12], *(data[start : start + 4] for start in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return HEIF if brands & _HEIF_BRANDS else None


def _boxes_end_early(data: bytes) -> bool:
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size == 0:
            return False
        position += max(size, 8)
    return position != len(data)


_ENDS_EARLY: dict[str, Callable[[bytes], bool]] = {
    "JPEG": lambda data: data.find(b"\xff\xd9", max(data.rfind(b"\xff\xda"), 0)) < 0,
    "PNG": lambda data: b"IEND" not in data,
    "GIF": lambda data: not data.rstrip(b"\0").endswith(b";"),
    "WEBP": lambda data: int.from_bytes(data[4:8], "little") + 8 > len(data),
    "BMP": lambda data: int.from_bytes(data[2:6], "little") > len(data),
    "J2K": lambda data: not data.endswith(b"\xff\xd9"),
    "JPEG2000": _boxes_end_early,
    "AVIF": _boxes_end_early,
    HEIF: _boxes_end_early,
}


def _foreign_text(data: bytes) -> Foreign:
    if not data.strip(b"\0"):
        return Foreign("nothing but zero bytes", certain=False)
    start = data[:1024].decode("utf-8", errors="ignore").lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html")):
        return Foreign("a web page (HTML)", certain=False)
    if start.startswith("<svg") or (start.startswith("<?xml") and "<svg" in start):
        return Foreign("an SVG drawing", certain=True)
    if start and all(character.isprintable() or character.isspace() for character in start):
        return Foreign("text", certain=False)
    return Foreign("unknown data", certain=False)
