"""Non-maximum suppression against a naive reference, and parts of faces taken for faces."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.detection.candidates import FaceCandidates
from arcface_cli.detection.suppression import overlaps, suppress, without_parts

# Whole pixels and few scores, so that ties and exact overlaps occur.
BOXES = st.lists(
    st.tuples(
        st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 5)
    ),
    max_size=25,
)


def arrays(rows: list[tuple[int, int, int, int, int]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in rows], np.float32).reshape(-1, 4)
    return boxes, np.array([score / 5 for *_, score in rows], np.float32)


def iou(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float]:
    """Shared area and union of two boxes."""
    width = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height, sum(areas) - width * height


def naive(boxes: NDArray[np.float32], scores: NDArray[np.float32], limit: float) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        pairs = (iou(boxes[better], boxes[index]) for better in kept)
        if all(shared <= limit * union for shared, union in pairs):
            kept.append(index)
    return kept


@given(BOXES, st.sampled_from([0.0, 0.25, 0.4, 0.5, 1.0]))
def test_suppression_keeps_what_a_naive_loop_keeps(
    rows: list[tuple[int, int, int, int, int]], limit: float
) -> None:
    boxes, scores = arrays(rows)
    assert suppress(boxes, scores, limit).tolist() == naive(boxes, scores, limit)


@given(BOXES)
def test_what_stays_overlaps_little_and_suppressing_again_changes_nothing(
    rows: list[tuple[int, int, int, int, int]],
) -> None:
    boxes, scores = arrays(rows)
    kept = suppress(boxes, scores, 0.4)
    assert suppress(boxes[kept], scores[kept], 0.4).tolist() == list(range(len(kept)))


@given(BOXES)
def test_overlaps_are_symmetric_between_zero_and_one(rows: list[tuple[int, int, int, int, int]]) -> None:
    boxes, _ = arrays(rows)
    ratios = overlaps(boxes, boxes)
    assert np.array_equal(ratios, ratios.T)
    assert ((ratios >= 0) & (ratios <= 1)).all()


def test_no_boxes_overlap_with_nothing() -> None:
    none = np.zeros((0, 4), np.float32)
    assert overlaps(none, np.ones((3, 4), np.float32)).shape == (0, 3)
    assert suppress(none, np.zeros(0, np.float32), 0.4).tolist() == []


def found(*rows: tuple[float, list[float]]) -> FaceCandidates:
    boxes = np.array([box for _, box in rows], np.float32)
    scores = np.array([score for score, _ in rows], np.float32)
    return FaceCandidates(boxes, np.zeros((len(rows), 5, 2), np.float32), scores)


def test_an_eye_taken_for_a_face_goes_when_the_face_is_about_as_sure() -> None:
    kept = without_parts(found((0.9, [0, 0, 100, 100]), (0.85, [10, 10, 40, 40])))
    assert kept.boxes.tolist() == [[0, 0, 100, 100]]


def test_a_doubtful_large_box_does_not_swallow_a_crowd() -> None:
    crowd = found((0.9, [10, 10, 30, 30]), (0.9, [50, 50, 70, 70]), (0.6, [0, 0, 100, 100]))
    assert len(without_parts(crowd)) == 3


def test_a_face_beside_another_and_one_of_much_the_same_size_both_stay() -> None:
    assert len(without_parts(found((0.9, [0, 0, 100, 100]), (0.9, [90, 0, 120, 30])))) == 2
    assert len(without_parts(found((0.9, [0, 0, 100, 100]), (0.9, [10, 10, 70, 70])))) == 2
