"""The same faces, crops, features and boxes as insightface 2.1 gives with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from insightface.model_zoo import SCRFD, ArcFaceONNX
from insightface.utils import face_align
from numpy.typing import NDArray

from arcface_cli.cli import build
from arcface_cli.detection.candidates import FaceCandidates
from arcface_cli.detection.detector import NetworkDetector
from arcface_cli.detection.suppression import overlaps, suppress
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import warp
from arcface_cli.results import PhotoFaces

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore::FutureWarning:insightface.*"),
    pytest.mark.filterwarnings("ignore:.*estimate.*:FutureWarning"),
]

CANVAS = (640, 640)


def test_transforms_equal_insightfaces_estimate(real_faces: dict[Path, PhotoFaces]) -> None:
    for path, seen in real_faces.items():
        theirs = face_align.estimate_norm(seen.faces[0].points.array)
        assert np.abs(seen.aligned.transforms[0] - theirs).max() < 1e-4, path


def test_crops_equal_insightfaces_within_one_grey_level(real_faces: dict[Path, PhotoFaces]) -> None:
    differences = []
    for path, seen in real_faces.items():
        image = decode(path.read_bytes())
        theirs = face_align.norm_crop(image, seen.faces[0].points.array)
        ours = warp(image, seen.aligned.transforms)[0]
        assert np.array_equal(ours, seen.aligned.crops[0]), "the pipeline cuts what warp cuts"
        differences.append(cv2.absdiff(ours, theirs))
    assert np.mean(np.stack(differences) <= 1) >= 0.999


@pytest.mark.parametrize("model", ["mobilefacenet_512", "mobilefacenet_192"])
def test_templates_equal_insightfaces_features(
    model: str,
    shared_models: Path,
    real_faces: dict[Path, PhotoFaces],
    open_workshop: Callable[..., build.Workshop],
) -> None:
    recogniser = build.require_recogniser(open_workshop(model=model, detector="scrfd_500m").stages)
    path = shared_models / f"{model}.onnx"
    peer = ArcFaceONNX(str(path), session=quiet_session(path))
    for path, seen in real_faces.items():
        ours = recogniser.embed(seen.aligned, path.name).features[0]
        theirs = peer.get_feat(seen.aligned.crops[0])[0]
        assert ours @ theirs / np.linalg.norm(theirs) >= 0.9999, path


@pytest.fixture(scope="module")
def peer_detector(shared_models: Path) -> SCRFD:
    path = shared_models / "det_500m.onnx"
    # One session for all sizes, as ours; otherwise insightface builds one for each.
    return SCRFD(str(path), session=quiet_session(path), static_shape_sessions=False)


@pytest.fixture(scope="module")
def our_detector(open_workshop: Callable[..., build.Workshop]) -> NetworkDetector:
    detector = open_workshop(recognise=False, detector="scrfd_500m").stages.detector
    assert isinstance(detector, NetworkDetector)
    return detector


def test_scrfd_finds_the_same_boxes_and_landmarks_on_the_same_canvas(
    real_faces: dict[Path, PhotoFaces], our_detector: NetworkDetector, peer_detector: SCRFD
) -> None:
    for path in real_faces:
        canvas = as_insightface_scales(decode(path.read_bytes()))
        ours = kept(our_detector, canvas)
        boxes, points = peer_detector.detect(canvas, CANVAS)
        assert len(ours) == len(boxes), path
        assert np.abs(ours.boxes - boxes[:, :4]).max() < 0.5, path
        assert np.abs(ours.points - points).max() < 0.5, path
        assert np.abs(ours.scores - boxes[:, 4]).max() < 1e-4, path


def test_scrfd_on_a_canvas_of_its_own_finds_the_same_faces_a_pixel_or_so_apart(
    real_faces: dict[Path, PhotoFaces], our_detector: NetworkDetector, peer_detector: SCRFD
) -> None:
    """Ours rounds the scaled size, scales each axis back exactly and cuts the canvas to the picture."""
    wild = [path for path in real_faces if path.parent.name == "wild"]
    apart, unmatched = [], 0
    for path in wild:
        image = decode(path.read_bytes())
        ours = kept(our_detector, image)
        boxes, points = peer_detector.detect(image, CANVAS)
        shared = overlaps(boxes[:, :4].astype(np.float32), ours.boxes)
        nearest = shared.argmax(axis=1)
        found = shared.max(axis=1) > 0.5
        unmatched += int((~found).sum())
        apart += list(np.abs(ours.points[nearest] - points)[found].max(axis=(1, 2)))
    assert unmatched <= 1
    assert np.median(apart) < 1.0
    assert np.percentile(apart, 90) < 3.0


def quiet_session(path: Path) -> onnxruntime.InferenceSession:
    """insightface's own would spin while ours works."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def as_insightface_scales(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square canvas with the picture at its top left, scaled as SCRFD.detect does it."""
    height, width = image.shape[:2]
    ratio = height / width
    size = (int(CANVAS[1] / ratio), CANVAS[1]) if ratio > 1 else (CANVAS[0], int(CANVAS[0] * ratio))
    canvas = np.zeros((CANVAS[1], CANVAS[0], 3), dtype=np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(image, size)
    return canvas


def kept(detector: NetworkDetector, image: NDArray[np.uint8]) -> FaceCandidates:
    found = detector.candidates(image, CANVAS[0])
    return found.select(suppress(found.boxes, found.scores, 0.4))
