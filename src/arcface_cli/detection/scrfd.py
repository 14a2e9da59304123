"""SCRFD: anchors with distances to the four sides (Guo et al., "Sample and Computation Redistribution
for Efficient Face Detection", ICLR 2022). Two anchors a cell at strides 8, 16 and 32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcface_cli.detection.candidates import FaceCandidates, concatenate

STRIDES = (8, 16, 32)
ANCHORS_PER_CELL = 2


def decode(
    outputs: Sequence[NDArray[np.float32]], height: int, width: int, min_score: float
) -> FaceCandidates:
    """Nine heads, (cells * 2, 1 | 4 | 10), perhaps with a batch of 1 -> candidates over `min_score`.

    The heads come as three of scores, three of distances (left, top, right, bottom) and three of
    landmark offsets, one for each stride; distances and offsets are in units of the stride.
    """
    parts = []
    for level, stride in enumerate(STRIDES):
        scores = outputs[level].reshape(-1)
        kept = np.flatnonzero(scores >= min_score)
        if not kept.size:
            continue
        rows, columns = np.divmod(kept // ANCHORS_PER_CELL, width // stride)
        centers = np.stack([columns, rows], axis=1).astype(np.float32) * stride
        sides = outputs[level + 3].reshape(-1, 4)[kept] * stride
        offsets = outputs[level + 6].reshape(-1, 5, 2)[kept] * stride
        boxes = np.hstack([centers - sides[:, :2], centers + sides[:, 2:]])
        parts.append(FaceCandidates(boxes, centers[:, None] + offsets, scores[kept]))
    return concatenate(parts)
