"""Heads worked out by hand -> the boxes and points that the papers' formulas give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.detection import centerface, scrfd, yunet
from arcface_cli.detection.candidates import FaceCandidates, concatenate, grid

HEIGHT, WIDTH = 64, 96
STRIDES = (8, 16, 32)
Heads = list[NDArray[np.float32]]


def cells(stride: int) -> int:
    return (HEIGHT // stride) * (WIDTH // stride)


def empty_scrfd_heads() -> Heads:
    return [np.zeros((cells(s) * 2, k), np.float32) for k in (1, 4, 10) for s in STRIDES]


def empty_yunet_heads() -> Heads:
    return [np.zeros((1, cells(s), k), np.float32) for k in (1, 1, 4, 10) for s in STRIDES]


def empty_centerface_heads() -> Heads:
    return [np.zeros((1, k, HEIGHT // 4, WIDTH // 4), np.float32) for k in (1, 2, 2, 10)]


def test_the_grid_counts_columns_first_row_by_row() -> None:
    assert grid(64, 96, 32).tolist() == [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]]


def test_scrfd_measures_from_the_cells_corner_to_the_four_sides() -> None:
    heads = empty_scrfd_heads()
    row = (1 * 6 + 2) * 2 + 1  # stride 16: row 1, column 2, second anchor: centre (32, 16)
    heads[1][row] = 0.75
    heads[4][row] = [1.0, 0.5, 2.0, 1.5]
    heads[7][row] = [-0.5, -0.25, 0.5, -0.25, 0, 0, -0.5, 0.25, 0.5, 0.25]
    found = scrfd.decode(heads, HEIGHT, WIDTH, 0.5)
    assert found.scores.tolist() == [0.75]
    assert found.boxes.tolist() == [[16.0, 8.0, 64.0, 40.0]]
    assert found.points.tolist() == [[[24, 12], [40, 12], [32, 16], [24, 20], [40, 20]]]


def test_scrfd_heads_with_a_batch_of_one_decode_the_same() -> None:
    random = np.random.default_rng(5)
    heads = [random.uniform(0, 1, head.shape).astype(np.float32) for head in empty_scrfd_heads()]
    plain = scrfd.decode(heads, HEIGHT, WIDTH, 0.5)
    batched = scrfd.decode([head[None] for head in heads], HEIGHT, WIDTH, 0.5)
    assert len(plain) > 10
    assert np.array_equal(plain.boxes, batched.boxes)
    assert np.array_equal(plain.points, batched.points)


def test_yunet_takes_the_geometric_mean_of_class_and_object_and_a_logarithmic_size() -> None:
    heads = empty_yunet_heads()
    cell = 1 * 3 + 2  # stride 32: row 1, column 2
    heads[2][0, cell] = 0.64
    heads[5][0, cell] = 1.0
    heads[8][0, cell] = [0.5, -0.25, np.log(2.0), np.log(1.0)]
    heads[11][0, cell] = [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1]
    found = yunet.decode(heads, HEIGHT, WIDTH, 0.5)
    assert found.scores == pytest.approx([0.8])
    assert found.boxes[0] == pytest.approx([80 - 32, 24 - 16, 80 + 32, 24 + 16])
    assert found.points[0] == pytest.approx(
        np.array([[64, 32], [96, 32], [80, 48], [64, 64], [96, 64]], np.float32)
    )


def test_yunet_scores_beyond_one_are_cut_back_to_one() -> None:
    heads = empty_yunet_heads()
    heads[0][0, 0], heads[3][0, 0] = 1.5, 4.0
    assert yunet.decode(heads, HEIGHT, WIDTH, 0.5).scores.tolist() == [1.0]


def test_centerface_channels_go_y_before_x_and_points_are_fractions_of_the_box() -> None:
    heads = empty_centerface_heads()
    row, column = 3, 10
    heads[0][0, 0, row, column] = 0.9
    heads[1][0, :, row, column] = [np.log(5.0), np.log(2.0)]  # height 20, width 8
    heads[2][0, :, row, column] = [0.25, -0.5]
    heads[3][0, :, row, column] = [0.25, 0.0, 0.25, 1.0, 0.5, 0.5, 0.75, 0.0, 0.75, 1.0]
    found = centerface.decode(heads, HEIGHT, WIDTH, 0.5)
    x, y = (10 - 0.5 + 0.5) * 4, (3 + 0.25 + 0.5) * 4
    assert found.scores == pytest.approx([0.9])
    assert found.boxes[0] == pytest.approx([x - 4, y - 10, x + 4, y + 10])
    assert found.points[0] == pytest.approx(
        np.array([[x - 4, y - 5], [x + 4, y - 5], [x, y], [x - 4, y + 5], [x + 4, y + 5]], np.float32)
    )


@pytest.mark.parametrize(
    ("decode", "heads"),
    [
        (scrfd.decode, empty_scrfd_heads),
        (yunet.decode, empty_yunet_heads),
        (centerface.decode, empty_centerface_heads),
    ],
    ids=["scrfd", "yunet", "centerface"],
)
def test_heads_without_a_face_give_an_empty_set_of_the_right_shapes(
    decode: Callable[[Heads, int, int, float], FaceCandidates], heads: Callable[[], Heads]
) -> None:
    found = decode(heads(), HEIGHT, WIDTH, 0.5)
    assert (found.boxes.shape, found.points.shape, found.scores.shape) == ((0, 4), (0, 5, 2), (0,))
    assert all(part.dtype == np.float32 for part in (found.boxes, found.points, found.scores))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize(
    ("decode", "heads"),
    [
        (scrfd.decode, empty_scrfd_heads),
        (yunet.decode, empty_yunet_heads),
        (centerface.decode, empty_centerface_heads),
    ],
    ids=["scrfd", "yunet", "centerface"],
)
@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_what_a_networks_overflow_leaves_behind_is_dropped(
    decode: Callable[[Heads, int, int, float], FaceCandidates], heads: Callable[[], Heads], value: float
) -> None:
    flooded = [np.full_like(head, value) for head in heads()]
    found = decode(flooded, HEIGHT, WIDTH, 0.5).where_finite()
    assert np.isfinite(found.boxes).all()
    assert (found.boxes[:, 2:] >= found.boxes[:, :2]).all()


def candidates(boxes: list[list[float]]) -> FaceCandidates:
    count = len(boxes)
    return FaceCandidates(
        np.array(boxes, np.float32).reshape(count, 4),
        np.zeros((count, 5, 2), np.float32),
        np.linspace(0.9, 0.5, count, dtype=np.float32),
    )


def test_boxes_inside_out_are_dropped() -> None:
    kept = candidates([[0, 0, 5, 5], [5, 0, 0, 5], [0, 5, 5, 0], [1, 1, 1, 1]]).where_finite()
    assert kept.boxes.tolist() == [[0, 0, 5, 5], [1, 1, 1, 1]]


def test_sizes_go_by_the_longer_side_and_both_limits_count() -> None:
    found = candidates([[0, 0, 10, 4], [0, 0, 4, 20], [0, 0, 30, 30], [0, 0, 31, 2]])
    assert found.between(10, 30).boxes[:, 2:].max(axis=1).tolist() == [10, 20, 30]


def test_candidates_come_back_to_the_pictures_pixels_by_each_axis_own_scale() -> None:
    found = candidates([[10, 20, 30, 40]]).divided_by(2.0, 4.0)
    assert found.boxes.tolist() == [[5, 5, 15, 10]]


def test_nothing_concatenated_is_an_empty_set() -> None:
    assert len(concatenate([])) == 0
    assert len(concatenate([candidates([[0, 0, 1, 1]]), concatenate([])])) == 1
