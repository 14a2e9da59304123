from __future__ import annotations

import cv2
import numpy as np
import pictures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import encode_jpeg, encode_png, letterbox, limit_threads, warp


def similarity(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cosine, -sine, x], [sine, cosine, y]])


@given(st.floats(0.05, 3), st.floats(-np.pi, np.pi), st.floats(-200, 200), st.floats(-200, 200))
def test_a_crop_is_what_cv2_cuts_for_insightface(scale: float, angle: float, x: float, y: float) -> None:
    image = pictures.gradient(300, 200)
    transform = similarity(scale, angle, x, y)
    wanted = cv2.warpAffine(image, transform, (112, 112), borderValue=0.0)
    assert np.array_equal(warp(image, transform[None])[0], wanted)


def test_one_crop_a_transform_and_none_for_none() -> None:
    image = pictures.gradient(200, 200)
    crops = warp(image, np.stack([similarity(1, 0, -x, 0) for x in (0.0, 10.0, 20.0)]))
    assert crops.shape == (3, 112, 112, 3)
    assert np.array_equal(crops[1], image[:112, 10:122])
    assert warp(image, np.empty((0, 2, 3))).shape == (0, 112, 112, 3)


def test_outside_the_image_a_crop_is_black() -> None:
    white = np.full((50, 50, 3), 255, np.uint8)
    crop = warp(white, similarity(1, 0, 31, 31)[None])[0]
    assert (crop[31:81, 31:81] == 255).all()
    assert crop[:31].max() == 0 and crop[:, 81:].max() == 0
    assert warp(white, similarity(1, 0, 5000, 0)[None]).max() == 0


def test_a_picture_that_was_read_only_can_be_cut() -> None:
    image = pictures.gradient(200, 200)
    image.flags.writeable = False
    assert np.array_equal(warp(image, similarity(1, 0, 0, 0)[None])[0], image[:112, :112])


@pytest.mark.parametrize("upright", [False, True])
def test_a_panorama_longer_than_cv2_takes_is_cut_all_the_same(upright: bool) -> None:
    long = np.tile(pictures.gradient(400, 150), (1, 100, 1))
    transform = similarity(0.8, 0.3, 60, 10)
    wanted = warp(long[:, 30_000:30_400].copy(), transform[None])
    moved = transform.copy()
    moved[:, 2] -= transform[:, :2] @ [30_000, 0]
    if upright:
        long, moved = np.ascontiguousarray(long.transpose(1, 0, 2)), moved[:, [1, 0, 2]]
    crop = warp(long, moved[None])
    inside = wanted.max(axis=-1) > 0  # the short piece has black borders where the panorama goes on
    assert np.abs(crop.astype(int) - wanted.astype(int))[inside].max(initial=0) <= 1 or (
        np.mean(np.abs(crop.astype(int) - wanted.astype(int))[inside] <= 1) > 0.98
    )
    assert warp(long, similarity(1, 0, 1e7, 0)[None]).max() == 0
    assert warp(long, similarity(0.001, 0, 0, 0)[None]).shape == (1, 112, 112, 3)


@pytest.mark.parametrize("bad", [np.full((1, 2, 3), np.nan), np.zeros((2, 3)), np.zeros((1, 3, 3))])
def test_a_transform_of_the_wrong_kind_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="warp needs"):
        warp(pictures.gradient(), bad)


@given(st.integers(1, 900), st.integers(1, 900), st.integers(1, 400), st.integers(1, 400))
def test_a_letterbox_keeps_the_shape_and_tells_its_exact_scales(
    columns: int, rows: int, width: int, height: int
) -> None:
    image = np.full((rows, columns, 3), 200, np.uint8)
    canvas, scale_x, scale_y = letterbox(image, width, height)
    assert canvas.shape == (height, width, 3)
    fitted_width, fitted_height = round(scale_x * columns), round(scale_y * rows)
    assert scale_x == fitted_width / columns and scale_y == fitted_height / rows
    assert (canvas[:fitted_height, :fitted_width] == 200).all()
    assert canvas[fitted_height:].max(initial=0) == 0 and canvas[:, fitted_width:].max(initial=0) == 0
    assert fitted_width == width or fitted_height == height
    scale = min(width / columns, height / rows)
    assert abs(fitted_width - columns * scale) <= 0.5 or fitted_width == 1
    assert abs(fitted_height - rows * scale) <= 0.5 or fitted_height == 1


def test_a_picture_that_fits_already_is_not_touched() -> None:
    image = pictures.gradient(64, 48)
    canvas, scale_x, scale_y = letterbox(image, 64, 64)
    assert np.array_equal(canvas[:48], image)
    assert (scale_x, scale_y) == (1.0, 1.0)


def test_strong_shrinking_averages_instead_of_skipping_pixels() -> None:
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[:, ::8] = 255
    canvas, _, _ = letterbox(stripes, 80, 80)
    assert np.ptp(canvas) <= 1
    assert abs(int(canvas.mean()) - 32) <= 1


def test_a_letterbox_canvas_can_be_written_to_without_changing_the_picture() -> None:
    image = pictures.gradient(64, 64)
    canvas, _, _ = letterbox(image, 64, 64)
    canvas[:] = 0
    assert image.max() > 0


def test_a_png_keeps_every_pixel_and_a_jpeg_nearly() -> None:
    crop = pictures.gradient(112, 112)
    assert np.array_equal(decode(encode_png(crop)), crop)
    assert np.abs(decode(encode_jpeg(crop)).astype(int) - crop.astype(int)).mean() < 4
    assert len(encode_jpeg(crop, quality=20)) < len(encode_jpeg(crop, quality=95))


def test_threads_can_be_limited_to_one() -> None:
    before = cv2.getNumThreads()
    limit_threads(1)
    assert cv2.getNumThreads() == 1
    with pytest.raises(ValueError, match="at least 1"):
        limit_threads(0)
    limit_threads(before)
