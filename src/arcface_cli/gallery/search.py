"""From templates to people: the k most similar subjects of each probe."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from arcface_cli.decision import Candidate, clip_similarity
from arcface_cli.errors import GalleryModelMismatch
from arcface_cli.faces import TemplateBatch
from arcface_cli.gallery.entries import Snapshot
from arcface_cli.gallery.index import Index, build_index, similarities_of
from arcface_cli.gallery.vectors import StoredVectors

IndexFactory = Callable[[StoredVectors, NDArray[np.int64]], Index]

_TEMPLATES_A_SUBJECT = 4
"""Templates asked for at first for each subject wanted, and the growth when they belong to too few."""


class Fusion(StrEnum):
    """How a subject's templates become one similarity.

    MAX: the most similar template's. MEAN: the mean over all its templates.
    """

    MAX = "max"
    MEAN = "mean"


class SubjectSearch:
    """A gallery as it stood when it was read, ready to be searched."""

    def __init__(self, snapshot: Snapshot, index_factory: IndexFactory = build_index) -> None:
        self._given = snapshot
        self._index_factory = index_factory

    @cached_property
    def _snapshot(self) -> Snapshot:
        return self._given.settled()

    def __len__(self) -> int:
        """Number of subjects that have a template."""
        return self._subject_count

    @cached_property
    def _subject_count(self) -> int:
        return int(np.count_nonzero(np.bincount(self._snapshot.subject_rows)))

    @cached_property
    def _templates(self) -> Index:
        return self._index_factory(self._snapshot.vectors, self._snapshot.template_ids)

    @cached_property
    def _grouped(self) -> _Grouped:
        return _Grouped(self._snapshot)

    @cached_property
    def _centroids(self) -> Index:
        return self._index_factory(StoredVectors(self._grouped.centroids()), self._grouped.first_ids)

    def search_subjects(
        self, probes: TemplateBatch, k: int, fusion: Fusion = Fusion.MAX
    ) -> list[list[Candidate]]:
        """The min(k, subjects) most similar subjects of each probe, best first.

        Equal similarities are ordered by template id: the nearest template's for MAX, the subject's first
        for MEAN. Raises GalleryModelMismatch for probes of another model, ValueError for k < 1.
        """
        if probes.fingerprint != self._snapshot.fingerprint:
            raise GalleryModelMismatch(
                f"the gallery was made with model {self._snapshot.fingerprint.short}, "
                f"the probes with {probes.fingerprint.short}: they can't be compared"
            )
        if k < 1:
            raise ValueError(f"k must be 1 or more, not {k}")
        if len(self) == 0:
            return [[] for _ in range(len(probes))]
        if Fusion(fusion) is Fusion.MEAN:  # a plain "mean" must not be taken for MAX
            return self._by_mean(probes.features, k)
        return self._by_max(probes.features, k)

    def _by_max(self, probes: NDArray[np.float32], k: int) -> list[list[Candidate]]:
        """Subjects in the order in which their first template appears among the most similar ones.

        A subject with hundreds of templates can fill any fixed number of them, so that number grows, for
        the probes that need it, until k subjects are seen: nobody further down can then be among them.
        """
        wanted = min(k, len(self))
        found: list[list[Candidate]] = [[] for _ in range(len(probes))]
        open_rows = np.arange(len(probes))
        template_k = wanted * _TEMPLATES_A_SUBJECT
        while len(open_rows):
            similarities, ids = self._templates.search(probes[open_rows], template_k)
            for row, scores, templates in zip(open_rows, similarities, ids, strict=True):
                found[row] = self._first_of_each_subject(scores, templates, wanted)
            open_rows = np.array([row for row in open_rows if len(found[row]) < wanted], dtype=np.int64)
            template_k *= _TEMPLATES_A_SUBJECT
        return found

    def _first_of_each_subject(
        self, similarities: NDArray[np.float32], template_ids: NDArray[np.int64], wanted: int
    ) -> list[Candidate]:
        subject_rows = self._snapshot.subject_rows[self._places(template_ids)]
        _, firsts = np.unique(subject_rows, return_index=True)
        firsts = np.sort(firsts)[:wanted]
        return [
            self._candidate(template_ids[i], subject_rows[i], similarities[i], rank)
            for rank, i in enumerate(firsts, start=1)
        ]

    def _by_mean(self, probes: NDArray[np.float32], k: int) -> list[list[Candidate]]:
        """By the similarity to the mean vector: the inner product is linear, mean(p·t) = p·mean(t)."""
        similarities, first_ids = self._centroids.search(probes, k)
        owners = self._snapshot.subject_rows[self._places(first_ids)]
        return [
            [
                self._candidate(self._nearest(probe, subject), subject, score, rank)
                for rank, (subject, score) in enumerate(zip(subjects, scores, strict=True), start=1)
            ]
            for probe, subjects, scores in zip(probes, owners, similarities, strict=True)
        ]

    def _nearest(self, probe: NDArray[np.float32], subject_row: np.int64) -> np.int64:
        """Id of the subject's template that is most similar to the probe; of equals, the first."""
        places = self._grouped.places_of(subject_row)
        scores = similarities_of(probe[np.newaxis], self._snapshot.vectors, np.zeros_like(places), places)
        nearest: np.int64 = self._snapshot.template_ids[places[np.argmax(scores)]]
        return nearest

    def _places(self, template_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(self._snapshot.template_ids, template_ids)

    def _candidate(
        self, template_id: np.int64, subject_row: np.int64, similarity: np.float32, rank: int
    ) -> Candidate:
        subject = self._snapshot.subjects[subject_row]
        return Candidate(int(template_id), subject, clip_similarity(float(similarity)), rank)


class _Grouped:
    """The templates of each subject, side by side. Subjects without templates are left out.

    Subjects come in the order of their first template, so that ties by that id need no further care.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        rows, firsts, groups, counts = np.unique(
            snapshot.subject_rows, return_index=True, return_inverse=True, return_counts=True
        )
        by_first = np.argsort(firsts)
        rank = np.empty_like(by_first)
        rank[by_first] = np.arange(len(rows))
        self._vectors = snapshot.vectors
        self._order = np.argsort(rank[groups], kind="stable")
        self._counts = counts[by_first]
        self._starts = np.cumsum(self._counts) - self._counts
        self._group_of = dict(zip(rows[by_first].tolist(), range(len(rows)), strict=True))
        self.subject_rows = rows[by_first]
        self.first_ids = snapshot.template_ids[firsts[by_first]]

    def places_of(self, subject_row: np.int64) -> NDArray[np.int64]:
        """Rows of the snapshot that hold a subject's templates, ascending."""
        group = self._group_of[int(subject_row)]
        start = self._starts[group]
        return self._order[start : start + self._counts[group]]

    def centroids(self) -> NDArray[np.float32]:
        """(S, D) float32 mean of each subject's templates; shorter than 1, and meant to be."""
        sums = np.add.reduceat(self._vectors.rows(self._order), self._starts, axis=0, dtype=np.float64)
        return (sums / self._counts[:, np.newaxis]).astype(np.float32)
