"""Greedy non-maximum suppression: of candidates that overlap, the best one stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcface_cli.detection.candidates import FaceCandidates


def suppress(boxes: NDArray[np.float32], scores: NDArray[np.float32], max_overlap: float) -> NDArray[np.intp]:
    """Indices of the boxes that stay, best score first (ties by index).

    boxes: (N, 4), scores: (N,). A box goes when its intersection over union with a better one that
    stays is above `max_overlap`. O(N * kept).
    """
    order = np.argsort(-scores, kind="stable")
    areas = _areas(boxes)
    kept: list[np.intp] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        upper_left = np.maximum(boxes[best, :2], boxes[rest, :2])
        lower_right = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(lower_right - upper_left, 0.0), axis=1)
        union = areas[best] + areas[rest] - shared
        order = rest[shared <= max_overlap * union]
    return np.array(kept, dtype=np.intp)


def overlaps(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M) intersection over union of every box with every other; 0 where both are empty."""
    shared, areas, other_areas = _shared_areas(boxes, others)
    union = areas[:, None] + other_areas[None] - shared
    ratios: NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratios


def without_parts(found: FaceCandidates) -> FaceCandidates:
    """Drop what lies within a much larger face that is about as sure: an eye or a chin taken for a face.

    found: sorted by score, best first. "Within" is four fifths of the area, "much larger" four times,
    "about as sure" 85 % of the score: a doubtful large box over a crowd must not swallow it.
    """
    if len(found) < 2:
        return found
    shared, areas, _ = _shared_areas(found.boxes, found.boxes)
    within = shared > 0.8 * areas[:, None]
    larger = areas[None, :] > 4.0 * areas[:, None]
    better = found.scores[None, :] >= 0.85 * found.scores[:, None]
    return found.select(np.flatnonzero(~(within & larger & better).any(axis=1)))


def _shared_areas(
    boxes: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    upper_left = np.maximum(boxes[:, None, :2], others[None, :, :2])
    lower_right = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(lower_right - upper_left, 0.0), axis=2)
    return shared, _areas(boxes), _areas(others)


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    areas: NDArray[np.float32] = sides[:, 0] * sides[:, 1]
    return areas
