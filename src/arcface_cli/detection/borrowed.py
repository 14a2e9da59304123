"""Detectors that we don't decode ourselves, run by insightface behind the same interface.

RetinaFace and insightface's manifest packages. Needs the [insightface] extra, imported only here and
only when such a detector was chosen.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.detection.candidates import FaceCandidates
from arcface_cli.detection.detector import as_faces
from arcface_cli.errors import ModelUnusable, RuntimeMissing
from arcface_cli.faces import DetectedFace
from arcface_cli.imaging.blob import PixelScaling
from arcface_cli.installing import install
from arcface_cli.runtime.devices import CPU, Device
from arcface_cli.runtime.sessions import CPU_PROVIDER, CUDA_PROVIDER, check_serving

MIN_SCORE = 0.5
SIZES = [(128, 128), (640, 640)]
"""insightface's own default canvases: the small one finds faces that fill the frame."""


class BorrowedDetector:
    """A detector of insightface's model zoo.

    scaling: how it is fed; None: its graph scales by itself.  cuda_index: None for the CPU.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        scaling: PixelScaling | None,
        *,
        cuda_index: int | None = None,
        min_score: float | None = None,
    ) -> None:
        self.name = name
        self._model = _load(name, path, scaling, cuda_index)
        self._model.prepare(
            -1 if cuda_index is None else cuda_index,
            input_size=SIZES,
            det_thresh=MIN_SCORE if min_score is None else min_score,
        )

    def detect_each(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[DetectedFace, ...]]:
        """images: each (H, W, 3) uint8 BGR, upright. Of each, its faces, best score first, in its pixels."""
        return [self._detect(image) for image in images]

    def _detect(self, image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        with contextlib.redirect_stdout(sys.stderr):
            boxes, points = self._model.detect(image)
        if points is None:
            raise ModelUnusable(f"{self.name}: it finds no landmarks, so faces can't be aligned")
        found = FaceCandidates(
            np.asarray(boxes[:, :4], np.float32),
            np.asarray(points, np.float32).reshape(-1, 5, 2),
            np.asarray(boxes[:, 4], np.float32),
        )
        return as_faces(found.where_finite())


def _load(name: str, path: Path, scaling: PixelScaling | None, cuda_index: int | None) -> Any:
    if find_spec("insightface") is None:
        raise RuntimeMissing(
            f"{name} is run by insightface, which is not installed",
            hint=f"install it with: {install('insightface')}, or choose another --detector",
        )
    with contextlib.redirect_stdout(sys.stderr):
        from insightface.model_zoo import model_zoo

        provider = CPU_PROVIDER if cuda_index is None else CUDA_PROVIDER
        placed = {} if cuda_index is None else {"device_id": str(cuda_index)}
        stated = "embedded" if scaling is None else {"mean": scaling.mean, "std": scaling.scale}
        try:
            model = model_zoo.get_model(
                str(path),
                model_task="detection",
                model_metadata={"preprocessing": stated},
                providers=[provider],
                provider_options=[placed],
            )
        except Exception as error:  # insightface's, onnxruntime's and protobuf's share no base class
            reason = " ".join(str(error).split())
            raise ModelUnusable(f"{name}: insightface can't use it as a detector ({reason})") from error
    device = CPU if cuda_index is None else Device((cuda_index,))
    check_serving(model.session.get_providers(), provider, device, name)
    model.session.disable_fallback()
    return model
