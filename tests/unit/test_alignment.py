"""Laying five points on the ArcFace template."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.alignment import (
    ARCFACE_TEMPLATE,
    MIN_AGREEMENT,
    alignment_error,
    refuse_landmarks,
    similarity_to_template,
)
from arcface_cli.errors import DegenerateLandmarks

ANGLES = st.floats(-np.pi, np.pi)
SCALES = st.floats(0.05, 50.0)
SHIFTS = st.floats(-5000.0, 5000.0)
POINTS = st.lists(st.floats(-2000.0, 2000.0), min_size=10, max_size=10)


def similarity(angle: float, scale: float, x: float, y: float) -> NDArray[np.float64]:
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, x], [sine, cosine, y]])


def moved(transform: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ transform[:, :2].T + transform[:, 2]


def umeyama(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Umeyama 1991 as printed, by singular value decomposition: the independent oracle."""
    mean_x, mean_y = source.mean(axis=0), target.mean(axis=0)
    x, y = source - mean_x, target - mean_y
    u, d, vt = np.linalg.svd(y.T @ x / len(x))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * signs) @ vt
    scale = (d * signs).sum() / (x**2).sum(axis=1).mean()
    return np.column_stack([scale * rotation, mean_y - scale * rotation @ mean_x])


@given(ANGLES, SCALES, SHIFTS, SHIFTS)
def test_points_moved_by_a_similarity_come_back_exactly(
    angle: float, scale: float, x: float, y: float
) -> None:
    points = moved(similarity(angle, scale, x, y), ARCFACE_TEMPLATE)
    transform = similarity_to_template(points[None])[0]
    assert np.abs(moved(transform, points) - ARCFACE_TEMPLATE).max() < 1e-6


def test_the_template_itself_needs_no_transform() -> None:
    assert similarity_to_template(ARCFACE_TEMPLATE[None])[0] == pytest.approx(np.eye(2, 3), abs=1e-12)


@given(st.lists(POINTS, min_size=1, max_size=6))
def test_a_batch_gives_what_one_by_one_gives(rows: list[list[float]]) -> None:
    points = np.array(rows).reshape(-1, 5, 2)
    together = similarity_to_template(points)
    apart = np.concatenate([similarity_to_template(each[None]) for each in points])
    assert np.array_equal(together, apart, equal_nan=True)


def test_an_empty_batch_gives_no_transforms() -> None:
    assert similarity_to_template(np.zeros((0, 5, 2))).shape == (0, 2, 3)


@given(st.integers(0, 2**32 - 1))
def test_random_points_agree_with_umeyamas_decomposition_even_where_a_reflection_would_fit_better(
    seed: int,
) -> None:
    points = np.random.default_rng(seed).normal(scale=80.0, size=(5, 2))
    assert similarity_to_template(points[None])[0] == pytest.approx(
        umeyama(points, ARCFACE_TEMPLATE), rel=1e-6, abs=1e-6
    )


@settings(deadline=None)  # the first example pays for the import
@given(st.integers(0, 2**32 - 1))
def test_faces_agree_with_scikit_image_as_insightface_uses_it(seed: int) -> None:
    transform = pytest.importorskip("skimage.transform")
    random = np.random.default_rng(seed)
    placed = moved(similarity(random.uniform(-3, 3), random.uniform(0.2, 9), 300, 200), ARCFACE_TEMPLATE)
    points = placed + random.normal(scale=2.0, size=(5, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        oracle = transform.SimilarityTransform()
        assert oracle.estimate(points, ARCFACE_TEMPLATE)
    assert similarity_to_template(points[None])[0] == pytest.approx(oracle.params[:2], rel=1e-6, abs=1e-4)


def refusals(points: NDArray[np.float64]) -> list[DegenerateLandmarks | None]:
    return refuse_landmarks(points, similarity_to_template(points), "photo.jpg")


@given(POINTS)
def test_checked_landmarks_never_give_nan(values: list[float]) -> None:
    points = np.array(values, dtype=np.float32).reshape(1, 5, 2)
    transforms = similarity_to_template(points)
    (refused,) = refuse_landmarks(points, transforms, "photo.jpg")
    assert refused is not None or np.isfinite(transforms).all()


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (np.full((5, 2), 7.0), "lie within 0.00 pixels"),
        (ARCFACE_TEMPLATE * 0.001, "pixels of one another"),
        (ARCFACE_TEMPLATE * (-1, 1), "don't form a face"),
        (ARCFACE_TEMPLATE[[4, 1, 2, 3, 0]], "don't form a face"),
    ],
    ids=["one spot", "a speck", "mirrored", "scrambled"],
)
def test_degenerate_landmarks_are_refused_by_name(points: NDArray[np.float64], reason: str) -> None:
    refused, sound = refusals(np.stack([points, ARCFACE_TEMPLATE]))
    assert refused is not None and reason in refused.message
    assert refused.message.startswith("photo.jpg: ")
    assert refused.hint is not None
    assert sound is None


@given(ANGLES, SCALES, SHIFTS, SHIFTS)
def test_a_mirrored_face_is_refused_wherever_and_however_large_it_is(
    angle: float, scale: float, x: float, y: float
) -> None:
    mirrored = moved(similarity(angle, scale, x, y), ARCFACE_TEMPLATE * (-1, 1))
    assert refusals(mirrored[None]) != [None]


def test_a_full_profile_is_still_a_face() -> None:
    turned = (ARCFACE_TEMPLATE - 56.0) * (0.25, 1.0) + (12.0, 0.0) * np.array([0, 0, 1, 0, 0])[:, None]
    assert refusals(turned[None]) == [None]
    assert MIN_AGREEMENT < 0.7


def test_points_of_another_shape_are_refused_with_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(B, 5, 2\), not \(5, 2\)"):
        similarity_to_template(ARCFACE_TEMPLATE)


def test_the_alignment_error_is_zero_for_the_template_and_one_for_a_pixel_of_shift() -> None:
    points = np.stack([ARCFACE_TEMPLATE, ARCFACE_TEMPLATE + np.array([1.0, 0.0])])
    identity = np.stack([np.eye(2, 3)] * 2)
    assert alignment_error(points, identity) == pytest.approx([0.0, 1.0])
