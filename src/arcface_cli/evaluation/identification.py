"""Searching a gallery: CMC for people who are enrolled, FPIR and FNIR where some are not.

Grother, Ngan & Hanaoka, "Face Recognition Vendor Test part 2: Identification", NISTIR 8271, section 3.2;
ISO/IEC 19795-1:2021. With N subjects enrolled, R candidates looked at and threshold T:

    FPIR(N, T)    = searches for people who are not enrolled with a candidate >= T  /  all such searches
    FNIR(N, R, T) = searches whose subject is not among the first R, or is below T  /  searches for enrolled
    CMC(R)        = 1 - FNIR(N, R, no threshold)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from arcface_cli.evaluation.scores import Flags, Floats, Ints, require_some

NOBODY = -1
"""Subject row of a probe that isn't enrolled."""

_SCORES_AT_ONCE = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Q searches of a gallery of N subjects.

    own: (Q,) float64, best similarity to the probe's own subject; NaN where it isn't enrolled, or could not
    be (failure to enroll), or the probe gave no template (failure to acquire).  other: (Q,) best similarity
    to anybody else, NaN where there is none.  rank: (Q,) int64 of the own subject, equal scores counted
    against it; 0 = not found.  enrolled: (Q,) bool, whether the probe shows somebody who should be found.
    person: (Q,) int64, who is on the probe, by number.  subjects: N.
    """

    own: Floats
    other: Floats
    rank: Ints
    enrolled: Flags
    person: Ints
    subjects: int

    def __len__(self) -> int:
        return len(self.own)

    @property
    def stranger_best(self) -> Floats:
        """(U,) best similarity of every search for somebody who isn't enrolled."""
        return self.other[~self.enrolled]


def fpir(searches: Searches, threshold: float) -> float:
    """FPIR(N, T), [0, 1]. Raises NothingToCount when everybody is enrolled."""
    best = searches.stranger_best
    return float(np.count_nonzero(best >= threshold)) / require_some(
        len(best), "search for somebody who isn't enrolled"
    )


def missed(searches: Searches, threshold: float, rank: int = 1) -> Flags:
    """(M,) for each search for somebody enrolled: not among the first `rank`, or below `threshold`."""
    own, place = searches.own[searches.enrolled], searches.rank[searches.enrolled]
    return ~((place >= 1) & (place <= rank) & (own >= threshold))


def fnir(searches: Searches, threshold: float, rank: int = 1) -> float:
    """FNIR(N, R, T), [0, 1]. Raises NothingToCount when nobody searched for is enrolled."""
    misses = missed(searches, threshold, rank)
    return float(np.count_nonzero(misses)) / require_some(len(misses), "search for somebody enrolled")


def cmc(searches: Searches, ranks: int) -> Floats:
    """(ranks,) share of searches for enrolled people whose subject is among the first 1, 2, ... ranks."""
    place = searches.rank[searches.enrolled]
    total = require_some(len(place), "search for somebody enrolled")
    found = np.bincount(place[(place >= 1) & (place <= ranks)], minlength=ranks + 1)[1:]
    return np.cumsum(found) / total


def search(
    probes: NDArray[np.float32],
    gallery: NDArray[np.float32],
    subject_rows: Ints,
    own_rows: Ints,
    subjects: int,
    *,
    excluded: Ints | None = None,
) -> tuple[Floats, Floats, Ints]:
    """(own, other, rank), each (Q,): every probe against every template, a subject being its best template.

    probes: (Q, D), gallery: (T, D) unit rows.  subject_rows: (T,) in 0..subjects-1.  own_rows: (Q,), row of
    the probe's subject or `NOBODY`.  excluded: (Q,) row of a template that may not be found, or `NOBODY`.
    Memory is bounded: a block of probes at a time.
    """
    order = np.argsort(subject_rows, kind="stable")
    present, starts = np.unique(subject_rows[order], return_index=True)
    templates = gallery[order]
    columns = np.argsort(order, kind="stable")
    own = np.full(len(probes), np.nan)
    other = np.full(len(probes), np.nan)
    rank = np.zeros(len(probes), dtype=np.int64)
    if not len(gallery):
        return own, other, rank
    place = np.full(subjects + 1, NOBODY)  # the extra place is NOBODY's own
    place[present] = np.arange(len(present))
    step = max(1, _SCORES_AT_ONCE // len(gallery))
    for start in range(0, len(probes), step):
        block = slice(start, start + step)
        scores = probes[block] @ templates.T
        if excluded is not None:
            rows = np.flatnonzero(excluded[block] != NOBODY)
            scores[rows, columns[excluded[block][rows]]] = -np.inf
        best = np.maximum.reduceat(scores, starts, axis=1).astype(np.float64)
        own[block], other[block], rank[block] = _told_apart(best, place[own_rows[block]])
    return own, other, rank


def subject_scores(
    probes: NDArray[np.float32], gallery: NDArray[np.float32], subject_rows: Ints
) -> tuple[Floats, Ints]:
    """Scores (Q, S) of each probe's search for each subject's best template, and the (S,) subjects' rows.

    Everything is held at once: for a sample of probes and subjects.
    """
    order = np.argsort(subject_rows, kind="stable")
    present, starts = np.unique(subject_rows[order], return_index=True)
    best = np.maximum.reduceat(probes @ gallery[order].T, starts, axis=1)
    return best.astype(np.float64), present


def _told_apart(best: Floats, own_columns: Ints) -> tuple[Floats, Floats, Ints]:
    """Own score, best other score and rank from (B, S) scores a subject."""
    rows = np.flatnonzero(own_columns != NOBODY)
    own = np.full(len(best), np.nan)
    own[rows] = best[rows, own_columns[rows]]
    best = best.copy()
    best[rows, own_columns[rows]] = -np.inf
    rank = np.zeros(len(best), dtype=np.int64)
    rank[rows] = 1 + np.count_nonzero(best[rows] >= own[rows, np.newaxis], axis=1)
    other = best.max(axis=1)
    own[np.isneginf(own)] = np.nan
    rank[np.isnan(own)] = 0
    other[np.isneginf(other)] = np.nan
    return own, other, rank


def with_distractors(
    searches: Searches, probes: NDArray[np.float32], distractors: NDArray[np.float32], sizes: list[int]
) -> list[Searches]:
    """The same searches in galleries that hold 1..sizes[i] distractors more, one template each.

    MegaFace's protocol (Kemelmacher-Shlizerman et al., CVPR 2016, section 4.3).  probes: (Q, D), zero rows
    for probes without template.  sizes: ascending, at most len(distractors).
    """
    best = np.full(len(searches), -np.inf)
    ahead = np.zeros(len(searches), dtype=np.int64)
    blank = ~np.any(probes, axis=1)
    found, begun = [], 0
    for size in sizes:
        for start in range(begun, size, 4096):
            scores = (probes @ distractors[start : min(start + 4096, size)].T).astype(np.float64)
            best = np.maximum(best, scores.max(axis=1))
            ahead += np.count_nonzero(scores >= searches.own[:, np.newaxis], axis=1)
        begun = max(begun, size)
        other = np.where(blank, searches.other, np.fmax(searches.other, best))
        other[np.isneginf(other)] = np.nan
        rank = np.where(searches.rank > 0, searches.rank + ahead, 0)
        found.append(replace(searches, other=other, rank=rank, subjects=searches.subjects + size))
    return found
