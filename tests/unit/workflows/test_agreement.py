"""Whether photographs that are enrolled as one person look like one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.errors import NoFace
from arcface_cli.faces import Done, Skipped
from arcface_cli.results import EnrolledPhoto
from arcface_cli.workflows.agreement import (
    FAR_BELOW,
    KEPT_OF_ONE,
    Agreement,
    Disagreement,
    largest_group,
)
from fakes import face_at, seen_faces

THRESHOLD = 0.5


def people(*counts: int) -> NDArray[np.float32]:
    """Unit rows: so many of each person; of one person equal, of two at right angles."""
    return np.repeat(np.eye(max(len(counts), 2), dtype=np.float32)[: len(counts)], counts, axis=0)


def agreement_of(features: NDArray[np.float32], subject: str = "photos") -> Agreement:
    agreement = Agreement()
    for feature in features:
        agreement.note(Done(EnrolledPhoto(seen_faces([face_at()], feature[None]), subject, 1)))
    return agreement


@pytest.mark.parametrize("counts", [(1, 1), (1, 1, 1), (2, 1), (4, 4), (5, 5, 2), (1,) * 12])
def test_a_folder_of_several_people_is_told(counts: tuple[int, ...]) -> None:
    (found,) = agreement_of(people(*counts)).disagreements(THRESHOLD)
    assert found == Disagreement("photos", max(counts), sum(counts))


@pytest.mark.parametrize("counts", [(1,), (2,), (9,), (3, 1), (5, 1, 1), (8, 2)])
def test_a_person_with_few_odd_photographs_is_not(counts: tuple[int, ...]) -> None:
    assert agreement_of(people(*counts)).disagreements(THRESHOLD) == []


def test_people_are_judged_one_by_one() -> None:
    agreement = agreement_of(people(4), "ada")
    for feature in people(1, 1):
        agreement.note(Done(EnrolledPhoto(seen_faces([face_at()], feature[None]), "mixed", 1)))
    agreement.note(Skipped(NoFace("none")))
    assert [each.subject for each in agreement.disagreements(THRESHOLD)] == ["mixed"]


def test_no_more_than_some_photographs_of_one_person_are_held_back() -> None:
    features = people(KEPT_OF_ONE, 3 * KEPT_OF_ONE)
    assert agreement_of(features).disagreements(THRESHOLD) == []


def test_photographs_that_hang_together_by_others_are_one_group() -> None:
    angles = np.linspace(0, np.pi, 8)
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert largest_group(features, FAR_BELOW * THRESHOLD) == 8


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_the_largest_group_is_the_person_with_most_photographs(counts: list[int]) -> None:
    features = people(*counts)
    order = np.random.default_rng(len(counts)).permutation(len(features))
    assert largest_group(features[order], 0.5) == max(counts)
