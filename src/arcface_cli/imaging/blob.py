"""uint8 pictures -> the float32 tensor that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


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
    mean = (scaling.mean,) * 3
    blob = cv2.dnn.blobFromImages(list(pictures), 1.0 / scaling.scale, mean=mean, swapRB=scaling.rgb)
    return np.asarray(blob, dtype=np.float32)
