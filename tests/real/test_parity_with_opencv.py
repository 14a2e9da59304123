"""YuNet as OpenCV's own class runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from arcface_cli.cli import build
from arcface_cli.detection.detector import NetworkDetector
from arcface_cli.detection.suppression import suppress
from arcface_cli.imaging.decode import decode

pytestmark = pytest.mark.real

SCORE, OVERLAP = 0.7, 0.4


def test_yunet_finds_what_opencvs_face_detector_finds_within_a_pixel(
    shared_data: Path, shared_models: Path, open_workshop: Callable[..., build.Workshop]
) -> None:
    detector = open_workshop(recognise=False, detector="yunet").stages.detector
    assert isinstance(detector, NetworkDetector)
    weights = str(shared_models / "face_detection_yunet_2023mar.onnx")
    peer = cv2.FaceDetectorYN.create(weights, "", (640, 640), SCORE, OVERLAP)
    for path in sorted((shared_data / "people").rglob("*.jpg"))[::5]:
        image = decode(path.read_bytes())  # 640 x 640: the size that OpenCV's engine is fixed to
        found = detector.candidates(image, 640)
        found = found.select(suppress(found.boxes, found.scores, OVERLAP))
        _, faces = peer.detect(image)
        faces = faces[np.argsort(-faces[:, 14], kind="stable")]
        corners = np.hstack([faces[:, :2], faces[:, :2] + faces[:, 2:4]])
        assert len(found) == len(faces), path
        assert np.abs(found.boxes - corners).max() < 1.0, path
        assert np.abs(found.points - faces[:, 4:14].reshape(-1, 5, 2)).max() < 1.0, path
        assert np.abs(found.scores - faces[:, 14]).max() < 1e-3, path
