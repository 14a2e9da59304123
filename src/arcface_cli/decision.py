"""From similarities to an answer: metrics, the operating point, match / unknown / ambiguous. NumPy only.

Inside, everything is the cosine similarity s of unit vectors, -1 to 1, higher = more alike. The user may
speak in a distance d = |x - y| instead; for unit vectors the three distances below order like s:

    d² = |x|² + |y|² - 2 x·y = 2 - 2s        d = sqrt(2 - 2s)        angle = arccos(s), here in degrees
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import pairwise
from typing import Literal

from arcface_cli.errors import InvalidThreshold

Origin = Literal["option", "environment", "config", "gallery", "catalogue", "built-in"]
"""Where a threshold came from."""


class Metric(StrEnum):
    """How a comparison score is spoken; `ANGLE` is in degrees."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"
    SQEUCLIDEAN = "sqeuclidean"
    ANGLE = "angle"

    @property
    def legal_range(self) -> tuple[float, float]:
        """Smallest and largest value that two unit vectors can have."""
        return _LEGAL_RANGES[self]

    @property
    def is_distance(self) -> bool:
        """Whether lower means more alike."""
        return self is not Metric.COSINE

    def from_similarity(self, similarity: float) -> float:
        """Value of this metric at a cosine similarity.

        Rounding can leave a similarity of unit vectors a hair outside [-1, 1]; it is clipped. NaN stays NaN.
        """
        s = clip_similarity(similarity)
        match self:
            case Metric.COSINE:
                return s
            case Metric.EUCLIDEAN:
                return math.sqrt(2.0 - 2.0 * s)
            case Metric.SQEUCLIDEAN:
                return 2.0 - 2.0 * s
            case Metric.ANGLE:
                return math.degrees(math.acos(s))

    def to_similarity(self, value: float) -> float:
        """Cosine similarity at a value of this metric; the inverse of `from_similarity`.

        Raises InvalidThreshold for NaN, infinity and values that no two unit vectors can have.
        """
        low, high = self.legal_range
        if not low <= value <= high:  # also true for NaN
            raise InvalidThreshold(
                f"{value:g} is no {self.value} {_kind(self)}: it must lie between {low:g} and {high:g}",
                hint=_HINTS[self],
            )
        match self:
            case Metric.COSINE:
                return float(value)
            case Metric.EUCLIDEAN:
                return 1.0 - value * value / 2.0
            case Metric.SQEUCLIDEAN:
                return 1.0 - value / 2.0
            case Metric.ANGLE:
                return math.cos(math.radians(value))


_LEGAL_RANGES = {
    Metric.COSINE: (-1.0, 1.0),
    Metric.EUCLIDEAN: (0.0, 2.0),
    Metric.SQEUCLIDEAN: (0.0, 4.0),
    Metric.ANGLE: (0.0, 180.0),
}

_HINTS = {
    Metric.COSINE: "a threshold is a cosine similarity unless --metric says otherwise",
    Metric.EUCLIDEAN: "a distance is euclidean unless --metric says otherwise (sqeuclidean, angle)",
    Metric.SQEUCLIDEAN: "a squared distance of unit vectors is 2 - 2 * cosine similarity",
    Metric.ANGLE: "angles are in degrees",
}


def _kind(metric: Metric) -> str:
    return "distance" if metric.is_distance else "similarity"


def clip_similarity(similarity: float) -> float:
    """Similarity without the rounding error that can carry it outside [-1, 1]. NaN stays NaN."""
    return similarity if math.isnan(similarity) else min(1.0, max(-1.0, similarity))


def similarity_threshold(
    threshold: float | None = None, max_distance: float | None = None, metric: Metric | None = None
) -> float | None:
    """Cosine similarity that the user's words stand for, or None when nothing was said.

    `threshold` speaks cosine unless `metric` says otherwise, `max_distance` speaks Euclidean.
    Raises InvalidThreshold when both are given, when a value is out of its metric's range, and when a
    distance is asked for in cosine, which is a similarity.
    """
    if threshold is not None and max_distance is not None:
        raise InvalidThreshold("--threshold and --max-distance say the same thing twice", hint="give one")
    if threshold is not None:
        return _in_similarity("--threshold", threshold, metric, Metric.COSINE)
    if max_distance is None:
        return None
    if metric is Metric.COSINE:
        raise InvalidThreshold(
            f"--max-distance {max_distance:g} can't be in --metric cosine: that is a similarity, "
            "higher = more alike",
            hint="say --threshold with cosine, or --max-distance with euclidean, sqeuclidean or angle",
        )
    return _in_similarity("--max-distance", max_distance, metric, Metric.EUCLIDEAN)


def _in_similarity(flag: str, value: float, metric: Metric | None, usual: Metric) -> float:
    """The similarity that a flag's value stands for. Raises InvalidThreshold, naming the flags."""
    try:
        return (usual if metric is None else metric).to_similarity(value)
    except InvalidThreshold as error:
        by = "" if metric is None else f" (--metric {metric.value})"
        raise InvalidThreshold(f"{flag} {error.message}{by}", hint=error.hint) from error


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold, and what is known about the errors it lets through.

    threshold: cosine similarity; at or above it two faces match.
    fmr: false match rate of one comparison, 0 to 1.  fpir: share of searches for people who are not
    enrolled that name somebody, in a gallery of `gallery_size` subjects.  impostor_comparisons: how many
    stand behind the rate.  data, model: what it was measured on.  None = not known.
    """

    threshold: float
    origin: Origin
    fmr: float | None = None
    fpir: float | None = None
    gallery_size: int | None = None
    impostor_comparisons: int | None = None
    data: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        Metric.COSINE.to_similarity(self.threshold)
        for name, rate in (("fmr", self.fmr), ("fpir", self.fpir)):
            if rate is not None and not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} is a rate between 0 and 1, not {rate}")

    def matches(self, similarity: float) -> bool:
        """Whether a similarity reaches the threshold; NaN never does."""
        return bool(clip_similarity(similarity) >= self.threshold)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One enrolled subject, and how alike the probe is.

    template_id: the subject's nearest template.  similarity: [-1, 1].  rank: 1 = most alike.
    """

    template_id: int
    subject: str
    similarity: float
    rank: int


class Verdict(Enum):
    """Answer of a search. "No usable face" is none of them: that is a skip with a reason."""

    MATCH = "match"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Decision:
    """Who is it?

    subject: set for MATCH alone.  similarity: the best candidate's, None in an empty gallery.
    margin: lead of the best subject over the runner-up, None when there is only one.
    """

    verdict: Verdict
    subject: str | None
    similarity: float | None
    margin: float | None
    candidates: tuple[Candidate, ...]


def decide(
    candidates: Sequence[Candidate], operating_point: OperatingPoint, min_margin: float = 0.0
) -> Decision:
    """Name the best candidate, or say that nobody is, or that two subjects are too close to call.

    `candidates` holds one entry a subject, most alike first; it needs the runner-up for the margin, so a
    search should ask for two subjects at least. `min_margin` is a difference of similarities, 0 to 2;
    at 0 nothing is ambiguous. Raises InvalidThreshold for another margin, ValueError for unsorted candidates.
    """
    _check_margin(min_margin)
    _check_order(candidates)
    if not candidates:
        return Decision(Verdict.UNKNOWN, None, None, None, ())
    best = candidates[0]
    margin = best.similarity - candidates[1].similarity if len(candidates) > 1 else None
    verdict = _verdict(best.similarity, margin, operating_point, min_margin)
    subject = best.subject if verdict is Verdict.MATCH else None
    return Decision(verdict, subject, best.similarity, margin, tuple(candidates))


def _verdict(similarity: float, margin: float | None, point: OperatingPoint, min_margin: float) -> Verdict:
    if not point.matches(similarity):
        return Verdict.UNKNOWN
    if margin is not None and not margin >= min_margin:
        return Verdict.AMBIGUOUS
    return Verdict.MATCH


def _check_margin(min_margin: float) -> None:
    if not 0.0 <= min_margin <= 2.0:
        raise InvalidThreshold(
            f"{min_margin:g} is no margin: a difference of two similarities lies between 0 and 2"
        )


def _check_order(candidates: Sequence[Candidate]) -> None:
    if any(a.similarity < b.similarity for a, b in pairwise(candidates)):
        raise ValueError("candidates must be sorted by similarity, highest first")
    if len({candidate.subject for candidate in candidates}) != len(candidates):
        raise ValueError("candidates must hold one entry a subject")


@dataclass(frozen=True, slots=True)
class Verification:
    """Same person?  similarity: [-1, 1], or a hair outside by rounding."""

    is_same_person: bool
    similarity: float


def verify(similarity: float, operating_point: OperatingPoint) -> Verification:
    """Compare one similarity with the threshold.

    Raises ValueError for NaN: a broken computation must never read as "different persons".
    """
    if math.isnan(similarity):
        raise ValueError("a similarity of two templates can't be NaN")
    return Verification(operating_point.matches(similarity), similarity)


def fpir_of(fmr: float, subjects: int) -> float:
    """False positive identification rate to expect when `subjects` people are enrolled.

    FPIR = 1 - (1 - FMR)^N, as if the N comparisons were independent and one template stood for a subject.
    """
    if not 0.0 <= fmr <= 1.0 or subjects < 0:
        raise ValueError(f"a rate in [0, 1] and a count are needed, not {fmr} and {subjects}")
    if fmr == 1.0:
        return 1.0 if subjects else 0.0
    return -math.expm1(subjects * math.log1p(-fmr))
