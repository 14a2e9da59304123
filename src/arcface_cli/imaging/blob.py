"""uint8 pictures -> the tensor that a network takes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import Fed


@dataclass(frozen=True, slots=True)
class PixelScaling:
    """How a network wants its pixels: (value - mean) / scale, channels in RGB or BGR order."""

    rgb: bool
    mean: float
    scale: float


def to_blob(
    pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], scaling: PixelScaling
) -> NDArray[np.float32]:
    """Pictures of one size, each (H, W, 3) uint8 BGR -> (N, 3, H, W) float32, scaled and in channel order."""
    height, width = pictures[0].shape[:2]
    levels = _levels(scaling.mean, scaling.scale)
    blob = np.empty((len(pictures), 3, height, width), np.float32)
    for picture, planes in zip(pictures, blob, strict=True):
        for plane, channel in zip(planes[::-1] if scaling.rgb else planes, cv2.split(picture), strict=True):
            cv2.LUT(channel, levels, dst=plane)
    return blob


@functools.cache
def _levels(mean: float, scale: float) -> NDArray[np.float32]:
    """(1, 256) what each level becomes: the arithmetic of cv2.dnn.blobFromImages, to the bit."""
    centred = np.arange(256, dtype=np.float32)[None] - np.float32(mean)
    levels: NDArray[np.float32] = centred * np.float32(1.0 / scale)
    return levels


def to_pixels(pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures of one size, each (H, W, 3) uint8 BGR -> (N, H, W, 3), for a network that scales by itself."""
    if isinstance(pictures, np.ndarray):
        return np.ascontiguousarray(pictures)
    return np.ascontiguousarray(pictures[0])[None] if len(pictures) == 1 else np.stack(pictures)


def to_input(pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], scaling: PixelScaling | None) -> Fed:
    """What a network is fed: `to_blob`, or `to_pixels` where it scales by itself (scaling None)."""
    return to_pixels(pictures) if scaling is None else to_blob(pictures, scaling)
