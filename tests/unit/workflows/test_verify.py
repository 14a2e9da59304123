"""Verification: an answer needs two faces; without them there is none, least of all "different"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.decision import OperatingPoint
from arcface_cli.errors import MissingFile, NoFace
from arcface_cli.faces import Done, Failed, Skipped
from arcface_cli.workflows.verify import verify
from fakes import face_at, seen_faces, unit

POINT = OperatingPoint(0.5, "option")
ADA = Done(seen_faces([face_at()], unit(1, 0, 0, 0)))
NEARLY_ADA = Done(seen_faces([face_at()], unit(4, 3, 0, 0)))
BOB = Done(seen_faces([face_at()], unit(0, 1, 0, 0)))
NOBODY = Skipped(NoFace("b.jpg: no face was found"))
GONE = Failed(MissingFile("c.jpg does not exist"))


@pytest.mark.parametrize(
    ("other", "similarity", "same"), [(ADA, 1.0, True), (NEARLY_ADA, 0.8, True), (BOB, 0.0, False)]
)
def test_the_similarity_decides(other: Done, similarity: float, same: bool) -> None:
    outcome = verify(ADA, other, POINT)
    assert isinstance(outcome, Done)
    assert outcome.value.similarity == pytest.approx(similarity)
    assert outcome.value.same_person is same


@pytest.mark.parametrize(
    ("first", "second", "told"), [(ADA, NOBODY, NOBODY), (NOBODY, GONE, NOBODY), (GONE, ADA, GONE)]
)
def test_the_first_photograph_without_a_face_decides(first: object, second: object, told: object) -> None:
    assert verify(first, second, POINT) is told  # type: ignore[arg-type]


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4),
    st.lists(st.floats(-100, 100, width=32), min_size=4, max_size=4),
)
def test_the_order_of_the_photographs_doesnt_matter_and_rounding_never_leaves_the_range(
    one: list[float], two: list[float]
) -> None:
    first = Done(seen_faces([face_at()], unit(1, *one[1:])))
    second = Done(seen_faces([face_at()], unit(*two[:3], 1)))
    there, back = verify(first, second, POINT), verify(second, first, POINT)
    assert isinstance(there, Done)
    assert isinstance(back, Done)
    assert there.value.similarity == back.value.similarity
    assert -1.0 <= there.value.similarity <= 1.0


def test_photographs_that_no_recogniser_saw_are_a_bug_of_ours() -> None:
    with pytest.raises(ValueError, match="recogniser"):
        verify(Done(seen_faces([face_at()])), ADA, POINT)
