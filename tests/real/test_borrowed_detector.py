"""A detector that insightface runs for us answers like the one we decode ourselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arcface_cli.detection.borrowed import BorrowedDetector
from arcface_cli.errors import DeviceUnavailable
from arcface_cli.imaging.blob import PixelScaling
from arcface_cli.imaging.decode import decode

pytestmark = pytest.mark.real


def test_a_borrowed_detector_finds_the_faces_with_their_landmarks_and_prints_nothing_on_stdout(
    shared_models: Path, shared_data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    detector = BorrowedDetector("borrowed", shared_models / "det_500m.onnx", PixelScaling(True, 127.5, 128.0))
    faces = detector.detect_each([decode((shared_data / "portraits/group/two_people.jpg").read_bytes())])[0]

    assert len(faces) == 2
    assert [face.index for face in faces] == [0, 1]
    for face in faces:
        eyes, mouth = face.points.array[:2], face.points.array[3:]
        assert np.all(eyes[:, 1].max() < mouth[:, 1].min()), "eyes lie above the mouth"
    assert capfd.readouterr().out == ""


def test_a_borrowed_detector_never_takes_the_cpu_in_a_cards_place(shared_models: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="asked for cuda:97, but ONNX Runtime serves it with CPU"):
        BorrowedDetector(
            "borrowed", shared_models / "det_500m.onnx", PixelScaling(True, 127.5, 128.0), cuda_index=97
        )
