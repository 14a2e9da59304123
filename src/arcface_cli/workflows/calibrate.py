"""`calibrate`: photographs of known people, and of strangers -> the threshold for a wanted error rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import NothingToCount
from arcface_cli.evaluation.calibration import (
    Calibration,
    ComparisonPoint,
    SearchPoint,
    StrangerSearches,
    fmr_curve,
    fmr_interval,
    for_fmr,
    for_fpir,
    measured_point,
)
from arcface_cli.evaluation.identification import NOBODY, search, subject_scores
from arcface_cli.evaluation.scores import Ints, PairScores
from arcface_cli.workflows.evaluate import numbered

MOST_PHOTOGRAPHS = 2_800
"""Photographs whose pairs are all compared (four million); of more, so many are drawn."""

MOST_SUBJECTS = 2_000
"""Subjects and searches whose scores a tail is fitted to; of more, so many are drawn."""

SEED = 20261101


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Templates with the person on each: (N, D) float32 unit rows, and N names."""

    features: NDArray[np.float32]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """A gallery: (T, D) float32 unit rows, (T,) row of each one's subject in `subjects`."""

    features: NDArray[np.float32]
    subject_rows: Ints
    subjects: tuple[str, ...]

    @property
    def size(self) -> int:
        """Subjects that have a template."""
        return len(np.unique(self.subject_rows))


@dataclass(frozen=True, slots=True)
class Origin:
    """What a calibration is of, for who reads it later."""

    date: str
    data: str
    model: str
    model_name: str | None
    detector: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The calibration, and the two most alike people of different names: one person, perhaps?"""

    calibration: Calibration
    alike: tuple[str, str, float]


def enrolled_from(people: Labelled) -> Enrolled:
    """The people themselves as a gallery, where there is none yet."""
    subjects = tuple(sorted(set(people.names)))
    return Enrolled(people.features, numbered(people.names), subjects)


def calibrate(
    people: Labelled, gallery: Enrolled, *, fmr: float | None, fpir: float | None, size: int, origin: Origin
) -> Found:
    """The threshold for an FMR, or for an FPIR in a gallery of `size` subjects; give one of the two.

    Raises UnsupportedRate when the data can't show the rate, NothingToCount with one person only.
    """
    scores, first, second = impostor_scores(people)
    searches = stranger_searches(people, gallery)
    found: SearchPoint | None
    if fpir is not None:
        found = for_fpir(searches, fpir, size)
        seen = fmr_interval(scores, found.threshold)
        pair = ComparisonPoint(found.threshold, seen.rate, (seen.low, seen.high), seen.total)
    elif fmr is not None:
        pair = for_fmr(scores, fmr)
        same_size = size <= searches.subjects * 1.1 and len(searches.best) > 0
        found = measured_point(searches, pair.threshold, size) if same_size else None
    else:
        raise ValueError("calibrate needs a target")
    calibration = Calibration(
        date=origin.date,
        data=origin.data,
        target="fmr" if fpir is None else "fpir",
        target_rate=fpir if fpir is not None else float(fmr or 0.0),
        threshold=pair.threshold,
        fmr=pair.fmr,
        fmr_interval=pair.interval,
        fpir=None if found is None else found.fpir,
        fpir_interval=None if found is None else found.interval,
        fpir_expected=None if found is None else found.expected,
        subjects=size,
        people=len(set(people.names)),
        photographs=len(people.names),
        impostor_comparisons=pair.comparisons,
        searches=len(searches.best),
        extrapolated=found is not None and found.extrapolated,
        p_value=None if found is None else found.p_value,
        model=origin.model,
        model_name=origin.model_name,
        detector=origin.detector,
        curve=fmr_curve(scores.impostor_similarity),
    )
    top = int(np.argmax(scores.similarity))
    alike = people.names[first[top]], people.names[second[top]], float(scores.similarity[top])
    return Found(calibration, alike)


def impostor_scores(people: Labelled) -> tuple[PairScores, Ints, Ints]:
    """All impostor pairs of the photographs (of a sample, where there are many), and the places of both.

    Raises NothingToCount with one person only.
    """
    if len(set(people.names)) < 2:
        raise NothingToCount(
            "all photographs show one person: there is no impostor pair", hint="add photographs of others"
        )
    chosen = _sample(len(people.names), MOST_PHOTOGRAPHS)
    features, numbers = people.features[chosen], numbered(people.names)[chosen]
    first, second = np.triu_indices(len(chosen), 1)
    apart = numbers[first] != numbers[second]
    first, second = first[apart].astype(np.int64), second[apart].astype(np.int64)
    similarity = (features @ features.T)[first, second].astype(np.float64).clip(-1.0, 1.0)
    flags = np.zeros(len(first), dtype=bool)
    scores = PairScores(similarity, flags, numbers[first], numbers[second])
    return scores, chosen[first], chosen[second]


def stranger_searches(people: Labelled, gallery: Enrolled) -> StrangerSearches:
    """Every photograph searched for, its own subject left out: what a search for a stranger finds.

    Photographs of people who aren't enrolled count the same as those of people who are.
    """
    rows = {name: row for row, name in enumerate(gallery.subjects)}
    own = np.array([rows.get(name, NOBODY) for name in people.names], dtype=np.int64)
    _, other, _ = search(people.features, gallery.features, gallery.subject_rows, own, len(gallery.subjects))
    everybody = numbered([*people.names, *gallery.subjects])
    person, subject = everybody[: len(own)], everybody[len(own) :]
    usable = ~np.isnan(other)
    strangers = bool((own == NOBODY).any())
    score, whose, of = _single_scores(people, gallery, own)
    return StrangerSearches(
        other[usable],
        person[usable],
        gallery.size - (0 if strangers else 1),
        score,
        person[whose],
        subject[of],
    )


def _single_scores(people: Labelled, gallery: Enrolled, own: Ints) -> tuple[NDArray[np.float64], Ints, Ints]:
    """Scores of probes against single subjects, the probe and the subject of each; own ones left out."""
    probes = _sample(len(own), MOST_SUBJECTS)
    present = np.unique(gallery.subject_rows)
    wanted = present[_sample(len(present), MOST_SUBJECTS)]
    templates = np.flatnonzero(np.isin(gallery.subject_rows, wanted))
    if not len(templates):
        return np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
    scores, subjects = subject_scores(
        people.features[probes], gallery.features[templates], gallery.subject_rows[templates]
    )
    foreign = own[probes][:, np.newaxis] != subjects[np.newaxis]
    row, column = np.nonzero(foreign)
    return scores[foreign], probes[row], subjects[column]


def _sample(count: int, most: int) -> Ints:
    """All of 0..count-1, or `most` of them drawn, ascending."""
    if count <= most:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(SEED).choice(count, most, replace=False)).astype(np.int64)
