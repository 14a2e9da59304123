"""What lies beyond the scores that were seen: a generalised Pareto tail (peaks over threshold).

Above a high enough level u nearly any distribution's excesses follow (Pickands 1975; Balkema & de Haan 1974)

    P(X - u > y | X > u) = (1 + xi y / sigma)^(-1 / xi)

fitted by probability-weighted moments (Hosking & Wallis 1987, eq. 5-6, with shape k = -xi), which stay
sensible for the few dozen excesses that there are. It extrapolates: it can't know of look-alikes unseen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arcface_cli.errors import UnsupportedRate
from arcface_cli.evaluation.intervals import CONFIDENCE, SEED, pair_weights, people_counts
from arcface_cli.evaluation.scores import Floats, Ints

LEAST_EXCESSES = 20
TAIL_SHARE = 0.05
"""Share of the scores taken as the tail."""

RESAMPLES = 400
GOOD_FIT = 0.05
"""p-value of the fit under which the tail is said to fit badly."""


@dataclass(frozen=True, slots=True)
class Tail:
    """P(score >= t) = share * (1 + shape (t - level) / scale)^(-1 / shape) for t >= level.

    shape: xi; below 0 the tail ends, at level - scale / shape.  excesses: how many scores it is fitted to.
    p_value: of the Cramér-von Mises distance under the fitted tail; small = it fits badly.
    """

    level: float
    share: float
    shape: float
    scale: float
    excesses: int
    p_value: float | None = None

    def exceeded(self, threshold: float) -> float:
        """Share of scores that reach a threshold, which must be at or above the level."""
        return self.share * float(_survival(np.array(threshold - self.level), self.shape, self.scale))

    def threshold(self, share: float) -> float:
        """The threshold that `share` of the scores reach; `share` must be at most the tail's own."""
        if not 0.0 < share <= self.share:
            raise ValueError(f"the tail tells of shares up to {self.share:g}, not {share:g}")
        ratio = math.log(self.share / share)
        if abs(self.shape) < 1e-9:
            return self.level + self.scale * ratio
        return self.level + self.scale / self.shape * math.expm1(self.shape * ratio)


def fit_tail(scores: Floats, *, share: float = TAIL_SHARE, level: float | None = None) -> Tail:
    """Fit the highest `share` of the scores, or those above `level`.

    Raises UnsupportedRate with fewer than `LEAST_EXCESSES` of them.
    """
    chosen = float(np.quantile(scores, 1 - share)) if level is None else level
    excesses = np.sort(scores[scores > chosen]) - chosen
    if len(excesses) < LEAST_EXCESSES:
        raise UnsupportedRate(
            f"a tail needs {LEAST_EXCESSES} scores to be fitted to, but only {len(excesses)} of "
            f"{len(scores)} lie in it",
            hint="bring more people or more photographs",
        )
    shape, scale = _moments(excesses)
    return Tail(chosen, len(excesses) / len(scores), shape, scale, len(excesses))


def _moments(ascending: Floats, weights: Floats | None = None) -> tuple[float, float]:
    """(xi, sigma) by probability-weighted moments of sorted excesses, each counted `weights` times."""
    counts = np.ones(len(ascending)) if weights is None else weights
    total = counts.sum()
    below = (np.cumsum(counts) - 0.35 * counts) / total
    a0, a1 = float(counts @ ascending / total), float(counts @ ((1 - below) * ascending) / total)
    k = a0 / (a0 - 2 * a1) - 2
    return -k, 2 * a0 * a1 / (a0 - 2 * a1)


def _survival(excess: Floats, shape: float, scale: float) -> Floats:
    if abs(shape) < 1e-9:
        return np.exp(-excess / scale)
    return np.maximum(1 + shape * excess / scale, 0.0) ** (-1 / shape)


def with_goodness(tail: Tail, scores: Floats, *, simulations: int = 300, seed: int = SEED) -> Tail:
    """The tail with its p-value: how often data drawn from it fit their own tail no better (bootstrap)."""
    random = np.random.default_rng(seed)
    seen = _distance(scores[scores > tail.level] - tail.level)
    worse = 0
    for _ in range(simulations):
        uniform = random.random(tail.excesses)
        drawn = (uniform**-tail.shape - 1) * tail.scale / tail.shape if abs(tail.shape) > 1e-9 else (
            -tail.scale * np.log(uniform)
        )  # fmt: skip
        worse += _distance(drawn) >= seen
    return Tail(
        tail.level, tail.share, tail.shape, tail.scale, tail.excesses, (worse + 1) / (simulations + 1)
    )


def _distance(excesses: Floats) -> float:
    """Cramér-von Mises distance between excesses and the tail fitted to them."""
    ascending = np.sort(excesses)
    fitted = 1 - _survival(ascending, *_moments(ascending))
    count = len(excesses)
    return float(np.sum((fitted - (np.arange(1, count + 1) - 0.5) / count) ** 2) + 1 / (12 * count))


def resampled_exceedances(
    scores: Floats, first: Ints, second: Ints, tail: Tail, threshold: float, *, seed: int = SEED
) -> Floats:
    """(R,) what tails fitted to resampled people say about a threshold; each from the same level up.

    scores: (K,) of comparisons of people first[i] and second[i], both of whom are drawn anew.
    """
    numbers, rows = np.unique(np.concatenate([first, second]), return_inverse=True)
    rows_a, rows_b = rows[: len(first)], rows[len(first) :]
    beyond = np.flatnonzero(scores > tail.level)
    beyond = beyond[np.argsort(scores[beyond])]
    excesses = scores[beyond] - tail.level
    found = []
    for counts in people_counts(len(numbers), RESAMPLES, seed):
        total = pair_weights(counts, rows_a, rows_b).sum()
        weights = pair_weights(counts, rows_a[beyond], rows_b[beyond])
        if np.count_nonzero(weights) < LEAST_EXCESSES // 2:
            continue
        shape, scale = _moments(excesses, weights)
        again = Tail(tail.level, float(weights.sum() / total), shape, scale, len(excesses))
        found.append(again.exceeded(threshold))
    return np.array(found)


def percentiles(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The middle `confidence` of the values."""
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
