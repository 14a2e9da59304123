"""Scales: what the standard canvas misses, the near and the far canvas find, and nothing is told twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.alignment import ARCFACE_TEMPLATE
from arcface_cli.detection.candidates import FaceCandidates, concatenate
from arcface_cli.detection.detector import (
    FAR_LIMIT,
    NEAR,
    SCOUT,
    STANDARD,
    STRIDE,
    Family,
    NetworkDetector,
    canvas_size,
    round_up,
)
from arcface_cli.faces import DetectedFace
from fakes import SCALING, FakeNetwork


def picture(width: int, height: int) -> NDArray[np.uint8]:
    return np.zeros((height, width, 3), np.uint8)


class Scene:
    """A picture with known faces, and a detector that sees those of `seen` canvas pixels on a canvas.

    faces: (x, y, side, score) in pixels of the picture.
    """

    def __init__(
        self, size: tuple[int, int], faces: list[tuple[float, float, float, float]], seen: tuple[float, float]
    ) -> None:
        self.size = size
        self.faces = faces
        self.seen = seen
        self.network = FakeNetwork(lambda blob: [])
        family = Family(self._decode, 0.5)
        self.detector = NetworkDetector("scene", self.network, family, SCALING)

    def _decode(self, outputs: object, height: int, width: int, min_score: float) -> FaceCandidates:
        scale = min(width / self.size[0], height / self.size[1])
        rows = [f for f in self.faces if self.seen[0] <= f[2] * scale <= self.seen[1] and f[3] >= min_score]
        boxes = [[x * scale, y * scale, (x + s) * scale, (y + s) * scale] for x, y, s, _ in rows]
        points = [(ARCFACE_TEMPLATE * s / 112 + (x, y)) * scale for x, y, s, _ in rows]
        return FaceCandidates(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(points, np.float32).reshape(-1, 5, 2),
            np.array([score for *_, score in rows], np.float32),
        )

    def found(self) -> list[tuple[float, float, float]]:
        faces = self.detector.detect_each([picture(*self.size)])[0]
        return [(round(f.box.x_min), round(f.box.y_min), round(f.box.width)) for f in faces]

    @property
    def sides(self) -> list[int]:
        return [max(shape[2:]) for shape in self.network.shapes]


def test_a_usual_face_needs_the_standard_canvas_and_a_glance_of_the_scout() -> None:
    scene = Scene((640, 480), [(100, 100, 120, 0.9)], (12, 300))
    assert scene.found() == [(100, 100, 120)]
    assert scene.sides == [STANDARD, SCOUT]


def test_a_face_that_fills_the_frame_is_found_on_the_near_canvas() -> None:
    scene = Scene((640, 640), [(40, 30, 560, 0.9)], (12, 300))
    assert scene.found() == [(40, 30, 560)]
    assert scene.sides == [STANDARD, SCOUT, NEAR]


def test_a_large_face_that_the_standard_canvas_saw_is_not_looked_for_again() -> None:
    scene = Scene((640, 640), [(200, 200, 280, 0.9)], (12, 300))
    assert scene.found() == [(200, 200, 280)]
    assert scene.sides == [STANDARD]


def test_a_large_face_that_the_standard_canvas_doubts_is_asked_about() -> None:
    scene = Scene((640, 640), [(200, 200, 280, 0.7)], (12, 300))
    assert scene.found() == [(200, 200, 280)]
    assert scene.sides == [STANDARD, SCOUT]


def test_a_small_face_in_a_large_picture_is_found_on_the_far_canvas() -> None:
    scene = Scene((4000, 3000), [(1000, 500, 60, 0.8), (2000, 1000, 800, 0.9)], (12, 300))
    assert scene.found() == [(2000, 1000, 800), (1000, 500, 60)]
    assert scene.sides == [STANDARD, SCOUT, round_up(4000 * 18 / 40)]


def test_the_far_canvas_has_a_limit_however_large_the_picture_is() -> None:
    scene = Scene((9000, 100), [], (12, 300))
    scene.found()
    assert max(scene.sides) == FAR_LIMIT


def test_a_face_seen_on_two_canvases_is_told_once() -> None:
    scene = Scene((3000, 3000), [(100, 100, 90, 0.9)], (10, 300))
    assert scene.found() == [(100, 100, 90)]


def test_faces_come_best_score_first_and_are_numbered_so() -> None:
    scene = Scene((640, 480), [(10, 10, 60, 0.6), (200, 10, 60, 0.95), (400, 10, 60, 0.8)], (12, 300))
    faces = scene.detector.detect_each([picture(640, 480)])[0]
    assert [face.detection_score for face in faces] == pytest.approx([0.95, 0.8, 0.6])
    assert [face.index for face in faces] == [0, 1, 2]


def test_a_detection_score_of_the_users_replaces_the_familys() -> None:
    scene = Scene((640, 480), [(10, 10, 60, 0.4)], (12, 300))
    assert scene.found() == []
    lenient = NetworkDetector("scene", scene.network, Family(scene._decode, 0.5), SCALING, min_score=0.3)
    assert len(lenient.detect_each([picture(640, 480)])[0]) == 1


def test_nothing_found_is_an_empty_answer() -> None:
    assert Scene((640, 480), [], (12, 300)).found() == []


@given(st.integers(16, 20_000), st.integers(16, 20_000), st.sampled_from([160, 320, 640, 2048]))
def test_every_canvas_has_whole_strides_and_its_longer_side(width: int, height: int, side: int) -> None:
    canvas = canvas_size(width, height, side)
    assert all(length % STRIDE == 0 and STRIDE <= length <= side for length in canvas)
    assert max(canvas) == side


def test_a_detector_that_scales_by_itself_gets_the_canvas_as_it_is() -> None:
    fed: list[NDArray[np.uint8]] = []

    class PixelNetwork:
        def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            fed.append(blob)
            return []

    family = Family(lambda outputs, height, width, min_score: concatenate([]), 0.5)
    image = np.random.default_rng(2).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    NetworkDetector("pixels", PixelNetwork(), family, None).candidates(image, STANDARD)
    assert fed[0].dtype == np.uint8
    assert np.array_equal(fed[0], image[None])


def test_pictures_looked_at_together_show_what_each_shows_alone() -> None:
    pictures = [picture(640, 480), picture(320, 320), picture(4000, 3000)]
    scene = Scene((640, 480), [(100, 100, 120, 0.9), (300, 100, 60, 0.8)], (12, 300))

    def told(faces: tuple[DetectedFace, ...]) -> list[tuple[float, ...]]:
        return [(*face.box.as_tuple(), face.detection_score, *face.points.array.ravel()) for face in faces]

    together = [told(faces) for faces in scene.detector.detect_each(pictures)]
    assert together == [told(scene.detector.detect_each([each])[0]) for each in pictures]
    assert scene.detector.detect_each([]) == []
