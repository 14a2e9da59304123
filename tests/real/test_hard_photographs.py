"""Orientations, groups, pictures without a face, faces that fill the frame, and faces lost in a large one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.cli import build
from arcface_cli.detection.detector import Detector
from arcface_cli.faces import BoundingBox, Done, Outcome, Skipped
from arcface_cli.imaging.decode import decode
from arcface_cli.results import PhotoFaces

pytestmark = pytest.mark.real

OpenWorkshop = Callable[..., build.Workshop]
DEFAULT_DETECTORS = ["yunet", "scrfd_500m", "centerface"]
"""Those of the packs, as far as their weights are here."""


@pytest.mark.parametrize("detector", DEFAULT_DETECTORS)
def test_the_eight_exif_orientations_of_one_photograph_give_one_face(
    detector: str, shared_data: Path, open_workshop: OpenWorkshop
) -> None:
    paths = sorted((shared_data / "hard" / "exif").glob("*.jpg"))
    assert len(paths) == 8
    features = []
    for photo, outcome in open_workshop(paths, faces="largest", detector=detector).results():
        assert isinstance(outcome, Done), photo.display
        assert outcome.value.templates is not None
        features.append(outcome.value.templates.features[0])
    assert np.min(np.stack(features) @ np.stack(features).T) >= 0.99


def test_scrfd_counts_the_faces_of_group_photographs(
    shared_data: Path, open_workshop: OpenWorkshop, rows: Callable[[str], list[dict[str, str]]]
) -> None:
    listed = {shared_data / "hard" / row["file"]: int(row["faces"]) for row in rows("hard/groups.csv")}
    assert len(listed) == 19
    counted = {path: faces_in(outcome) for path, outcome in outcomes(open_workshop, listed, "scrfd_500m")}
    right = [path for path in listed if counted[path] == listed[path]]
    assert len(right) >= 18


@pytest.mark.parametrize("detector", DEFAULT_DETECTORS)
def test_no_face_is_invented_where_there_is_none(
    detector: str, shared_data: Path, open_workshop: OpenWorkshop
) -> None:
    paths = sorted((shared_data / "hard" / "no_face").iterdir())
    for path, outcome in outcomes(open_workshop, paths, detector):
        assert isinstance(outcome, Skipped), path
        assert outcome.reason.code == "no_face", path


@pytest.mark.parametrize("margin", [0.0, -0.1])
@pytest.mark.parametrize("detector", ["yunet", "scrfd_500m"])
def test_a_face_that_fills_the_frame_is_found_once(
    detector: str, margin: float, shared_data: Path, open_workshop: OpenWorkshop
) -> None:
    finder = open_workshop(recognise=False, detector=detector).stages.detector
    for path in fronts(shared_data)[::3]:
        image = decode(path.read_bytes())
        face = finder.detect_each([image])[0][0]
        assert len(finder.detect_each([cut(image, face.box, margin)])[0]) == 1, path


def test_centerface_finds_a_face_that_fills_the_frame_first_of_all(
    shared_data: Path, open_workshop: OpenWorkshop
) -> None:
    """It takes parts of so large a face for faces, too; the largest is the right one."""
    finder = open_workshop(recognise=False, detector="centerface").stages.detector
    for path in fronts(shared_data)[::6]:
        image = decode(path.read_bytes())
        face = finder.detect_each([image])[0][0]
        tight = cut(image, face.box, 0.0)
        largest = max(finder.detect_each([tight])[0], key=lambda each: each.box.area)
        assert largest.box.area > 0.5 * tight.shape[0] * tight.shape[1], path


@pytest.mark.parametrize("detector", DEFAULT_DETECTORS)
def test_a_face_of_60_pixels_in_a_picture_of_4000_is_found(
    detector: str, shared_data: Path, open_workshop: OpenWorkshop
) -> None:
    finder = open_workshop(recognise=False, detector=detector).stages.detector
    for turn, path in enumerate(fronts(shared_data)[::15]):
        place = (300 + 800 * turn, 200 + 600 * turn)
        picture, box = pasted(decode(path.read_bytes()), finder, place)
        found = finder.detect_each([picture])[0]
        assert len(found) == 1, path
        assert np.abs(np.subtract(found[0].box.as_tuple(), box)).max() < 8, path


def outcomes(
    open_workshop: OpenWorkshop, paths: Iterable[Path], detector: str
) -> list[tuple[Path | None, Outcome[PhotoFaces]]]:
    shop = open_workshop(paths, recognise=False, detector=detector)
    return [(photo.path, outcome) for photo, outcome in shop.results()]


def faces_in(outcome: Outcome[PhotoFaces]) -> int:
    return outcome.value.found if isinstance(outcome, Done) else 0


def fronts(shared_data: Path) -> list[Path]:
    """The neutral frontal photograph of each of 60 people."""
    return sorted((shared_data / "people").glob("*/*_0001.jpg"))


def cut(image: NDArray[np.uint8], box: BoundingBox, margin: float) -> NDArray[np.uint8]:
    """What lies within the box, grown on each side by `margin` of its size."""
    x, y = margin * box.width, margin * box.height
    left, top = max(0, int(box.x_min - x)), max(0, int(box.y_min - y))
    return np.ascontiguousarray(image[top : int(box.y_max + y), left : int(box.x_max + x)])


def pasted(
    image: NDArray[np.uint8], finder: Detector, place: tuple[int, int]
) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """A grey picture of 4000 x 3000 with a copy of the photograph in it whose face is 60 pixels high."""
    face = finder.detect_each([image])[0][0].box
    scale = 60 / face.height
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    picture = np.full((3000, 4000, 3), 128, dtype=np.uint8)
    left, top = place
    picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    corners = np.array(face.as_tuple()) * scale + np.array([left, top, left, top])
    return picture, tuple(corners)
