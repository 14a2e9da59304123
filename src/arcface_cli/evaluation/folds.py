"""LFW's ten-fold accuracy: the threshold of each fold is chosen on the other folds.

Huang, Ramesh, Berg & Learned-Miller, "Labeled Faces in the Wild", UMass 07-49 (2007), section III:
estimated mean accuracy, and the standard error of the mean S_E = sigma / sqrt(folds).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arcface_cli.errors import NothingToCount
from arcface_cli.evaluation.scores import Flags, Floats, PairScores


@dataclass(frozen=True, slots=True)
class FoldAccuracy:
    """accuracies, thresholds: one a fold, in the folds' order.  deviation: over folds (divided by n).

    standard_error: of the mean, sigma / sqrt(n) with sigma divided by n - 1.
    """

    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]
    mean: float
    deviation: float
    standard_error: float


def fold_accuracy(scores: PairScores) -> FoldAccuracy:
    """Accuracy over folds. A comparison that could not be made counts as wrong, whatever its label.

    Raises NothingToCount with fewer than two folds, and for a fold without genuine or impostor pairs.
    """
    numbers = np.array([], dtype=np.int64) if scores.fold is None else np.unique(scores.fold)
    if scores.fold is None or len(numbers) < 2:
        raise NothingToCount("accuracy over folds needs two folds at least")
    accuracies, thresholds = [], []
    for number in numbers:
        held_back = scores.fold == number
        _require_both(scores.genuine[held_back], int(number))
        threshold = best_threshold(scores.only(~held_back))
        thresholds.append(threshold)
        accuracies.append(accuracy(scores.only(held_back), threshold))
    return FoldAccuracy(
        tuple(accuracies),
        tuple(thresholds),
        float(np.mean(accuracies)),
        float(np.std(accuracies)),
        float(np.std(accuracies, ddof=1)) / math.sqrt(len(accuracies)),
    )


def accuracy(scores: PairScores, threshold: float) -> float:
    """Share of comparisons answered rightly."""
    known = ~np.isnan(scores.similarity)
    right = (scores.similarity >= threshold) == scores.genuine
    return float(np.count_nonzero(known & right)) / len(scores)


def best_threshold(scores: PairScores) -> float:
    """The threshold that answers most comparisons rightly; of several the middle one.

    Candidates lie half-way between neighbouring scores, so none depends on a tie.
    """
    values = np.unique(scores.similarity[~np.isnan(scores.similarity)])
    if not len(values):
        raise NothingToCount("no comparison could be made, so no threshold can be chosen")
    candidates = np.concatenate([values[:1], (values[:-1] + values[1:]) / 2, [np.nextafter(values[-1], 2.0)]])
    right = _right_at(scores.similarity, scores.genuine, candidates)
    best = np.flatnonzero(right == right.max())
    return float(candidates[best[len(best) // 2]])


def _right_at(similarity: Floats, genuine: Flags, candidates: Floats) -> Floats:
    known = ~np.isnan(similarity)
    same = np.sort(similarity[known & genuine])
    other = np.sort(similarity[known & ~genuine])
    accepted = len(same) - np.searchsorted(same, candidates, side="left")
    rejected = np.searchsorted(other, candidates, side="left")
    return (accepted + rejected).astype(np.float64)


def _require_both(genuine: Flags, number: int) -> None:
    for flags, name in ((genuine, "genuine"), (~genuine, "impostor")):
        if not flags.any():
            raise NothingToCount(f"fold {number} has no {name} pair, so its accuracy means nothing")
