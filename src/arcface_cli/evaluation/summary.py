"""A run's scores -> its figures, as plain values that JSON takes. What the data can't support says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from arcface_cli.errors import NothingToCount, UnsupportedRate
from arcface_cli.evaluation import rates
from arcface_cli.evaluation.folds import fold_accuracy
from arcface_cli.evaluation.histogram import ScoreCounts
from arcface_cli.evaluation.identification import Searches, cmc, fnir, fpir, missed
from arcface_cli.evaluation.intervals import SEED, Cells, RateInterval, bootstrap, rate_interval
from arcface_cli.evaluation.scores import Flags, Floats, PairScores

FMR_TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
FPIR_TARGETS = (0.3, 0.1, 0.05, 0.03, 0.01, 0.003)
RANKS = 20
CURVE_POINTS = 400
HISTOGRAM_BINS = 80
_RESAMPLED_SCORES = 80_000_000

Figures = dict[str, Any]


def interval(found: RateInterval) -> Figures:
    """A rate with its interval."""
    return asdict(found)


# --- one to one ---------------------------------------------------------------------------------


class ResampledCurve:
    """EER and FNMR at given FMRs for any weights of the comparisons, sorted once."""

    def __init__(self, scores: PairScores, targets: Sequence[float]) -> None:
        known = ~np.isnan(scores.similarity)
        order = np.flatnonzero(known)[np.argsort(-scores.similarity[known], kind="stable")]
        self._order, self._genuine = order, scores.genuine[order]
        self._all_genuine = scores.genuine
        ordered = scores.similarity[order]
        self._last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of equal scores
        self._targets = targets

    def __call__(self, weights: Floats) -> Floats:
        """(1 + targets,) EER, then FNMR at each FMR."""
        genuine = float(weights[self._all_genuine].sum())
        impostor = float(weights.sum()) - genuine
        if genuine <= 0 or impostor <= 0:
            return np.full(1 + len(self._targets), np.nan)
        drawn = weights[self._order]
        accepted = np.cumsum(np.where(self._genuine, drawn, 0.0))[self._last] / genuine
        false = np.cumsum(np.where(self._genuine, 0.0, drawn))[self._last] / impostor
        curve = rates.ErrorCurve(
            np.zeros(len(self._last) + 1), np.append(0.0, false), np.append(1.0, 1.0 - accepted)
        )
        at = np.searchsorted(curve.fmr, np.array(self._targets) + 1e-12, side="right") - 1
        return np.append(rates.equal_error_rate(curve)[0], curve.fnmr[at])


def verification(
    scores: PairScores, threshold: float | None, groups: Mapping[str, Flags] | None = None
) -> Figures:
    """Everything about one-to-one comparison. groups: (P,) flags of comparisons, by name.

    Raises NothingToCount without genuine or without impostor comparisons, and for a fold that lacks one.
    """
    curve = rates.error_curve(scores.genuine_similarity, scores.impostor_similarity)
    statistics = ResampledCurve(scores, FMR_TARGETS)
    resamples = max(100, min(400, _RESAMPLED_SCORES // len(scores)))
    ranges = bootstrap(scores, statistics, resamples=resamples, seed=SEED)
    eer, eer_threshold = rates.equal_error_rate(curve)
    return {
        "kind": "verification",
        "comparisons": _comparisons(scores),
        "accuracy": None if scores.fold is None else asdict(fold_accuracy(scores)),
        "eer": {
            "rate": eer,
            "threshold": eer_threshold,
            "interval": _spread(ranges[0], scores, eer_threshold, ("fmr", "fnmr")),
        },
        "auc": rates.area_under_roc(curve),
        "at_threshold": None if threshold is None else at_threshold(scores, threshold),
        "table": [_row(scores, target, ranges[1 + i]) for i, target in enumerate(FMR_TARGETS)],
        "groups": [_group(name, scores.only(flags), threshold) for name, flags in (groups or {}).items()],
        "curve": _curve(curve.threshold[1:], curve.fmr[1:], curve.fnmr[1:]),
        "histogram": _histogram(scores),
    }


def _comparisons(scores: PairScores) -> Figures:
    failed = np.isnan(scores.similarity)
    return {
        "genuine": int(scores.genuine.sum()),
        "impostor": int((~scores.genuine).sum()),
        "people": len(np.unique(np.concatenate([scores.first, scores.second]))),
        "failed_genuine": int((failed & scores.genuine).sum()),
        "failed_impostor": int((failed & ~scores.genuine).sum()),
    }


def at_threshold(scores: PairScores, threshold: float) -> Figures:
    """FMR and FNMR with their intervals; a rate with nothing to count is None."""
    genuine, impostor = scores.only(scores.genuine), scores.only(~scores.genuine)
    return {
        "threshold": threshold,
        "fmr": _rate(impostor, impostor.similarity >= threshold),
        "fnmr": _rate(genuine, ~(genuine.similarity >= threshold)),
    }


def _rate(scores: PairScores, events: Flags) -> Figures | None:
    if not len(scores):
        return None
    return interval(rate_interval(Cells.count(events, scores.first, scores.second)))


def _row(scores: PairScores, target: float, fnmr_range: tuple[float, float] | None) -> Figures:
    impostor = scores.impostor_similarity
    try:
        threshold = rates.threshold_at_fmr(impostor, target)
    except UnsupportedRate:
        return unsupported("fmr", target, "comparisons")
    missed_share = rates.fnmr(scores.genuine_similarity, threshold)
    return {
        "fmr": target,
        "supported": True,
        "threshold": threshold,
        "measured_fmr": rates.fmr(impostor, threshold),
        "fnmr": missed_share,
        "interval": _spread(fnmr_range, scores, threshold, ("fnmr",)),
    }


def _spread(
    resampled: tuple[float, float] | None, scores: PairScores, threshold: float, names: tuple[str, ...]
) -> tuple[float, float] | None:
    """The interval of resampled people; where all resamples agree, the exact ones of these rates together.

    People who never err don't err when drawn again, and that shows nothing about others.
    """
    if resampled is None or resampled[0] < resampled[1]:
        return resampled
    found = [rate for rate in map(at_threshold(scores, threshold).get, names) if rate is not None]
    return min(each["low"] for each in found), max(each["high"] for each in found)


def unsupported(rate: str, target: float, what: str) -> Figures:
    """The row of a table that the data are too few for."""
    return {rate: target, "supported": False, f"{what}_needed": rates.comparisons_needed(target)}


def _group(name: str, scores: PairScores, threshold: float | None) -> Figures:
    counts = _comparisons(scores)
    figures = {} if threshold is None else at_threshold(scores, threshold)
    return {"group": name, **counts, "fmr": figures.get("fmr"), "fnmr": figures.get("fnmr")}


def _curve(threshold: Floats, fmr: Floats, fnmr: Floats) -> Figures:
    """At most `CURVE_POINTS` points of a DET curve, dense where rates are small."""
    if len(threshold) > CURVE_POINTS:
        by_rank = np.geomspace(1, len(threshold), CURVE_POINTS // 2).astype(np.int64) - 1
        kept = np.unique(np.concatenate([by_rank, len(threshold) - 1 - by_rank]))
        threshold, fmr, fnmr = threshold[kept], fmr[kept], fnmr[kept]
    return {"threshold": threshold.tolist(), "fmr": fmr.tolist(), "fnmr": fnmr.tolist()}


def _histogram(scores: PairScores) -> Figures:
    edges = np.linspace(-1, 1, HISTOGRAM_BINS + 1)
    genuine, impostor = (
        np.histogram(each[~np.isnan(each)], edges)[0].tolist()
        for each in (scores.genuine_similarity, scores.impostor_similarity)
    )
    return {"edges": edges.tolist(), "genuine": genuine, "impostor": impostor}


# --- all pairs, counted -----------------------------------------------------------------------------


def counted(counts: ScoreCounts, people: int, threshold: float | None, cells: Cells | None) -> Figures:
    """The same figures from counts by score; intervals only at `threshold`. Raises NothingToCount."""
    thresholds, fmr, fnmr = counts.curve()
    eer, eer_threshold = rates.equal_error_rate(
        rates.ErrorCurve(np.append(np.inf, thresholds), np.append(0.0, fmr), np.append(1.0, fnmr))
    )
    share = len(counts.genuine) // HISTOGRAM_BINS
    whole = share * HISTOGRAM_BINS
    folded = [
        each[:whole].reshape(HISTOGRAM_BINS, share).sum(axis=1) for each in (counts.genuine, counts.impostor)
    ]
    return {
        "kind": "verification",
        "comparisons": {
            "genuine": counts.genuines, "impostor": counts.impostors, "people": people,
            "failed_genuine": counts.failed_genuine, "failed_impostor": counts.failed_impostor,
        },
        "accuracy": None,
        "eer": {"rate": eer, "threshold": eer_threshold, "interval": None},
        "auc": None,
        "at_threshold": None if threshold is None else _counted_at(counts, threshold, cells),
        "table": [_counted_row(counts, target) for target in FMR_TARGETS],
        "groups": [],
        "curve": _curve(thresholds, fmr, fnmr),
        "histogram": {
            "edges": np.linspace(-1, 1, HISTOGRAM_BINS + 1).tolist(),
            "genuine": folded[0].tolist(), "impostor": folded[1].tolist(),
        },
    }  # fmt: skip


def _counted_at(counts: ScoreCounts, threshold: float, cells: Cells | None) -> Figures:
    plain = {"rate": counts.fmr(threshold), "low": None, "high": None, "total": counts.impostors}
    fmr = plain if cells is None else interval(rate_interval(cells))
    fnmr = {"rate": counts.fnmr(threshold), "low": None, "high": None, "total": counts.genuines}
    return {"threshold": threshold, "fmr": fmr, "fnmr": fnmr}


def _counted_row(counts: ScoreCounts, target: float) -> Figures:
    try:
        threshold = counts.threshold_at_fmr(target)
    except UnsupportedRate:
        return unsupported("fmr", target, "comparisons")
    return {
        "fmr": target, "supported": True, "threshold": threshold, "measured_fmr": counts.fmr(threshold),
        "fnmr": counts.fnmr(threshold), "interval": None,
    }  # fmt: skip


# --- one to many ---------------------------------------------------------------------------------------


def identification(
    searches: Searches, threshold: float | None, groups: Mapping[str, Flags] | None = None
) -> Figures:
    """Everything about searches of a gallery. Rates with nobody to count are None."""
    return {
        "kind": "identification",
        "searches": _search_counts(searches),
        "rank1": _search_rate(searches, searches.enrolled, ~_missed_everywhere(searches, -2.0)),
        "cmc": cmc(searches, RANKS).tolist() if searches.enrolled.any() else None,
        "at_threshold": None if threshold is None else search_at(searches, threshold),
        "table": [_fpir_row(searches, target) for target in FPIR_TARGETS],
        **_search_curves(searches),
        "groups": [
            {
                "group": name,
                **_search_counts(part),
                **(search_at(part, threshold) if threshold is not None else {}),
            }
            for name, part in ((name, _only(searches, flags)) for name, flags in (groups or {}).items())
        ],
    }


def _search_curves(searches: Searches) -> Figures:
    """FPIR against FNIR at rank 1, and both histograms; no curve where one kind of search is missing."""
    first = np.where(searches.rank == 1, searches.own, np.nan)[searches.enrolled]
    strangers = searches.stranger_best
    edges = np.linspace(-1, 1, HISTOGRAM_BINS + 1)
    genuine, impostor = (
        np.histogram(each[~np.isnan(each)], edges)[0].tolist()
        for each in (searches.own[searches.enrolled], strangers)
    )
    curve = None
    if len(first) and len(strangers):
        found = rates.error_curve(first, strangers)
        curve = _curve(found.threshold[1:], found.fmr[1:], found.fnmr[1:])
    return {
        "curve": curve,
        "histogram": {"edges": edges.tolist(), "genuine": genuine, "impostor": impostor},
    }


def _only(searches: Searches, flags: Flags) -> Searches:
    return Searches(
        searches.own[flags], searches.other[flags], searches.rank[flags],
        searches.enrolled[flags], searches.person[flags], searches.subjects,
    )  # fmt: skip


def _search_counts(searches: Searches) -> Figures:
    return {
        "enrolled": int(searches.enrolled.sum()),
        "strangers": int((~searches.enrolled).sum()),
        "people": len(np.unique(searches.person)),
        "subjects": searches.subjects,
        "failed": int((np.isnan(searches.own) & np.isnan(searches.other)).sum()),
    }


def search_at(searches: Searches, threshold: float) -> Figures:
    """FPIR and FNIR at rank 1 with their intervals; None where nobody is to be counted."""
    return {
        "threshold": threshold,
        "fpir": _search_rate(searches, ~searches.enrolled, searches.other >= threshold),
        "fnir": _search_rate(searches, searches.enrolled, _missed_everywhere(searches, threshold)),
    }


def _missed_everywhere(searches: Searches, threshold: float) -> Flags:
    flags = np.zeros(len(searches), dtype=bool)
    flags[searches.enrolled] = missed(searches, threshold)
    return flags


def _search_rate(searches: Searches, chosen: Flags, events: Flags) -> Figures | None:
    if not chosen.any():
        return None
    person = searches.person[chosen]
    return interval(rate_interval(Cells.count(events[chosen], person, person)))


def threshold_at_fpir(searches: Searches, target: float) -> float:
    """The smallest threshold with FPIR <= `target`. Raises UnsupportedRate, NothingToCount."""
    if not len(searches.stranger_best):
        raise NothingToCount("there is no search for somebody who isn't enrolled, so FPIR can't be told")
    return rates.threshold_at_fmr(searches.stranger_best, target)


def _fpir_row(searches: Searches, target: float) -> Figures:
    try:
        threshold = threshold_at_fpir(searches, target)
    except (UnsupportedRate, NothingToCount):
        return unsupported("fpir", target, "searches")
    row = {
        "fpir": target,
        "supported": True,
        "threshold": threshold,
        "measured_fpir": fpir(searches, threshold),
    }
    if not searches.enrolled.any():
        return {**row, "fnir": None, "interval": None}
    found = _search_rate(searches, searches.enrolled, _missed_everywhere(searches, threshold))
    return {
        **row,
        "fnir": fnir(searches, threshold),
        "interval": None if found is None else [found["low"], found["high"]],
    }
