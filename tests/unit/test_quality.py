"""How good a face is: numbers that follow what was done to the picture, and limits that say why not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.alignment import ARCFACE_TEMPLATE, similarity_to_template
from arcface_cli.errors import FaceError
from arcface_cli.faces import AlignedFaces, DetectedFace, FaceQuality, FivePoints
from arcface_cli.quality import (
    BOTTOM,
    ENROLMENT_GATES,
    HEAD_MODEL,
    LEFT,
    RIGHT,
    TOP,
    QualityGates,
    head_pose,
    measure,
)
from fakes import face_at

PICTURE = (112, 112)
GOOD = FaceQuality(size=120.0, sharpness=800.0, yaw=5.0, pitch=0.0, roll=0.0, dark=0.01, bright=0.0)


def noise(seed: int = 0) -> NDArray[np.uint8]:
    """A crop with edges everywhere, neither dark nor bright."""
    return np.random.default_rng(seed).integers(60, 200, (112, 112, 3), dtype=np.uint8)


def measured(crop: NDArray[np.uint8], transform: NDArray[np.float64] | None = None) -> FaceQuality:
    transforms = np.eye(2, 3)[None] if transform is None else transform[None]
    (quality,) = measure(AlignedFaces(crop[None], transforms), [face_at(0, 0)], PICTURE)
    return quality


def seen(yaw: float, pitch: float, roll: float, scale: float = 40.0) -> NDArray[np.float64]:
    """(1, 5, 2): the mean head, turned and seen by a distant camera."""
    y, p, r = np.radians([yaw, pitch, roll])
    around_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    around_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    around_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turned = HEAD_MODEL @ (around_z @ around_x @ around_y).T
    return turned[None, :, :2] * scale + (200.0, 100.0)


# --- pose ---------------------------------------------------------------------------------------


@given(st.floats(-89, 89), st.floats(-60, 60), st.floats(-179, 179), st.floats(5, 500))
def test_a_turned_head_gives_back_its_angles_at_any_size_and_place(
    yaw: float, pitch: float, roll: float, scale: float
) -> None:
    assert np.allclose(head_pose(seen(yaw, pitch, roll, scale)), [[yaw, pitch, roll]], atol=1e-6)


def test_angles_have_the_signs_that_the_docs_state() -> None:
    frontal = ARCFACE_TEMPLATE.copy()
    to_the_right, upwards = frontal.copy(), frontal.copy()
    to_the_right[2, 0] += 10
    upwards[2, 1] -= 10
    assert abs(head_pose(frontal[None])[0, 0]) < 3
    assert head_pose(to_the_right[None])[0, 0] > 15
    assert head_pose(upwards[None])[0, 1] > head_pose(frontal[None])[0, 1] + 10


def test_heads_are_posed_row_by_row_and_none_is_none() -> None:
    heads = np.concatenate([seen(30, 0, 0), seen(-50, 5, 10)])
    assert np.allclose(head_pose(heads)[:, 0], [30, -50])
    assert head_pose(np.zeros((0, 5, 2))).shape == (0, 3)


# --- surface ------------------------------------------------------------------------------------


def test_sharpness_is_the_variance_of_the_laplacian_of_the_crops_luma() -> None:
    crop = noise()
    weights = np.array([29, 150, 77])
    luma = ((crop.astype(int) @ weights + 128) >> 8).astype(np.float64)
    expected = cv2.Laplacian(luma, cv2.CV_64F)[TOP:BOTTOM, LEFT:RIGHT].var()
    assert measured(crop).sharpness == pytest.approx(expected)


def test_the_more_a_crop_is_blurred_the_less_sharp_it_is() -> None:
    blurred = [cv2.GaussianBlur(noise(), (0, 0), sigma).astype(np.uint8) for sigma in (0.5, 1, 2, 4)]
    values = [measured(crop).sharpness for crop in (noise(), *blurred)]
    assert values == sorted(values, reverse=True)
    assert measured(np.full((112, 112, 3), 90, np.uint8)).sharpness == 0.0


def test_dark_and_bright_are_shares_of_the_measured_part() -> None:
    crop = np.full((112, 112, 3), 128, np.uint8)
    crop[TOP : TOP + 18, LEFT:RIGHT] = 5
    crop[BOTTOM - 36 : BOTTOM, LEFT:RIGHT] = 255
    quality = measured(crop)
    assert (quality.dark, quality.bright) == (0.25, 0.5)


def test_hair_and_background_play_no_part() -> None:
    crop = noise()
    surrounded = np.zeros_like(crop)
    surrounded[TOP - 1 : BOTTOM + 1, LEFT - 1 : RIGHT + 1] = crop[TOP - 1 : BOTTOM + 1, LEFT - 1 : RIGHT + 1]
    assert measured(surrounded) == measured(crop)


def test_black_beyond_the_edge_of_the_picture_is_neither_dark_nor_sharp() -> None:
    crop = np.full((112, 112, 3), 128, np.uint8)
    crop[:, 60:] = 0
    beyond = np.array([[1.0, 0, -52.0], [0, 1.0, 0]])  # the picture ends at column 59 of the crop
    quality = measured(crop, beyond)
    assert (quality.sharpness, quality.dark) == (0.0, 0.0)
    assert measured(crop).dark > 0.4


def test_a_face_wholly_beyond_the_picture_is_dark_and_without_any_detail() -> None:
    far_away = np.array([[1.0, 0, -500.0], [0, 1.0, 0]])
    quality = measured(np.zeros((112, 112, 3), np.uint8), far_away)
    assert (quality.sharpness, quality.dark, quality.bright) == (0.0, 1.0, 0.0)


@given(st.integers(0, 2**32 - 1), st.floats(-400, 400), st.floats(-400, 400), st.floats(0.05, 8))
def test_any_crop_at_any_place_has_finite_numbers(seed: int, x: float, y: float, scale: float) -> None:
    crop = np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    face = face_at(x, y, 112 * scale)
    transforms = similarity_to_template(face.points.array[None])
    (quality,) = measure(AlignedFaces(crop[None], transforms), [face], PICTURE)
    assert quality.sharpness >= 0
    assert quality.size == pytest.approx(112 * scale, abs=1e-3)


def test_every_face_needs_its_crop() -> None:
    nothing = AlignedFaces(np.zeros((0, 112, 112, 3), np.uint8), np.zeros((0, 2, 3)))
    assert measure(nothing, [], PICTURE) == ()
    with pytest.raises(ValueError, match="1 faces need as many crops, not 0"):
        measure(nothing, [face_at()], PICTURE)


# --- gates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("poor", "code", "said"),
    [
        ({"sharpness": 12.4}, "face_blurred", "sharpness 12, under --min-sharpness 30"),
        ({"yaw": -71.2}, "face_turned", "71 degrees, over --max-yaw 60"),
        ({"dark": 0.93}, "face_underexposed", "0.9 of it is black, over --max-dark 0.5"),
        ({"bright": 0.604}, "face_overexposed", "0.604 of it is white, over --max-bright 0.6"),
    ],
)
def test_a_poor_face_is_refused_with_the_value_the_limit_and_the_flag(
    poor: dict[str, float], code: str, said: str
) -> None:
    reason = ENROLMENT_GATES.refuse(replace(GOOD, **poor), "a.jpg")
    assert isinstance(reason, FaceError)
    assert reason.code == code
    assert reason.message.startswith("a.jpg: the face is ")
    assert said in reason.message
    assert reason.hint is not None
    assert ENROLMENT_GATES.refuse(GOOD, "a.jpg") is None


def test_small_faces_and_doubtful_detections_are_refused_before_they_are_cut() -> None:
    gates = QualityGates(min_face=40, min_detection_score=0.7)
    small, doubtful, good = face_at(side=39.6), face_at(score=0.6999), face_at(side=40, score=0.7)
    kept, refused = gates.detections([small, doubtful, good], "a.jpg")
    assert kept == (good,)
    assert [each.reason.code for each in refused] == ["face_too_small", "detection_score_low"]
    assert "39.6 pixels, under --min-face 40" in str(refused[0].reason)
    assert "0.6999, under --det-score 0.7" in str(refused[1].reason)


def test_a_value_at_its_limit_is_kept() -> None:
    at_the_limit = replace(GOOD, sharpness=30.0, yaw=-60.0, dark=0.5, bright=0.6)
    assert ENROLMENT_GATES.refuse(at_the_limit, "a.jpg") is None


def test_without_limits_anything_is_good_enough() -> None:
    awful = FaceQuality(1.0, 0.0, 179.0, 80.0, 90.0, 1.0, 0.0)
    assert QualityGates().refuse(awful, "a.jpg") is None
    assert QualityGates().refuse_detection(face_at(side=0.0, score=0.0), "a.jpg") is None


def test_a_dark_face_is_called_dark_though_it_would_read_as_blurred_too() -> None:
    reason = ENROLMENT_GATES.refuse(replace(GOOD, sharpness=3.0, dark=0.99), "a.jpg")
    assert reason is not None
    assert reason.code == "face_underexposed"


def test_shares_outside_0_to_1_and_numbers_that_are_none_are_no_quality() -> None:
    with pytest.raises(ValueError, match="shares"):
        replace(GOOD, dark=1.5)
    with pytest.raises(ValueError, match="finite"):
        replace(GOOD, sharpness=float("nan"))


def turned(face: DetectedFace, yaw: float) -> DetectedFace:
    return replace(face, points=FivePoints(seen(yaw, 0, 0)[0]))


def test_the_size_is_the_shorter_side_of_the_box_whatever_the_points_say() -> None:
    face = turned(face_at(side=50), 40)
    transforms = similarity_to_template(face.points.array[None])
    (quality,) = measure(AlignedFaces(noise()[None], transforms), [face], (400, 400))
    assert quality.size == 50.0
    assert quality.yaw == pytest.approx(40, abs=1e-3)
