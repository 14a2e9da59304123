"""Comparison scores with what is known about them: the raw material of every 1:1 rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import NothingToCount

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """P comparisons of two photographs.

    similarity: (P,) float64 in [-1, 1]; NaN where a photograph gave no template (failure to acquire).
    genuine: (P,) bool, whether both show one person.  first, second: (P,) int64, people by number, equal
    exactly where genuine.  fold: (P,) int64 or None.
    """

    similarity: Floats
    genuine: Flags
    first: Ints
    second: Ints
    fold: Ints | None = None

    def __post_init__(self) -> None:
        shapes = {each.shape for each in (self.similarity, self.genuine, self.first, self.second)}
        if len(shapes) != 1 or self.similarity.ndim != 1:
            raise ValueError(f"scores need four arrays of one shape (P,), not {sorted(shapes)}")
        if not np.array_equal(self.first == self.second, self.genuine):
            raise ValueError("a pair is genuine exactly when both people are one")
        if self.fold is not None and self.fold.shape != self.similarity.shape:
            raise ValueError(f"folds need shape {self.similarity.shape}, not {self.fold.shape}")

    def __len__(self) -> int:
        return len(self.similarity)

    @property
    def genuine_similarity(self) -> Floats:
        """(G,) of the genuine pairs, NaN for failures."""
        return self.similarity[self.genuine]

    @property
    def impostor_similarity(self) -> Floats:
        """(I,) of the impostor pairs, NaN for failures."""
        return self.similarity[~self.genuine]

    def only(self, chosen: Flags) -> PairScores:
        """The comparisons where `chosen` (P,) is true."""
        fold = None if self.fold is None else self.fold[chosen]
        return PairScores(
            self.similarity[chosen], self.genuine[chosen], self.first[chosen], self.second[chosen], fold
        )


def require_some(count: int, what: str) -> int:
    """`count`, which must be positive. Raises NothingToCount: a rate over nothing is no 0.0."""
    if count <= 0:
        raise NothingToCount(f"there is no {what}, so its error rate can't be told")
    return count
