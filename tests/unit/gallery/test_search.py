"""The k most similar subjects, against a plain loop over all templates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arcface_cli.decision import Candidate
from arcface_cli.errors import GalleryModelMismatch
from arcface_cli.faces import TemplateBatch
from arcface_cli.gallery.entries import Snapshot
from arcface_cli.gallery.faiss_index import FaissIndex
from arcface_cli.gallery.search import Fusion, SubjectSearch
from gallery_samples import DIMENSION, FINGERPRINT, OTHER_FINGERPRINT, batch, snapshot_of, units


def oracle(probe: np.ndarray, snapshot: Snapshot, k: int, fusion: Fusion) -> list[tuple[str, float, int]]:
    """(subject, similarity, nearest template id) by looking at every template of everybody."""
    people = []
    for row in sorted(set(snapshot.subject_rows.tolist())):
        places = np.flatnonzero(snapshot.subject_rows == row)
        scores = (snapshot.features[places].astype(float) @ probe.astype(float)).astype(np.float32)
        nearest = int(snapshot.template_ids[places[np.argmax(scores)]])
        score = float(scores.max() if fusion is Fusion.MAX else scores.mean(dtype=float))
        tie = nearest if fusion is Fusion.MAX else int(snapshot.template_ids[places[0]])
        people.append((-score, tie, snapshot.subjects[row], nearest))
    return [(name, -score, nearest) for score, _, name, nearest in sorted(people)[:k]]


def assert_like_the_oracle(
    found: list[Candidate], probe: np.ndarray, snapshot: Snapshot, k: int, fusion: Fusion
) -> None:
    expected = oracle(probe, snapshot, k, fusion)
    assert [c.rank for c in found] == list(range(1, len(expected) + 1))
    assert [(c.subject, c.template_id) for c in found] == [(name, nearest) for name, _, nearest in expected]
    np.testing.assert_allclose([c.similarity for c in found], [s for _, s, _ in expected], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    subjects=st.integers(1, 12),
    templates=st.integers(1, 120),
    skew=st.sampled_from([0.0, 2.0]),
    k=st.integers(1, 15),
    fusion=st.sampled_from(Fusion),
    index_factory=st.sampled_from([None, FaissIndex]),
)
def test_subjects_come_as_a_look_at_every_template_would_order_them(
    seed: int,
    subjects: int,
    templates: int,
    skew: float,
    k: int,
    fusion: Fusion,
    index_factory: type[FaissIndex] | None,
) -> None:
    rng = np.random.default_rng(seed)
    weights = np.exp(-skew * np.arange(subjects))
    snapshot = snapshot_of(
        units(seed, templates), rng.choice(subjects, size=templates, p=weights / weights.sum()).tolist()
    )
    search = SubjectSearch(snapshot) if index_factory is None else SubjectSearch(snapshot, index_factory)
    probes = units(seed + 1, 3)
    for probe, found in zip(probes, search.search_subjects(batch(probes), k, fusion), strict=True):
        assert_like_the_oracle(found, probe, snapshot, k, fusion)


@pytest.mark.parametrize("index_factory", [None, FaissIndex])
def test_a_subject_with_hundreds_of_templates_hides_nobody(index_factory: type[FaissIndex] | None) -> None:
    probe = units(1, 1)
    near = probe + 0.01 * units(2, 900)
    near = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    snapshot = snapshot_of(np.concatenate([near, units(3, 4)]), [0] * 900 + [1, 2, 3, 4])
    search = SubjectSearch(snapshot) if index_factory is None else SubjectSearch(snapshot, index_factory)
    (found,) = search.search_subjects(batch(probe), 3)
    assert len(found) == 3
    assert_like_the_oracle(found, probe[0], snapshot, 3, Fusion.MAX)


def test_the_same_vector_under_two_names_is_ordered_by_template_id() -> None:
    probe = units(1, 1)
    snapshot = snapshot_of(np.concatenate([probe, probe, probe]), [2, 0, 1])
    search = SubjectSearch(snapshot)
    for fusion in Fusion:
        (found,) = search.search_subjects(batch(probe), 3, fusion)
        assert [(c.subject, c.template_id) for c in found] == [("s2", 11), ("s0", 12), ("s1", 13)]


def test_mean_and_max_can_disagree() -> None:
    axes = np.eye(DIMENSION, dtype=np.float32)
    close = np.float32(np.sqrt(0.5)) * (axes[0] + axes[1])
    snapshot = snapshot_of(np.stack([axes[0], axes[2], close]), [0, 0, 1])
    search = SubjectSearch(snapshot)
    probe = batch(axes[:1])
    assert search.search_subjects(probe, 1, Fusion.MAX)[0][0].subject == "s0"
    assert search.search_subjects(probe, 1, "mean") == search.search_subjects(probe, 1, Fusion.MEAN)
    (best,) = search.search_subjects(probe, 1, Fusion.MEAN)[0]
    assert best.subject == "s1"
    assert best.similarity == pytest.approx(np.sqrt(0.5), abs=1e-6)


def test_a_similarity_never_leaves_its_range() -> None:
    features = units(1, 50) * np.float32(1.0009)
    for found in SubjectSearch(snapshot_of(features, range(50))).search_subjects(batch(features), 1):
        assert found[0].similarity == 1.0


def test_nobody_is_found_in_an_empty_gallery() -> None:
    empty = snapshot_of(np.empty((0, DIMENSION), np.float32), [])
    for fusion in Fusion:
        assert SubjectSearch(empty).search_subjects(batch(units(1, 2)), 5, fusion) == [[], []]


def test_no_probes_get_no_answers() -> None:
    search = SubjectSearch(snapshot_of(units(1, 4), [0, 1, 2, 3]))
    for fusion in Fusion:
        assert search.search_subjects(batch(np.empty((0, DIMENSION), np.float32)), 2, fusion) == []


def test_a_subject_without_templates_is_no_candidate() -> None:
    snapshot = snapshot_of(units(1, 2), [0, 2])
    search = SubjectSearch(snapshot)
    assert len(search) == 2
    for fusion in Fusion:
        names = {c.subject for c in search.search_subjects(batch(units(2, 1)), 5, fusion)[0]}
        assert names == {"s0", "s2"}


def test_probes_of_another_model_are_refused() -> None:
    search = SubjectSearch(snapshot_of(units(1, 2), [0, 1]))
    with pytest.raises(GalleryModelMismatch) as caught:
        search.search_subjects(TemplateBatch(units(2, 1), OTHER_FINGERPRINT), 1)
    assert FINGERPRINT.short in caught.value.message


def test_no_candidates_at_all_is_no_question() -> None:
    with pytest.raises(ValueError, match="k must be"):
        SubjectSearch(snapshot_of(units(1, 2), [0, 1])).search_subjects(batch(units(2, 1)), 0)
