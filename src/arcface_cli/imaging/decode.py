"""Bytes of a photograph -> upright BGR pixels, or one error that says why not.

Pillow opens, because it tells the size before anything is decoded and, unlike cv2, refuses a file whose
end is missing. It may open only the formats of `kinds.PLUGINS`, and only the one that the first bytes
name. Pillow decodes, too, except for a sound JPEG, which libjpeg-turbo itself gives the same pixels of,
in half the time and a third of the memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import io
import logging
import re
import warnings
from types import ModuleType

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError, features

from arcface_cli.errors import (
    ArcfaceError,
    EmptyFile,
    ImageTooLarge,
    ImageTooSmall,
    UnreadableImage,
    UnsupportedFormat,
)
from arcface_cli.imaging.kinds import HEIF, PLUGINS, ends_early, foreign_kind, picture_kind
from arcface_cli.imaging.pixels import to_bgr, upright
from arcface_cli.imaging.room import Reserve, give_back_large_blocks
from arcface_cli.installing import install

MAX_PIXELS = 178_956_970
"""Pixels that a picture may have: Pillow's own hard limit, 0.5 GiB of BGR. A higher limit has no effect."""

MIN_SIDE = 16
"""A picture narrower or lower than this, in pixels, can't hold a face."""

_JPEG_WORK = 32
"""A JPEG may repeat its pixels in many scans; scans x pixels stay under this many times the pixel limit."""
_END_OF_JPEG = b"\xff\xd9"
_SHORTEST_SCAN = 10
"""Bytes: the marker, and a header that names one component."""

_CODECS = {"AVIF": "avif", "WEBP": "webp", "JPEG2000": "jpg_2000"}
_ORIENTATION = 0x0112

# Set once, at import, for good: a filter switched on and off around each call is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
logging.getLogger("PIL").addHandler(logging.NullHandler())
give_back_large_blocks()


def decode(
    data: bytes,
    *,
    name: str = "the picture",
    max_pixels: int = MAX_PIXELS,
    min_side: int = MIN_SIDE,
    reserve: Reserve | None = None,
) -> NDArray[np.uint8]:
    """Decode a photograph: (H, W, 3) uint8 BGR, contiguous, EXIF orientation applied.

    Transparency is laid over white; 16-bit and float samples are scaled to 8 bits, not clipped; of an
    animation the first frame, of a document the first page; ICC profiles are ignored, as cv2 does.

    name: what an error calls the picture.  max_pixels, min_side: limits on the size in the header,
    checked before any pixel is decoded.  reserve: told the number of pixels before they take memory.

    Raises EmptyFile, UnsupportedFormat, ImageTooLarge, ImageTooSmall or UnreadableImage, nothing else.
    """
    if not data:
        raise EmptyFile(f"{name} is empty")
    kind = picture_kind(data)
    if kind is None:
        raise _foreign(data, name)
    try:
        image = _open(data, kind, name)
        _check_size(image.size, name, max_pixels, min_side)
        _check_scans(data, kind, image.size, name, max_pixels)
        if reserve is not None:
            reserve(image.size[0] * image.size[1])
        return upright(_pixels(image, data), _orientation(image))
    except ArcfaceError:
        raise
    except Image.DecompressionBombError as error:
        what = _header_size(data, kind, error)
        raise _too_large(what, name, min(max_pixels, MAX_PIXELS)) from error
    except Exception as error:  # Pillow raises nearly everything on hostile bytes
        raise _damaged(error, data, kind, name) from error


def _open(data: bytes, kind: str, name: str) -> Image.Image:
    if kind == HEIF:
        return _open_heif(data, name)
    importlib.import_module(PLUGINS[kind])
    if kind == "TIFF":
        _silence_libtiff()
    return Image.open(io.BytesIO(data), formats=(kind,))


@functools.cache
def _silence_libtiff() -> None:
    """Pillow silences libtiff's warnings but not its errors, which reach stderr and the exception alike."""
    set_handler = getattr(
        ctypes.CDLL(importlib.import_module("PIL._imaging").__file__), "TIFFSetErrorHandler", None
    )
    if set_handler is not None:  # None: linked into Pillow, out of reach
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


def _open_heif(data: bytes, name: str) -> Image.Image:
    plugin: ModuleType
    try:
        plugin = importlib.import_module("pillow_heif.as_plugin")
    except ImportError as error:
        raise UnsupportedFormat(
            f"{name} is a HEIC picture, which needs one more package",
            hint=f"install it with: {install('heic')}",
        ) from error
    image: Image.Image = plugin.HeifImageFile(io.BytesIO(data))
    return image


def _check_size(size: tuple[int, int], name: str, max_pixels: int, min_side: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise _too_large(_spoken(width, height), name, max_pixels)
    if min(width, height) < min_side:
        raise ImageTooSmall(f"{name} has only {width} x {height} pixels: each side needs {min_side}")


def _spoken(width: int, height: int) -> str:
    return f"{width:,} x {height:,} = {width * height:,} pixels"


def _header_size(data: bytes, kind: str, refusal: Image.DecompressionBombError) -> str:
    """The size of a picture that `Image.open` refuses for it, told by the format's reader or the refusal."""
    try:
        return _spoken(*Image.OPEN[kind][0](io.BytesIO(data), "").size)
    except Exception:  # as in `decode`; WebP's reader refuses by itself
        told = re.search(r"\d{9,}", str(refusal))
        return f"{int(told[0]):,} pixels" if told else f"more than {MAX_PIXELS:,} pixels"


def _check_scans(data: bytes, kind: str, size: tuple[int, int], name: str, max_pixels: int) -> None:
    """Refuse a progressive JPEG that would be decoded hundreds of times over."""
    most = _JPEG_WORK * max_pixels // (size[0] * size[1])
    if kind != "JPEG" or len(data) <= most * _SHORTEST_SCAN:
        return
    scans = data.count(b"\xff\xda")
    if scans > most:
        raise ImageTooLarge(
            f"{name} is a JPEG of {scans} scans: too much work to decode", hint="save it anew"
        )


def _pixels(image: Image.Image, data: bytes) -> NDArray[np.uint8]:
    if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
        pixels = _jpeg_pixels(image, data)
        if pixels is None and not image.info.get("progressive") and ends_early("JPEG", data):
            # Some cameras leave out the end mark. With it in its place, a missing row is a doubt as before;
            # of a progressive picture, which is whole many times over, it would hide missing scans.
            pixels = _jpeg_pixels(image, data + _END_OF_JPEG)
        if pixels is not None:
            return pixels
    if isinstance(image, ImageFile.ImageFile):
        image.decodermaxblock = 1 << 24  # in 64 KiB blocks, a 24 megapixel JPEG takes a quarter longer
    image.load()
    return to_bgr(image)


def _jpeg_pixels(image: Image.Image, data: bytes) -> NDArray[np.uint8] | None:
    """What libjpeg-turbo makes of a JPEG; None at the least doubt about the file, and Pillow judges it."""
    promised = np.empty((image.height, image.width, 3), np.uint8)
    with contextlib.suppress(ValueError):
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "BGR", buffer=promised)
        if pixels.shape == promised.shape:
            return pixels
    return None


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, read after the pixels: PNG tells it late, TIFF and HEIC apply it themselves."""
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF costs the orientation, not the photograph
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _foreign(data: bytes, name: str) -> ArcfaceError:
    foreign = foreign_kind(data)
    message = f"{name} is no picture that arcface reads: it looks like {foreign.description}"
    if not foreign.certain:
        return UnreadableImage(message)
    return UnsupportedFormat(message, hint="convert it to JPEG or PNG first")


def _too_large(what: str, name: str, limit: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"{name} has {what}: the limit is {limit:,} pixels", hint="scale the picture down, then try again"
    )


def _damaged(error: Exception, data: bytes, kind: str, name: str) -> ArcfaceError:
    if kind in _CODECS and not features.check(_CODECS[kind]):
        return UnsupportedFormat(
            f"{name} is a {kind} picture, which the installed Pillow was built without",
            hint="install Pillow's own wheel with: pip install --force-reinstall pillow",
        )
    if ends_early(kind, data) or "truncated" in str(error).lower():
        return UnreadableImage(
            f"{name} is truncated: the {kind} data end before the picture does",
            hint="copy or download it again",
        )
    return UnreadableImage(f"{name} is a {kind} file that can't be decoded: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, UnidentifiedImageError):
        return "its header is damaged or of a kind that Pillow doesn't read"
    text = " ".join(str(error).split())[:160]
    return "".join(c if c.isprintable() else "?" for c in text) or type(error).__name__
