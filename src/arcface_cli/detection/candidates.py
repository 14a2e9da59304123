"""What a decoder makes of one network run, before anything is thrown away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class FaceCandidates:
    """N candidate faces in pixels of the network's canvas.

    boxes: (N, 4) float32 x_min, y_min, x_max, y_max.  points: (N, 5, 2) float32, in the order of
    `FivePoints`.  scores: (N,) float32 in [0, 1].
    """

    boxes: NDArray[np.float32]
    points: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> FaceCandidates:
        """The candidates of `rows`: indices or a mask."""
        return FaceCandidates(self.boxes[rows], self.points[rows], self.scores[rows])

    def where_finite(self) -> FaceCandidates:
        """Without what a network's overflow made infinite, NaN or inside out."""
        numbers = np.hstack([self.boxes, self.points.reshape(-1, 10), self.scores[:, None]])
        upright = (self.boxes[:, 2:] >= self.boxes[:, :2]).all(axis=1)
        finite = np.isfinite(numbers).all(axis=1)
        return self.select(np.flatnonzero(finite & upright))

    def between(self, least: float, most: float) -> FaceCandidates:
        """Those whose longer side lies between `least` and `most` pixels."""
        longer = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1, initial=0.0)
        return self.select((longer >= least) & (longer <= most))

    def divided_by(self, scale_x: float, scale_y: float) -> FaceCandidates:
        """The same candidates in pixels of the image that the canvas is a scaled copy of."""
        if scale_x == scale_y == 1.0:
            return self
        scale = np.array([scale_x, scale_y], dtype=np.float32)
        corners = np.concatenate([scale, scale])
        return FaceCandidates(self.boxes / corners, self.points / scale, self.scores)


def concatenate(parts: list[FaceCandidates]) -> FaceCandidates:
    """One set out of several; none at all gives an empty set."""
    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return FaceCandidates(
            np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.float32)
        )
    return FaceCandidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def grid(height: int, width: int, stride: int) -> NDArray[np.float32]:
    """(h * w, 2) x and y indices of a feature map with `stride`, row by row, for a canvas of that size."""
    rows, columns = np.mgrid[: height // stride, : width // stride]
    return np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32)
