"""A loaded Pillow picture of any mode -> upright 8-bit BGR."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_FULL_SCALES = (1.0, 255.0, 65535.0, 4294967295.0)
_BITS_PER_SAMPLE = 258
_BAND = 1 << 20
"""Pixels converted together."""


def to_bgr(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR, contiguous. Transparent parts become white, as viewers show them."""
    if image.mode.startswith("I;16"):
        return _from_grey(_high_byte(image))
    if image.mode in ("I", "F"):
        return _from_grey(_scaled(image))
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        image = _over_white(image)
    if image.mode == "L":
        return _from_grey(np.asarray(image))
    if image.mode == "LAB":
        image = _from_lab(image)
    if image.mode != "RGB":
        image = image.convert("RGB")
    return _from_rgb(image)


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1 to 8 (TIFF 6.0, tag 274: where the scene's top and left are stored)."""
    turned: Any = pixels
    if orientation >= 5:
        turned = cv2.transpose(turned)
    if orientation in (2, 6):
        turned = cv2.flip(turned, 1)
    elif orientation in (3, 7):
        turned = cv2.flip(turned, -1)
    elif orientation in (4, 8):
        turned = cv2.flip(turned, 0)
    return np.ascontiguousarray(turned, dtype=np.uint8)


def _from_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Band by band: Pillow hands out a picture as two copies of itself, 300 MB for 50 megapixels."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = image if rows >= height else image.crop((0, top, width, bottom))
        cv2.cvtColor(np.asarray(band), cv2.COLOR_RGB2BGR, dst=pixels[top:bottom])
    return pixels


def _from_grey(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), dtype=np.uint8)


def _high_byte(image: Image.Image) -> NDArray[np.uint8]:
    """The upper eight bits, as Pillow takes them of 16-bit colour (of grey it would clip at 255)."""
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
    shift = 4 if bits == (12,) else 8
    samples = np.asarray(image).astype(np.uint16)
    levels: NDArray[np.uint8] = np.minimum(samples >> shift, 255).astype(np.uint8)
    return levels


def _scaled(image: Image.Image) -> NDArray[np.uint8]:
    """32-bit samples say nowhere what white is: take the smallest usual scale that holds them all."""
    samples = np.asarray(image).astype(np.float64 if image.mode == "I" else np.float32)
    finite = samples[np.isfinite(samples)]
    brightest = float(finite.max()) if finite.size else 0.0
    if image.format == "PPM" and image.mode == "I":
        brightest = 65535.0
    usual = _FULL_SCALES if image.mode == "F" else _FULL_SCALES[1:]
    white = next((scale for scale in usual if brightest <= scale), brightest)
    scaled = np.nan_to_num(samples, nan=0.0, posinf=white, neginf=0.0) * (255.0 / white)
    levels: NDArray[np.uint8] = (np.clip(scaled, 0.0, 255.0) + 0.5).astype(np.uint8)
    return levels


def _over_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, (255, 255, 255, 255)), layer)


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.applyTransform(image, _lab_to_srgb())
    if converted is None:
        raise ValueError("its LAB colours can't be converted")
    return converted


@functools.cache
def _lab_to_srgb() -> ImageCmsTransform:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, srgb, "LAB", "RGB")
