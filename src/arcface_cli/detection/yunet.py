"""YuNet: anchor-free, one prior a cell at strides 8, 16 and 32 (Wu, Peng & Yu, "YuNet: A Tiny
Millisecond-level Face Detector", Machine Intelligence Research 20, 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcface_cli.detection.candidates import FaceCandidates, concatenate, grid

STRIDES = (8, 16, 32)


def decode(
    outputs: Sequence[NDArray[np.float32]], height: int, width: int, min_score: float
) -> FaceCandidates:
    """Twelve heads of one picture -> candidates over `min_score`.

    The heads come as three each of class score, objectness, box (centre offset, log size) and
    landmarks, (1, cells, 1 | 1 | 4 | 10), one for each stride. The score is the geometric mean of
    class score and objectness.
    """
    parts = []
    for level, stride in enumerate(STRIDES):
        classes = np.clip(outputs[level].reshape(-1), 0.0, 1.0)
        objects = np.clip(outputs[level + 3].reshape(-1), 0.0, 1.0)
        scores = np.sqrt(classes * objects)
        kept = np.flatnonzero(scores >= min_score)
        cells = grid(height, width, stride)[kept]
        raw_boxes = outputs[level + 6].reshape(-1, 4)[kept]
        centers = (cells + raw_boxes[:, :2]) * np.float32(stride)
        half_sizes = np.exp(raw_boxes[:, 2:]) * np.float32(stride / 2)
        points = (cells[:, None] + outputs[level + 9].reshape(-1, 5, 2)[kept]) * np.float32(stride)
        boxes = np.hstack([centers - half_sizes, centers + half_sizes])
        parts.append(FaceCandidates(boxes, points, scores[kept]))
    return concatenate(parts)
