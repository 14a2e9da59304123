"""Quantiles of the few distributions that intervals need, without SciPy.

Beta through its continued fraction (DLMF 8.17.22), quantiles by bisection; all to about 1e-12.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from arcface_cli.evaluation.scores import Floats

_TINY = 1e-300


def normal_quantile(probability: float) -> float:
    """Standard normal quantile."""
    return NormalDist().inv_cdf(probability)


def beta_cdf(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function I_x(a, b), a, b > 0."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side
        return 1.0 - beta_cdf(b, a, 1.0 - x)
    front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's method for the continued fraction of I_x(a, b)."""
    c, d = 1.0, 1.0 / _off_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 20_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _off_zero(1.0 + term * d)
            c = _off_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _off_zero(value: float) -> float:
    return _TINY if abs(value) < _TINY else value


def beta_quantile(a: float, b: float, probability: float) -> float:
    """x with I_x(a, b) = `probability`. Bisected on log x, so that tiny rates keep their digits."""
    low, high = -745.0, 0.0
    for _ in range(80):
        middle = (low + high) / 2
        if beta_cdf(a, b, math.exp(middle)) < probability:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def student_quantile(probability: float, freedom: float) -> float:
    """Student's t quantile for `probability` > 1/2, by its relation to the beta (DLMF 8.17.23 ff.)."""
    x = beta_quantile(freedom / 2, 0.5, 2 * (1 - probability))
    return math.sqrt(freedom * (1 - x) / x)


def beta_binomial_quantiles(a: float, b: float, trials: int, probabilities: Floats) -> Floats:
    """Smallest numbers of successes in `trials` whose distribution function reaches each probability."""
    k = np.arange(trials + 1, dtype=np.float64)
    log_gamma = np.vectorize(math.lgamma)
    log_mass = (
        math.lgamma(trials + 1) - log_gamma(k + 1) - log_gamma(trials - k + 1)
        + log_gamma(k + a) + log_gamma(trials - k + b) - math.lgamma(trials + a + b)
        + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    )  # fmt: skip
    reached = np.cumsum(np.exp(log_mass))
    return np.minimum(np.searchsorted(reached, probabilities), trials).astype(np.float64)
