"""Which of the detected faces are meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.detection.selection import FaceChoice, choose_faces
from arcface_cli.errors import FaceTooSmall, NoFace, SeveralFaces
from arcface_cli.faces import DetectedFace
from fakes import face_at

SIZE = (640, 480)
CORNER, MIDDLE, LARGE = face_at(0, 0, 50), face_at(300, 220, 40), face_at(400, 0, 120)
THREE = (CORNER, MIDDLE, LARGE)


def chosen(
    choice: FaceChoice, faces: tuple[DetectedFace, ...] = THREE, least: float = 0.0
) -> tuple[DetectedFace, ...]:
    return choose_faces(faces, choice, SIZE, least, "photo.jpg")


def test_all_means_all_in_the_detectors_order() -> None:
    assert chosen(FaceChoice.ALL) == THREE


def test_largest_goes_by_area_and_center_by_distance_from_the_middle() -> None:
    assert chosen(FaceChoice.LARGEST) == (LARGE,)
    assert chosen(FaceChoice.CENTER) == (MIDDLE,)


def test_one_face_is_taken_and_several_are_refused_with_their_number() -> None:
    assert chosen(FaceChoice.ONE, (LARGE,)) == (LARGE,)
    with pytest.raises(SeveralFaces, match=r"photo\.jpg: 3 faces"):
        chosen(FaceChoice.ONE)


def test_faces_under_the_least_size_dont_count_so_one_large_face_is_enough() -> None:
    assert chosen(FaceChoice.ONE, least=100.0) == (LARGE,)
    assert chosen(FaceChoice.CENTER, least=50.0) == (LARGE,)


@pytest.mark.parametrize("choice", list(FaceChoice))
def test_no_face_and_only_small_faces_are_different_reasons(choice: FaceChoice) -> None:
    with pytest.raises(NoFace, match=r"photo\.jpg"):
        chosen(choice, ())
    with pytest.raises(FaceTooSmall, match=r"120 pixels wide, under --min-face 121"):
        chosen(choice, least=121.0)


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 400), st.floats(1, 200)), min_size=1, max_size=8))
def test_one_face_at_most_comes_of_largest_and_center_and_it_is_one_of_those_given(
    places: list[tuple[float, float, float]],
) -> None:
    faces = tuple(face_at(*place) for place in places)
    for choice in (FaceChoice.LARGEST, FaceChoice.CENTER):
        (face,) = chosen(choice, faces)
        assert any(face is each for each in faces)
