"""How far a measured rate can be believed: exact intervals for few events, resampled people for many.

Comparisons aren't independent: one person who looks like many spoils hundreds of impostor pairs. So it is
people that are resampled (Owen 2007, "The pigeonhole bootstrap": a pair weighs the product of its people's
counts), and the spread is brought to the variance that is robust to shared people (Aronow, Samii & Assenova
2015, eq. 4), since the product of counts alone overstates it up to threefold where people hardly matter.
Where few events decide, Clopper & Pearson's exact interval for the effective number of independent
comparisons (Korn & Graubard 1998).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from arcface_cli.evaluation.distributions import (
    beta_binomial_quantiles,
    beta_quantile,
    normal_quantile,
    student_quantile,
)
from arcface_cli.evaluation.scores import Flags, Floats, Ints, PairScores, require_some

CONFIDENCE = 0.95
FEW = 20
"""Events, or their absence, up to which an exact interval is used."""

RESAMPLES = 1000
SEED = 20261101
_DENSE = 1500
"""People up to which a matrix of all pairs of them is quicker than a list."""


@dataclass(frozen=True, slots=True)
class RateInterval:
    """A rate with its interval, both in [0, 1].

    events of `total` comparisons; `effective`: how many independent ones they are worth.
    method: "exact" or "people resampled".
    """

    rate: float
    low: float
    high: float
    events: int
    total: int
    effective: float
    method: str


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Events counted by who was compared with whom.

    events, total: (C,) float64, of the comparisons of people first[i] and second[i], each pair of people
    once; equal numbers mean comparisons or searches that hang on one person alone.
    """

    events: Floats
    total: Floats
    first: Ints
    second: Ints

    @classmethod
    def count(cls, happened: Flags, first: Ints, second: Ints) -> Cells:
        """Sum (P,) single comparisons up. Raises NothingToCount for none."""
        require_some(len(first), "comparison")
        low = np.minimum(first, second)
        high = np.maximum(first, second)
        width = int(high.max()) + 1
        keys, inverse = np.unique(low * width + high, return_inverse=True)
        events = np.bincount(inverse, weights=happened.astype(np.float64)).astype(np.float64)
        total = np.bincount(inverse).astype(np.float64)
        return cls(events, total, keys // width, keys % width)


def rate_interval(cells: Cells, confidence: float = CONFIDENCE, seed: int = SEED) -> RateInterval:
    """The rate of all cells together, with the interval that holds it at this confidence."""
    events, total = float(cells.events.sum()), float(cells.total.sum())
    require_some(int(total), "comparison")
    people = len(np.unique(np.concatenate([cells.first, cells.second])))
    rate = events / total
    variance = _robust_variance(cells)
    effective = effective_number(rate, total, variance, people, confidence)
    alike = variance < 1e-6 * rate * (1 - rate) / total  # everybody has the same rate: nothing to resample
    if min(events, total - events) < FEW or people < 3 or alike:
        low, high = clopper_pearson(rate * effective, effective, confidence)
        method = "exact"
    else:
        low, high = _resampled(cells, variance, people, confidence, seed)
        method = "people resampled"
    return RateInterval(rate, low, high, round(events), round(total), effective, method)


def effective_number(
    rate: float, total: float, variance: float, people: int, confidence: float = CONFIDENCE
) -> float:
    """Independent comparisons that would show a rate this well: p (1 - p) / variance, at most `total`.

    (Korn & Graubard 1998, with their factor for few clusters.) With no event at all, `total`.
    """
    if rate <= 0.0 or rate >= 1.0 or variance <= 0.0:
        return total
    z, t = _factors(people, confidence)
    return min(total, rate * (1 - rate) / variance * (z / t) ** 2)


def _factors(people: int, confidence: float) -> tuple[float, float]:
    upper = (1 + confidence) / 2
    return normal_quantile(upper), student_quantile(upper, max(people - 1, 1))


def _robust_variance(cells: Cells) -> float:
    """Variance of the rate, whatever correlation shared people bring. >= 0."""
    total = cells.total.sum()
    residual = cells.events - cells.events.sum() / total * cells.total
    alone = cells.first == cells.second
    size = int(max(cells.first.max(), cells.second.max())) + 1
    of_person = np.bincount(cells.first, residual, size)
    of_person += np.bincount(cells.second[~alone], residual[~alone], size)
    counted_twice = np.sum(residual[~alone] ** 2)
    people = int(np.count_nonzero(np.bincount(np.concatenate([cells.first, cells.second]))))
    correction = people / max(people - 1, 1)
    return float(max(np.sum(of_person**2) - counted_twice, 0.0) * correction / total**2)


def _resampled(
    cells: Cells, variance: float, people: int, confidence: float, seed: int
) -> tuple[float, float]:
    rates = _resampled_rates(cells, seed)
    total = float(cells.total.sum())
    rate = float(cells.events.sum()) / total
    floor = 0.5 / total  # keeps the logit finite where a resample shows no event
    offsets = _logit(np.clip(rates, floor, 1 - floor)) - _logit(np.array(rate))
    spread = float(np.std(offsets)) * rate * (1 - rate)  # delta method: back on the rate's own scale
    least = math.sqrt(rate * (1 - rate) / total)  # what independent comparisons would leave
    z, t = _factors(people, confidence)
    scale = max(math.sqrt(variance), least) / spread * t / z if spread > 0 else 1.0
    offsets -= offsets.mean()  # people who are drawn twice shift the mean of pairs, not the truth
    low, high = np.quantile(offsets, [(1 - confidence) / 2, (1 + confidence) / 2]) * scale
    centre = float(_logit(np.array(rate)))
    return _expit(centre + float(low)), _expit(centre + float(high))


def _resampled_rates(cells: Cells, seed: int) -> Floats:
    """(R,) the rate among resampled people."""
    numbers, rows = np.unique(np.concatenate([cells.first, cells.second]), return_inverse=True)
    first, second = rows[: len(cells.first)], rows[len(cells.first) :]
    people = len(numbers)
    if people > _DENSE:
        drawn = (pair_weights(counts, first, second) for counts in people_counts(people, RESAMPLES, seed))
        sums = np.array([(weight @ cells.events, weight @ cells.total) for weight in drawn])
    else:
        counts = np.stack(list(people_counts(people, RESAMPLES, seed)))
        sums = np.stack(
            [_quadratic(counts, values, first, second) for values in (cells.events, cells.total)], axis=1
        )
    sums = sums[sums[:, 1] > 0]
    return np.asarray(sums[:, 0] / sums[:, 1], dtype=np.float64)


def _quadratic(counts: Floats, values: Floats, first: Ints, second: Ints) -> Floats:
    """(R,) sums of `values` weighted by `pair_weights` of each row of counts, as one matrix product."""
    matrix = np.zeros((counts.shape[1],) * 2)
    alone = first == second
    np.add.at(matrix, (first[~alone], second[~alone]), values[~alone])
    own = np.bincount(first[alone], values[alone], counts.shape[1])
    return np.asarray(np.einsum("rp,rp->r", counts @ matrix, counts) + counts @ own, dtype=np.float64)


def people_counts(people: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each of `people` is drawn when as many are drawn with replacement; (people,) each time."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(people, size=people), minlength=people).astype(np.float64)


def pair_weights(counts: Floats, first: Ints, second: Ints) -> Floats:
    """(P,) how often a pair is in the resample: the product of its people's counts, or the one's."""
    return np.where(first == second, counts[first], counts[first] * counts[second])


def clopper_pearson(events: float, total: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval of a binomial rate (Clopper & Pearson 1934); events and total need not be whole."""
    tail = (1 - confidence) / 2
    low = 0.0 if events <= 0 else beta_quantile(events, total - events + 1, tail)
    high = 1.0 if events >= total else beta_quantile(events + 1, total - events, 1 - tail)
    return low, high


def wilson(events: float, total: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of a binomial rate (Wilson 1927)."""
    require_some(math.ceil(total), "comparison")
    z = normal_quantile((1 + confidence) / 2)
    rate = events / total
    centre = (rate + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def expected_range(
    rate: float, effective: float, trials: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Where the rate seen in `trials` new independent comparisons will lie: wider than the interval.

    Beta-binomial prediction with Jeffreys' prior. effective: what `rate` is known from.
    """
    size = max(1, math.floor(trials))
    a, b = rate * effective + 0.5, (1 - rate) * effective + 0.5
    tail = (1 - confidence) / 2
    low, high = beta_binomial_quantiles(a, b, size, np.array([tail, 1 - tail])) / size
    return float(low), float(high)


Statistics = Callable[[Floats], Floats]
"""Figures (S,) from (P,) weights of the comparisons; NaN where one isn't defined."""


def bootstrap(
    scores: PairScores, statistics: Statistics, *, resamples: int = 400, seed: int = SEED
) -> list[tuple[float, float] | None]:
    """Percentile intervals of any figures, people resampled; None where too few resamples define one.

    Somewhat wide: see the note on pairs at the top.
    """
    numbers, rows = np.unique(np.concatenate([scores.first, scores.second]), return_inverse=True)
    first, second = rows[: len(scores)], rows[len(scores) :]
    drawn = (pair_weights(c, first, second) for c in people_counts(len(numbers), resamples, seed))
    values = np.array([statistics(weight) for weight in drawn])
    return [_middle(column[~np.isnan(column)], resamples) for column in values.T]


def _middle(values: Floats, resamples: int) -> tuple[float, float] | None:
    if len(values) < resamples / 2:
        return None
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _logit(rate: Floats) -> Floats:
    return np.log(rate) - np.log1p(-rate)


def _expit(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-value))
