"""Cutting, scaling and saving pixels: all that cv2 does for us."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import CROP_SIDE

_LONGEST_WARP = 32766
"""cv2.warpAffine takes no source whose side reaches this (SHRT_MAX)."""

# OpenCV writes to the terminal behind Python's back; what goes wrong reaches us as cv2.error anyhow.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def limit_threads(count: int) -> None:
    """Let OpenCV use `count` threads in this process (1 = the calling thread only).

    Its pool is one for the process, and a pipeline that decodes in its own workers wants 1: crops of
    112 pixels are too small to share out.
    """
    if count < 1:
        raise ValueError(f"OpenCV needs at least 1 thread, not {count}")
    cv2.setNumThreads(count)


def warp(image: NDArray[np.uint8], transforms: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Cut aligned crops as insightface's norm_crop does: bilinear, black outside the image.

    image: (H, W, 3) uint8.  transforms: (B, 2, 3) float64, image -> crop, finite.
    Returns (B, 112, 112, 3) uint8, channels as in the image.
    """
    if transforms.ndim != 3 or transforms.shape[1:] != (2, 3):
        raise ValueError(f"warp needs transforms (B, 2, 3), not {transforms.shape}")
    if not np.isfinite(transforms).all():
        raise ValueError("warp needs finite transforms")
    crops = np.empty((len(transforms), CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
    for crop, transform in zip(crops, transforms, strict=True):
        source, moved = _reachable(image, transform)
        cv2.warpAffine(
            source,
            moved,
            (CROP_SIDE, CROP_SIDE),
            dst=crop,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(0, 0, 0),
        )
    return crops


def letterbox(image: NDArray[np.uint8], width: int, height: int) -> tuple[NDArray[np.uint8], float, float]:
    """Fit an image into a canvas: shape kept, anchored at the top left, black beside it.

    image: (H, W, 3) uint8.  Returns the canvas (height, width, 3) uint8 and the exact scales
    canvas / image along x and y; they differ slightly because whole pixels are rounded.
    """
    rows, columns = image.shape[:2]
    scale = min(width / columns, height / rows)
    fitted = (_rounded(columns * scale, width), _rounded(rows * scale, height))
    resized = _resized(image, fitted, scale)
    if fitted == (width, height) and resized is not image:  # nothing beside it
        return resized, width / columns, height / rows
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    canvas[: fitted[1], : fitted[0]] = resized
    return canvas, fitted[0] / columns, fitted[1] / rows


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 BGR -> a PNG file, without loss."""
    return _encoded(".png", image, [])


def encode_jpeg(image: NDArray[np.uint8], quality: int = 95) -> bytes:
    """(H, W, 3) uint8 BGR -> a JPEG file; quality 1 to 100."""
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _rounded(length: float, limit: int) -> int:
    return min(max(int(length + 0.5), 1), limit)


def _resized(image: NDArray[np.uint8], size: tuple[int, int], scale: float) -> NDArray[np.uint8]:
    """Bilinear sampling looks at 2x2 pixels; below half size it would skip some, so areas are averaged."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    if (image.shape[1], image.shape[0]) == (4 * size[0], 4 * size[1]):
        # OpenCV is quick at halves alone: two of them take a third of the time of a quarter.
        half = (2 * size[0], 2 * size[1])
        image = np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    interpolation = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), dtype=np.uint8)


def _reachable(
    image: NDArray[np.uint8], transform: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The image and transform as they are; of an image too long for cv2, the part that the crop can see."""
    if max(image.shape[:2]) < _LONGEST_WARP:
        return image, transform
    corners = np.array([[0, 0], [CROP_SIDE, 0], [0, CROP_SIDE], [CROP_SIDE, CROP_SIDE]], dtype=np.float64)
    inverse = np.linalg.pinv(transform[:, :2])
    seen = (corners - transform[:, 2]) @ inverse.T
    limits = np.array([image.shape[1], image.shape[0]])
    start = np.clip(np.floor(seen.min(axis=0)) - 2, 0, limits - 1).astype(int)
    stop = np.clip(np.ceil(seen.max(axis=0)) + 3, start + 1, np.minimum(limits, start + _LONGEST_WARP - 1))
    stop = stop.astype(int)
    moved = transform.copy()
    moved[:, 2] += transform[:, :2] @ start
    return np.ascontiguousarray(image[start[1] : stop[1], start[0] : stop[0]]), moved


def _encoded(suffix: str, image: NDArray[np.uint8], options: list[int]) -> bytes:
    written, buffer = cv2.imencode(suffix, image, options)
    if not written:
        raise ValueError(f"OpenCV can't write {image.dtype} {image.shape} as {suffix}")
    return buffer.tobytes()
