"""Which of the detected faces are meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.detection.selection import FaceChoice, choose_faces
from arcface_cli.errors import NoFace, SeveralFaces
from arcface_cli.faces import DetectedFace
from fakes import face_at

SIZE = (640, 480)
CORNER, MIDDLE, LARGE = face_at(0, 0, 50), face_at(300, 220, 40), face_at(400, 0, 120)
THREE = (CORNER, MIDDLE, LARGE)


def chosen(choice: FaceChoice, faces: tuple[DetectedFace, ...] = THREE) -> tuple[DetectedFace, ...]:
    return choose_faces(faces, choice, SIZE, "photo.jpg")


def test_all_means_all_in_the_detectors_order() -> None:
    assert chosen(FaceChoice.ALL) == THREE


def test_largest_goes_by_area_and_center_by_distance_from_the_middle() -> None:
    assert chosen(FaceChoice.LARGEST) == (LARGE,)
    assert chosen(FaceChoice.CENTER) == (MIDDLE,)


def test_one_face_is_taken_and_several_are_refused_with_their_number() -> None:
    assert chosen(FaceChoice.ONE, (LARGE,)) == (LARGE,)
    with pytest.raises(SeveralFaces, match=r"photo\.jpg: 3 faces"):
        chosen(FaceChoice.ONE)


@pytest.mark.parametrize("choice", list(FaceChoice))
def test_without_a_face_there_is_nothing_to_choose(choice: FaceChoice) -> None:
    with pytest.raises(NoFace, match=r"photo\.jpg"):
        chosen(choice, ())


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 400), st.floats(1, 200)), min_size=1, max_size=8))
def test_one_face_at_most_comes_of_largest_and_center_and_it_is_one_of_those_given(
    places: list[tuple[float, float, float]],
) -> None:
    faces = tuple(face_at(*place) for place in places)
    for choice in (FaceChoice.LARGEST, FaceChoice.CENTER):
        (face,) = chosen(choice, faces)
        assert any(face is each for each in faces)
