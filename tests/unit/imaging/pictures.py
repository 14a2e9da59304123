"""Pictures made for the tests: a gradient that tells its sides apart, in every format and mode."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 48, 32


def gradient(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: red grows to the right, green downwards, blue is flat."""
    red = np.broadcast_to(np.linspace(0, 255, width)[None, :], (height, width))
    green = np.broadcast_to(np.linspace(0, 255, height)[:, None], (height, width))
    return np.stack([red, green, np.full((height, width), 77.0)], axis=-1).astype(np.uint8)


def grey() -> NDArray[np.uint8]:
    return gradient()[:, :, 0].copy()


def rgb() -> Image.Image:
    return Image.fromarray(gradient())


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG written by hand: `rows` with a filter byte before each row, `extra` chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + b"".join(extra)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def jpeg2000() -> bytes:
    return saved(rgb(), "JPEG2000")


def heic() -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(rgb().resize((64, 64))).save(buffer, quality=90)
    return buffer.getvalue()


LOSSLESS: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved(rgb(), "PNG"),
    "webp": lambda: saved(rgb(), "WEBP", lossless=True),
    "bmp": lambda: saved(rgb(), "BMP"),
    "dib": lambda: saved(rgb(), "DIB"),
    "tiff": lambda: saved(rgb(), "TIFF"),
    "tiff lzw": lambda: saved(rgb(), "TIFF", compression="tiff_lzw"),
    "tiff deflate": lambda: saved(rgb(), "TIFF", compression="tiff_deflate"),
    "tiff big": lambda: saved(rgb(), "TIFF", big_tiff=True),
    "ppm": lambda: saved(rgb(), "PPM"),
    "jp2": jpeg2000,
    "j2k": lambda: saved(rgb(), "JPEG2000", no_jp2=True),
    "png rgba opaque": lambda: saved(rgb().convert("RGBA"), "PNG"),
    "webp animated": lambda: saved(
        rgb(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))]
    ),
    "png animated": lambda: saved(
        rgb(), "PNG", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))]
    ),
    "tiff pages": lambda: saved(rgb(), "TIFF", save_all=True, append_images=[Image.new("RGB", (20, 20))]),
}

LOSSY: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: saved(rgb(), "JPEG", quality=95, subsampling=0),
    "jpeg progressive": lambda: saved(rgb(), "JPEG", quality=95, progressive=True, subsampling=0),
    "jpeg mpo": lambda: saved(rgb(), "MPO", quality=95, save_all=True, append_images=[rgb()], subsampling=0),
    "tiff jpeg": lambda: saved(rgb(), "TIFF", compression="jpeg", quality=95),
    "tiff ycbcr": lambda: saved(rgb().convert("YCbCr"), "TIFF"),
    "webp lossy": lambda: saved(rgb(), "WEBP", quality=95),
    "avif": lambda: saved(rgb(), "AVIF", quality=95, subsampling="4:4:4"),
    "gif": lambda: saved(
        rgb().quantize(256), "GIF", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))]
    ),
    "tiff lab": lambda: saved(lab(), "TIFF"),
}


def lab() -> Image.Image:
    from PIL import ImageCms

    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    converted = ImageCms.applyTransform(rgb(), ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    assert converted is not None
    return converted
