"""CenterFace: a heat map of face centres at stride 4 (Xu et al., "CenterFace: Joint Face Detection and
Alignment Using Face as Point", Scientific Programming, 2020)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcface_cli.detection.candidates import FaceCandidates

STRIDE = 4


def decode(
    outputs: Sequence[NDArray[np.float32]], height: int, width: int, min_score: float
) -> FaceCandidates:
    """Heat map (1, 1, h, w), log size and offset (1, 2, h, w), landmarks (1, 10, h, w) -> candidates.

    Every pair of channels is (y, x). Landmarks are fractions of the box, from its top left corner.
    """
    del height, width  # the heat map has the canvas's shape
    heat = outputs[0][0, 0]
    rows, columns = np.nonzero(heat >= min_score)
    log_sizes, offsets, fractions = (output[0][:, rows, columns].T for output in outputs[1:4])
    sizes = np.exp(log_sizes[:, ::-1]) * STRIDE
    centers = (np.stack([columns, rows], axis=1) + offsets[:, ::-1] + 0.5) * STRIDE
    corners = centers - sizes / 2
    points = corners[:, None] + fractions.reshape(-1, 5, 2)[:, :, ::-1] * sizes[:, None]
    boxes = np.hstack([corners, corners + sizes])
    return FaceCandidates(
        boxes.astype(np.float32), points.astype(np.float32), np.clip(heat[rows, columns], 0.0, 1.0)
    )
