"""From impostor scores to an operating point, and what is remembered of it.

FPIR at a gallery's size comes from searches for people who aren't in it. With N subjects where n were
searched, the further ones being as likely to match as these,

    FPIR_N(t) = 1 - (1 - FPIR_n(t))^(N / n)

Where the searches are too few for the rate (rule of three) or N is more than n, the scores of single subjects
(n = 1) get a tail (`tails`), and the result says that it extrapolates.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from arcface_cli.errors import GalleryDamaged, NothingToCount, UnsupportedRate
from arcface_cli.evaluation import tails
from arcface_cli.evaluation.intervals import Cells, RateInterval, expected_range, rate_interval
from arcface_cli.evaluation.rates import RULE_OF_THREE, comparisons_needed, threshold_at_fmr
from arcface_cli.evaluation.scores import Floats, Ints, PairScores

CURVE_POINTS = 256
THRESHOLD_STEP = 1e-4
"""Thresholds are rounded up to it, so that the one printed is the one used."""

OUTGROWN = 1.2
"""A gallery of more than this many times the calibrated subjects has outgrown its threshold."""

FORESEEN = 100
"""Further searches that a calibration foretells: of so many, how many will name somebody."""

LARGER = 1.1
"""Up to this many times the subjects searched, a rate counts as measured at that size."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class StrangerSearches:
    """Q searches for people who aren't enrolled, or with their own templates left out.

    best: (Q,) float64, NaN where the photograph gave no template.  person: (Q,) int64.  subjects: n.
    score: (K,) float64, of single subjects (their best template) searched: what a tail is fitted to.
    score_person, score_subject: (K,) int64, whom each compares; subjects share the people's numbers.
    """

    best: Floats
    person: Ints
    subjects: int
    score: Floats
    score_person: Ints
    score_subject: Ints

    def cells(self, threshold: float) -> Cells:
        """False positives by person."""
        return Cells.count(self.best >= threshold, self.person, self.person)


@dataclass(frozen=True, slots=True)
class SearchPoint:
    """A threshold for a rate of false positive identifications in a gallery of `subjects`.

    interval: holds the rate itself.  expected: where the share seen among `FORESEEN` further searches for
    other people will lie, which are a sample too: that is what to hold against later photographs.
    p_value: of the tail, None where the rate was measured.
    """

    threshold: float
    fpir: float
    interval: Range
    expected: Range
    subjects: int
    searches: int
    people: int
    extrapolated: bool
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class ComparisonPoint:
    """A threshold for a rate of false matches in one comparison."""

    threshold: float
    fmr: float
    interval: Range
    comparisons: int


def round_up(threshold: float) -> float:
    """The next multiple of `THRESHOLD_STEP`, which is as strict or stricter."""
    return min(1.0, round(math.ceil(threshold / THRESHOLD_STEP - 1e-9) * THRESHOLD_STEP, 6))


# --- one comparison -----------------------------------------------------------------------------


def for_fmr(scores: PairScores, target: float) -> ComparisonPoint:
    """The smallest threshold whose measured FMR is at most `target`.

    Raises UnsupportedRate and NothingToCount.
    """
    threshold = round_up(threshold_at_fmr(scores.impostor_similarity, target))
    measured = fmr_interval(scores, threshold)
    return ComparisonPoint(threshold, measured.rate, (measured.low, measured.high), measured.total)


def fmr_interval(scores: PairScores, threshold: float) -> RateInterval:
    """FMR at a threshold, people resampled. Raises NothingToCount."""
    impostors = scores.only(~scores.genuine)
    if not len(impostors):
        raise NothingToCount("there is no impostor comparison: photographs of two people at least are needed")
    return rate_interval(Cells.count(impostors.similarity >= threshold, impostors.first, impostors.second))


# --- a search -----------------------------------------------------------------------------------


def at_size(fpir: float, subjects: float, size: float) -> float:
    """FPIR in a gallery of `size`, from that in one of `subjects`."""
    return -math.expm1(math.log1p(-min(fpir, 1 - 1e-16)) * size / subjects)


def for_fpir(searches: StrangerSearches, target: float, size: int) -> SearchPoint:
    """The smallest threshold whose FPIR in a gallery of `size` subjects is at most `target`.

    Measured where the searches can show the rate at that size, else by the tail of the subjects' scores.
    Raises UnsupportedRate when even a tail has too little to go by, NothingToCount without searches.
    """
    if not len(searches.best) or searches.subjects < 1:
        raise NothingToCount(
            "nobody could be searched for who isn't enrolled", hint="bring strangers, or more people"
        )
    wanted = at_size(target, size, searches.subjects)
    if size <= LARGER * searches.subjects and len(searches.best) >= comparisons_needed(wanted):
        return measured_point(searches, round_up(threshold_at_fmr(searches.best, wanted)), size)
    return tail_point(searches, target, size)


def expected_in(searches: StrangerSearches, threshold: float, further: int) -> Range:
    """Where the share named among `further` searches for other people will lie, in a gallery as large.

    Wider than the interval of the rate, and the more so the fewer they are. Searches of one person count as
    little as they did here.
    """
    seen = rate_interval(searches.cells(threshold))
    return expected_range(seen.rate, seen.effective, further * seen.effective / seen.total)


def measured_point(searches: StrangerSearches, threshold: float, size: int) -> SearchPoint:
    """What the searches show of a threshold."""
    seen = rate_interval(searches.cells(threshold))
    low, high = expected_in(searches, threshold, FORESEEN)
    rate, *ends = (
        at_size(each, searches.subjects, size) for each in (seen.rate, seen.low, seen.high, low, high)
    )
    return SearchPoint(
        threshold, rate, (ends[0], ends[1]), (ends[2], ends[3]), size,
        len(searches.best), len(np.unique(searches.person)), extrapolated=False,
    )  # fmt: skip


def tail_point(searches: StrangerSearches, target: float, size: int) -> SearchPoint:
    """The threshold for `target` by the fitted tail of comparisons with one subject: 1 - (1 - FMR)^N."""
    tail = tails.with_goodness(tails.fit_tail(searches.score), searches.score)
    wanted = at_size(target, size, 1)
    if wanted >= tail.share:
        raise UnsupportedRate(
            f"FPIR {target:g} at {size:,} subjects can't be told from {len(searches.best):,} searches",
            hint=f"bring strangers: by the rule of three it takes {comparisons_needed(target):,} searches",
        )
    threshold = round_up(tail.threshold(wanted))
    drawn = tails.resampled_exceedances(
        searches.score, searches.score_person, searches.score_subject, tail, threshold
    )
    rates = np.array([at_size(float(each), 1, size) for each in drawn])
    rate = at_size(tail.exceeded(threshold), 1, size)
    worth = rate_interval(searches.cells(float(np.quantile(searches.best, 1 - max(target, 0.01)))))
    foreseen = FORESEEN * worth.effective / worth.total
    return SearchPoint(
        threshold, rate, tails.percentiles(rates), _expected(rates, foreseen), size,
        len(searches.best), len(np.unique(searches.person)), extrapolated=True, p_value=tail.p_value,
    )  # fmt: skip


def _expected(rates: Floats, trials: float) -> Range:
    """Range of the share in `trials` searches when the rate itself is only known as a sample of rates."""
    mean, variance = float(np.mean(rates)), float(np.var(rates))
    effective = mean * (1 - mean) / variance - 1 if variance > 0 else trials
    return expected_range(mean, max(effective, 1.0), trials)


# --- what a gallery remembers ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calibration:
    """An operating point as a gallery stores it.

    target: what was asked for.  threshold: cosine.  fmr, fpir: what it buys, None where not told; their
    intervals hold the rate with 95 %, fpir_expected the share among `FORESEEN` further searches.
    subjects: N the FPIR is for.  model: the templates' fingerprint.
    curve: (similarity, FMR) falling, for "FMR at this score"; 0 impostors reach beyond its last point.
    """

    date: str
    data: str
    target: Literal["fmr", "fpir"]
    target_rate: float
    threshold: float
    fmr: float | None
    fmr_interval: Range | None
    fpir: float | None
    fpir_interval: Range | None
    fpir_expected: Range | None
    subjects: int
    people: int
    photographs: int
    impostor_comparisons: int
    searches: int
    extrapolated: bool
    p_value: float | None
    model: str
    model_name: str | None
    detector: str | None
    curve: tuple[Range, ...]
    version: int = 1

    def fmr_at(self, similarity: float) -> tuple[float | None, float]:
        """(FMR, upper bound) of a threshold at this score; FMR is None where no impostor reached it.

        The bound there is 3 / comparisons. Between two points of the curve the higher rate is told.
        """
        never = min(1.0, RULE_OF_THREE / max(self.impostor_comparisons, 1))
        at_or_below = [rate for score, rate in self.curve if score <= similarity]
        if not self.curve or similarity > self.curve[-1][0]:
            return None, never
        rate = at_or_below[-1] if at_or_below else 1.0
        return rate, rate

    def has_outgrown(self, subjects: int) -> bool:
        """Whether a gallery of `subjects` is too large for a threshold that was set for a search."""
        return self.fpir is not None and subjects > OUTGROWN * self.subjects

    def facts(self) -> dict[str, Any]:
        """All but the curve, as plain values."""
        values = {key: value for key, value in asdict(self).items() if key not in ("curve", "version")}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Raises GalleryDamaged when it isn't what `to_json` wrote."""
        try:
            values = json.loads(text)
            values["curve"] = tuple((float(s), float(f)) for s, f in values["curve"])
            for name in ("fmr_interval", "fpir_interval", "fpir_expected"):
                values[name] = (
                    None if values[name] is None else (float(values[name][0]), float(values[name][1]))
                )
            found = cls(**values)
            _check(found)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise GalleryDamaged(
                f"the gallery's operating point can't be read ({error})",
                hint="calibrate again: arcface calibrate DIR",
            ) from error
        return found


def _check(found: Calibration) -> None:
    rates = [found.fmr, found.fpir, found.target_rate, *(rate for _, rate in found.curve)]
    if not all(rate is None or 0.0 <= rate <= 1.0 for rate in rates):
        raise ValueError("a rate is not between 0 and 1")
    if not -1.0 <= found.threshold <= 1.0:
        raise ValueError("the threshold is no cosine similarity")
    counts = (found.subjects, found.impostor_comparisons, found.searches, found.people, found.photographs)
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        raise ValueError("a count is no whole number")


def fmr_curve(impostor: Floats) -> tuple[Range, ...]:
    """(similarity, FMR) at up to `CURVE_POINTS` scores, FMR falling: most of them where it is small."""
    scores = np.sort(impostor[~np.isnan(impostor)])[::-1]
    if not len(scores):
        raise NothingToCount("there is no impostor comparison, so there is no FMR to tell")
    spread = [
        np.geomspace(1, len(scores), CURVE_POINTS * 3 // 4),
        np.linspace(1, len(scores), CURVE_POINTS // 4),
    ]
    counts = np.unique(np.concatenate(spread).round().astype(np.int64))
    reaching = len(scores) - np.searchsorted(scores[::-1], scores[counts - 1], side="left")
    points = {
        float(scores[count - 1]): float(n) / len(impostor) for count, n in zip(counts, reaching, strict=True)
    }
    return tuple(sorted(points.items()))
