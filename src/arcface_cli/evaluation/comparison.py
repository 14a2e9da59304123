"""Two runs over the same comparisons: differences, with intervals from the same resampled people in both."""

from __future__ import annotations

from typing import Any

import numpy as np

from arcface_cli.errors import UsageError
from arcface_cli.evaluation import rates
from arcface_cli.evaluation.identification import Searches
from arcface_cli.evaluation.intervals import CONFIDENCE, SEED, pair_weights, people_counts
from arcface_cli.evaluation.scores import Flags, Floats, PairScores
from arcface_cli.evaluation.summary import FMR_TARGETS, FPIR_TARGETS, ResampledCurve

RESAMPLES = 400

Row = dict[str, Any]


def compare(first: PairScores | Searches, second: PairScores | Searches) -> list[Row]:
    """A row a figure: value of each run, second - first, and the 95 % interval of that difference.

    Raises UsageError when the runs compared different things.
    """
    if isinstance(first, PairScores) and isinstance(second, PairScores):
        return _pairs(first, second)
    if isinstance(first, Searches) and isinstance(second, Searches):
        return _searches(first, second)
    raise UsageError("one run compares pairs, the other searches: they can't be compared")


def _require_same(*arrays: tuple[Any, Any]) -> None:
    if not all(np.array_equal(a, b) for a, b in arrays):
        raise UsageError(
            "the two runs compared different photographs, so they can't be paired",
            hint="evaluate both on the same list, then compare",
        )


def _pairs(first: PairScores, second: PairScores) -> list[Row]:
    _require_same((first.genuine, second.genuine), (first.first, second.first), (first.second, second.second))
    impostors = int((~first.genuine).sum())
    targets = [each for each in FMR_TARGETS if impostors >= rates.comparisons_needed(each)]
    names = ["EER", *(f"FNMR@FMR={target:g}" for target in targets)]
    curves = ResampledCurve(first, targets), ResampledCurve(second, targets)
    numbers, rows = np.unique(np.concatenate([first.first, first.second]), return_inverse=True)
    a, b = rows[: len(first)], rows[len(first) :]
    resamples = max(100, min(RESAMPLES, 40_000_000 // len(first)))
    drawn = (pair_weights(counts, a, b) for counts in people_counts(len(numbers), resamples, SEED))
    differences = np.array([curves[1](weight) - curves[0](weight) for weight in drawn])
    plain = np.ones(len(first))
    return _rows(names, curves[0](plain), curves[1](plain), differences)


def _searches(first: Searches, second: Searches) -> list[Row]:
    _require_same((first.enrolled, second.enrolled), (first.person, second.person))
    strangers = int((~first.enrolled).sum())
    targets = [each for each in FPIR_TARGETS if strangers >= rates.comparisons_needed(each)]
    names = ["rank 1", *(f"FNIR@FPIR={target:g}" for target in targets)]
    numbers, rows = np.unique(first.person, return_inverse=True)
    drawn = [counts[rows] for counts in people_counts(len(numbers), RESAMPLES, SEED)]
    figures = [_SearchFigures(each, targets) for each in (first, second)]
    differences = np.array([figures[1](weight) - figures[0](weight) for weight in drawn])
    plain = np.ones(len(first))
    return _rows(names, figures[0](plain), figures[1](plain), differences)


class _SearchFigures:
    """Rank 1 and FNIR at each FPIR for any weights of the searches; thresholds are chosen anew each time."""

    def __init__(self, searches: Searches, targets: list[float]) -> None:
        self._searches = searches
        self._targets = targets
        known = ~searches.enrolled & ~np.isnan(searches.other)
        self._order = np.flatnonzero(known)[np.argsort(-searches.other[known], kind="stable")]

    def __call__(self, weights: Floats) -> Floats:
        s = self._searches
        mated, strangers = weights * s.enrolled, float((weights * ~s.enrolled).sum())
        first = s.rank == 1
        found = [_share(mated, first)]
        named = np.cumsum(weights[self._order])
        for target in self._targets:
            # The highest score that may not reach the threshold: beyond it more than the target would.
            place = int(np.searchsorted(named, target * strangers + 1e-9, side="right"))
            threshold = s.other[self._order[place]] if place < len(self._order) else -2.0
            found.append(1.0 - _share(mated, first & (s.own > threshold)))
        return np.array(found)


def _share(weights: Floats, events: Flags) -> float:
    total = float(weights.sum())
    return float((weights * events).sum()) / total if total > 0 else float("nan")


def _rows(names: list[str], first: Floats, second: Floats, differences: Floats) -> list[Row]:
    tail = (1 - CONFIDENCE) / 2
    ranges = np.nanquantile(differences, [tail, 1 - tail], axis=0)
    return [
        {
            "figure": name,
            "first": float(one),
            "second": float(other),
            "difference": float(other - one),
            "low": float(low),
            "high": float(high),
            "differ": bool(low > 0 or high < 0),
        }
        for name, one, other, low, high in zip(names, first, second, *ranges, strict=True)
    ]
