"""Drawn photographs: reproducible, of the size asked for, and about as hard to code as real ones."""

from __future__ import annotations

import numpy as np

from arcface_cli.alignment import ARCFACE_TEMPLATE
from arcface_cli.imaging.geometry import encode_jpeg
from arcface_cli.imaging.synthetic import draw_photograph

NOBODY = np.zeros((0, 5, 2), np.float32)


def test_a_seed_draws_the_same_picture_and_another_seed_another() -> None:
    first, again, other = (draw_photograph(seed, 320, 200, NOBODY) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((200, 320, 3), np.uint8)
    assert (first == again).all()
    assert (first != other).mean() > 0.5


def test_its_jpeg_takes_about_what_a_photograph_takes() -> None:
    bytes_a_pixel = len(encode_jpeg(draw_photograph(1, 800, 600, NOBODY), 90)) / (800 * 600)
    assert 0.1 < bytes_a_pixel < 0.5  # a camera's: 0.2 to 0.4


def test_a_face_is_drawn_where_its_points_are_and_nowhere_else() -> None:
    points = np.add(ARCFACE_TEMPLATE, (100, 50))[np.newaxis]
    without, with_face = draw_photograph(1, 320, 200, NOBODY), draw_photograph(1, 320, 200, points)
    rows, columns = np.nonzero((without != with_face).any(axis=2))
    assert (np.abs([columns.mean(), rows.mean()] - points[0].mean(axis=0)) < 12).all()
    assert np.ptp(columns) < 112
    for x, y in points[0, :2].round().astype(int):
        assert with_face[y, x].mean() < 80  # a pupil


def test_a_face_may_leave_the_picture() -> None:
    points = (ARCFACE_TEMPLATE - (500, 0))[np.newaxis]
    assert (draw_photograph(1, 64, 64, points) == draw_photograph(1, 64, 64, NOBODY)).all()
