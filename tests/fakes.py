"""Stand-ins for the heavy parts, written once: networks, detectors and photographs that answer as told."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arcface_cli.alignment import ARCFACE_TEMPLATE
from arcface_cli.faces import (
    AlignedFaces,
    BoundingBox,
    DetectedFace,
    FivePoints,
    ModelFingerprint,
    TemplateBatch,
)
from arcface_cli.imaging.blob import PixelScaling
from arcface_cli.inputs.photo import Photo
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.results import PhotoFaces, Picture

SCALING = PixelScaling(rgb=True, mean=127.5, scale=127.5)
DIMENSION = 4


class FakeNetwork:
    """Answers a blob with what `answer` makes of it, and remembers the shapes that it was fed."""

    def __init__(self, answer: Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]) -> None:
        self._answer = answer
        self.shapes: list[tuple[int, ...]] = []

    def run(self, blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self.shapes.append(blob.shape)
        return list(self._answer(blob))


class FakeDetector:
    """Finds the same faces in every picture, or does what `detect` does."""

    name = "fake"

    def __init__(
        self,
        faces: Sequence[DetectedFace] = (),
        detect: Callable[[NDArray[np.uint8]], tuple[DetectedFace, ...]] | None = None,
    ) -> None:
        self._faces = tuple(faces)
        self._detect = detect

    def detect_each(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[DetectedFace, ...]]:
        return [self._faces if self._detect is None else self._detect(image) for image in images]


def fingerprint(dimension: int = DIMENSION, *, flip: bool = False) -> ModelFingerprint:
    return ModelFingerprint("ab" * 32, "rgb,(x-127.5)/127.5", "test-1", dimension, flip)


def colour_features(blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """(N, 3, 112, 112) -> (N, 4): mean red, green, blue and a constant. The mirror image has the same."""
    means = blob.mean(axis=(2, 3))
    return [np.hstack([means, np.ones((len(blob), 1))]).astype(np.float32)]


def fake_recogniser(
    answer: Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]] = colour_features,
    *,
    batch: int = 32,
    flip: bool = False,
) -> Recogniser:
    return Recogniser(FakeNetwork(answer), SCALING, fingerprint(flip=flip), batch=batch)


def face_at(
    x: float = 10.0, y: float = 10.0, side: float = 112.0, *, score: float = 0.9, index: int = 0
) -> DetectedFace:
    """A frontal face whose square box has its top left corner at (x, y)."""
    points = ARCFACE_TEMPLATE * (side / 112.0) + (x, y)
    box = BoundingBox(float(x), float(y), float(x + side), float(y + side))
    return DetectedFace(box, FivePoints(points), score, index)


def picture_bytes(
    colour: tuple[int, int, int] = (120, 130, 140), width: int = 160, height: int = 140
) -> bytes:
    """A PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def photo_file(
    folder: Path,
    name: str,
    colour: tuple[int, int, int] = (120, 130, 140),
    *,
    subject: str | None = None,
    named: bool = False,
    size: tuple[int, int] = (160, 140),
) -> Photo:
    """A photograph on disk, of one colour."""
    path = folder / name
    path.write_bytes(picture_bytes(colour, *size))
    return Photo(path, subject=subject, named=named)


def seen_faces(
    faces: Sequence[DetectedFace], features: NDArray[np.float32] | None = None, *, content: str = "photo"
) -> PhotoFaces:
    """What the pipeline makes of a photograph with these faces; features (N, D) None: no recogniser ran."""
    crops = np.zeros((len(faces), 112, 112, 3), np.uint8)
    transforms = np.tile(np.eye(2, 3), (len(faces), 1, 1))
    dimension = DIMENSION if features is None else features.shape[1]
    return PhotoFaces(
        Picture(160, 140, hashlib.sha256(content.encode()).hexdigest()),
        len(faces),
        tuple(faces),
        AlignedFaces(crops, transforms),
        None if features is None else TemplateBatch(features, fingerprint(dimension)),
    )


def unit(*values: float) -> NDArray[np.float32]:
    """One row (1, D) of unit length in this direction."""
    row = np.array([values], np.float32)
    return (row / np.linalg.norm(row)).astype(np.float32)
