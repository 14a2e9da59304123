"""Every pair of N templates in memory that doesn't grow with their number: counts by score, not scores.

A score is known to `BIN` (2e-6), far finer than what two runs on two machines agree on; a rate that is read
off takes the whole bin, so an FMR is never understated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcface_cli.evaluation.intervals import Cells
from arcface_cli.evaluation.rates import require_support
from arcface_cli.evaluation.scores import Floats, Ints, require_some

BINS = 1 << 20
BIN = 2.0 / BINS
"""Width of a bin of similarity."""

_ROWS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class ScoreCounts:
    """How many comparisons fell into each bin of [-1, 1], lowest first.

    genuine, impostor: (BINS,) int64.  failed_genuine, failed_impostor: comparisons that could not be made.
    """

    genuine: Ints
    impostor: Ints
    failed_genuine: int = 0
    failed_impostor: int = 0

    @property
    def genuines(self) -> int:
        """Genuine comparisons, failures included."""
        return int(self.genuine.sum()) + self.failed_genuine

    @property
    def impostors(self) -> int:
        """Impostor comparisons, failures included."""
        return int(self.impostor.sum()) + self.failed_impostor

    def fmr(self, threshold: float) -> float:
        """False match rate. Raises NothingToCount."""
        return _reaching(self.impostor, threshold) / require_some(self.impostors, "impostor comparison")

    def fnmr(self, threshold: float) -> float:
        """False non-match rate. Raises NothingToCount."""
        total = require_some(self.genuines, "genuine comparison")
        return (total - _reaching(self.genuine, threshold)) / total

    def threshold_at_fmr(self, target: float) -> float:
        """The smallest bin's edge with FMR <= `target`. Raises UnsupportedRate and NothingToCount."""
        total = require_some(self.impostors, "impostor comparison")
        require_support(target, total)
        reaching = np.cumsum(self.impostor[::-1])[::-1]
        allowed = np.flatnonzero(reaching <= target * total + 1e-9)
        return float(allowed[0] * BIN - 1.0) if len(allowed) else 1.0

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """(threshold, FMR, FNMR) at the edge of every bin that holds a score, thresholds descending."""
        used = np.flatnonzero(self.genuine + self.impostor)[::-1]
        accepted = np.cumsum(self.genuine[used]) / require_some(self.genuines, "genuine comparison")
        false = np.cumsum(self.impostor[used]) / require_some(self.impostors, "impostor comparison")
        return (
            (used * BIN - 1.0).astype(np.float64),
            false.astype(np.float64),
            1.0 - accepted.astype(np.float64),
        )


def _reaching(counts: Ints, threshold: float) -> int:
    first = max(0, int(np.floor((threshold + 1.0) / BIN)))
    return int(counts[first:].sum())


def _bins(scores: NDArray[np.float32]) -> NDArray[np.int32]:
    scaled = np.multiply(scores, np.float32(1 / BIN))
    scaled += np.float32(1 / BIN)
    return np.clip(scaled, 0, BINS - 1).astype(np.int32)


def count_all_pairs(
    templates: NDArray[np.float32], people: Ints, threshold: float | None = None
) -> tuple[ScoreCounts, Cells | None]:
    """Compare every two of (N, D) unit rows; people: (N,) int64, who each shows, 0 to P - 1.

    With `threshold` also the impostor comparisons that reach it, by pair of people, for an interval; the
    cells of P people take P (P + 1) / 2 numbers, so above some 5,000 people they are left out.
    """
    genuine, impostor = np.zeros(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64)
    subjects = int(people.max()) + 1 if len(people) else 0
    events = np.zeros((subjects, subjects)) if threshold is not None and subjects <= 5000 else None
    for start in range(0, len(templates), _ROWS):
        rows = templates[start : start + _ROWS]
        scores = rows @ templates[start:].T
        later = np.triu(np.ones(scores.shape, dtype=bool), 1)
        same = people[start : start + len(rows), np.newaxis] == people[np.newaxis, start:]
        genuine += np.bincount(_bins(scores[same & later]), minlength=BINS)
        impostor += np.bincount(_bins(scores[~same & later]), minlength=BINS)
        if events is not None and threshold is not None:
            row, column = np.nonzero((scores >= threshold) & ~same & later)
            np.add.at(events, (people[start + row], people[start + column]), 1)
    return ScoreCounts(genuine, impostor), None if events is None else _cells(events, people)


def _cells(events: Floats, people: Ints) -> Cells:
    photographs = np.bincount(people, minlength=len(events)).astype(np.float64)
    first, second = np.triu_indices(len(events), 1)
    both = events + events.T
    return Cells(both[first, second], photographs[first] * photographs[second], first, second)
