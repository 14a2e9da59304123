"""Error rates of one-to-one comparison, as ISO/IEC 19795-1:2021 defines them.

A comparison matches when its similarity reaches the threshold. One that could not be made (NaN: a
photograph without a face) doesn't match, and is counted: leaving it out would reward a system for skipping
hard pictures.

    FMR(t)  = |{impostor >= t}| / |impostor|        FNMR(t) = 1 - |{genuine >= t}| / |genuine|
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from arcface_cli.errors import UnsupportedRate
from arcface_cli.evaluation.scores import Floats, require_some

RULE_OF_THREE = 3.0
"""No event in n trials: with 95 % confidence the rate is under 3/n (Hanley & Lippman-Hand 1983)."""

NEVER = math.inf
"""A threshold that nothing reaches."""


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCurve:
    """FMR against FNMR: a DET curve, or with 1 - FNMR a ROC curve.

    threshold: (T,) descending, `NEVER` first.  fmr: (T,) ascending.  fnmr: (T,) descending.
    """

    threshold: Floats
    fmr: Floats
    fnmr: Floats


def fmr(impostor: Floats, threshold: float) -> float:
    """False match rate, [0, 1]. Raises NothingToCount without impostors."""
    return float(np.count_nonzero(impostor >= threshold)) / require_some(len(impostor), "impostor comparison")


def fnmr(genuine: Floats, threshold: float) -> float:
    """False non-match rate, [0, 1]. Raises NothingToCount without genuine comparisons."""
    total = require_some(len(genuine), "genuine comparison")
    return float(total - np.count_nonzero(genuine >= threshold)) / total


def error_curve(genuine: Floats, impostor: Floats) -> ErrorCurve:
    """Both rates at every threshold that makes a difference. Raises NothingToCount."""
    genuines = require_some(len(genuine), "genuine comparison")
    impostors = require_some(len(impostor), "impostor comparison")
    seen = np.concatenate([genuine, impostor])
    values = np.unique(seen[~np.isnan(seen)])[::-1]
    return ErrorCurve(
        np.concatenate([[NEVER], values]),
        np.concatenate([[0.0], _reaching(impostor, values) / impostors]),
        np.concatenate([[1.0], 1.0 - _reaching(genuine, values) / genuines]),
    )


def _reaching(scores: Floats, thresholds: Floats) -> Floats:
    """(T,) how many scores reach each threshold."""
    ascending = np.sort(scores[~np.isnan(scores)])
    return (len(ascending) - np.searchsorted(ascending, thresholds, side="left")).astype(np.float64)


def equal_error_rate(curve: ErrorCurve) -> tuple[float, float]:
    """(EER, threshold): where FMR = FNMR, the curve's corners joined by straight lines.

    Failures can keep FNMR above FMR everywhere; the last point is then as near as it gets.
    """
    gap = curve.fmr - curve.fnmr  # ascending, starts at -1
    crossing = int(np.searchsorted(gap, 0.0, side="left"))
    if crossing == len(gap):
        return float(curve.fnmr[-1]), float(curve.threshold[-1])
    before, after = gap[crossing - 1], gap[crossing]
    share = -before / (after - before)
    rate = curve.fmr[crossing - 1] + share * (curve.fmr[crossing] - curve.fmr[crossing - 1])
    return float(rate), float(curve.threshold[crossing])


def area_under_roc(curve: ErrorCurve) -> float:
    """Area under 1 - FNMR over FMR by the trapezoid rule; failures end the curve at their share."""
    return float(np.trapezoid(np.append(1.0 - curve.fnmr, 1.0 - curve.fnmr[-1]), np.append(curve.fmr, 1.0)))


def comparisons_needed(rate: float) -> int:
    """How many independent impostor comparisons a rate needs by the rule of three. rate: (0, 1]."""
    return math.ceil(RULE_OF_THREE / rate * (1 - 1e-12))


def require_support(rate: float, comparisons: int, what: str = "impostor comparisons") -> None:
    """Raise UnsupportedRate, saying how many would be needed, when `comparisons` can't show `rate`."""
    needed = comparisons_needed(rate)
    if comparisons < needed:
        least = RULE_OF_THREE / max(comparisons, 1)
        raise UnsupportedRate(
            f"a rate of {rate:g} can't be told from {comparisons:,} {what}: "
            f"by the rule of three it takes {needed:,}",
            hint="bring more people" + (f", or ask for a rate of {least:.1g} or more" if least < 1 else ""),
        )


def threshold_at_fmr(impostor: Floats, target: float) -> float:
    """The smallest threshold at which FMR <= `target`; the number next above an impostor's score.

    Raises UnsupportedRate, and NothingToCount without impostors.
    """
    total = require_some(len(impostor), "impostor comparison")
    require_support(target, total)
    allowed = math.floor(target * total + 1e-9)
    scores = np.sort(impostor[~np.isnan(impostor)])[::-1]
    return -1.0 if allowed >= len(scores) else float(np.nextafter(scores[allowed], math.inf))


def true_accept_rate(genuine: Floats, impostor: Floats, target: float) -> tuple[float, float]:
    """(TAR, threshold): 1 - FNMR at the smallest threshold with FMR <= `target`. Raises as above."""
    threshold = threshold_at_fmr(impostor, target)
    return 1.0 - fnmr(genuine, threshold), threshold
