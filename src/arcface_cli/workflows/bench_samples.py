"""What `arcface bench` works on: photographs that the user named, or drawn ones, held in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from arcface_cli.alignment import ARCFACE_TEMPLATE
from arcface_cli.detection.detector import Detector
from arcface_cli.errors import ArcfaceError, InputError
from arcface_cli.faces import CROP_SIDE, BoundingBox, DetectedFace, FivePoints
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import encode_jpeg
from arcface_cli.imaging.synthetic import draw_photograph
from arcface_cli.inputs.photo import Photo

MOST, MOST_PIXELS, MOST_BYTES = 32, 64_000_000, 128 * 2**20
"""Photographs looked at, and what they take decoded and as files: later ones are left out."""

DRAWN, DRAWN_WIDTH, DRAWN_HEIGHT, DRAWN_QUALITY = 8, 1600, 1200, 90
_SEED = 20261124
_FACE_SHARE = 0.35
"""Side of a face that is put somewhere, as a share of the photograph's shorter side."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A photograph as a file (content) and decoded, (H, W, 3) uint8 BGR, and the faces on it."""

    content: bytes
    image: NDArray[np.uint8]
    faces: tuple[DetectedFace, ...]

    def photo(self) -> Photo:
        """To be read from memory, once: the disk has no part in what is measured."""
        return Photo(None, stream=io.BytesIO(self.content))


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """At least one photograph.

    faces: "found" by the detector; "drawn" and taken from where they were drawn; "placed" in the middle of
    photographs on which none was found.  unreadable: why others were left out.
    """

    photographs: tuple[Sample, ...]
    faces: Literal["found", "drawn", "placed"]
    unreadable: tuple[ArcfaceError, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether they are ours, not the user's."""
        return self.faces == "drawn"

    @property
    def face_count(self) -> int:
        """Faces on all of them, 1 or more."""
        return sum(len(sample.faces) for sample in self.photographs)

    @property
    def megapixels(self) -> float:
        """Mean size of a photograph."""
        return _pixels(self.photographs) / len(self.photographs) / 1e6


def drawn_samples() -> Samples:
    """Photographs of 1.9 megapixels with a face each, the same ones on every machine."""
    face = _face_in_the_middle(DRAWN_WIDTH, DRAWN_HEIGHT)
    points = face.points.array[np.newaxis]
    made = []
    for number in range(DRAWN):
        drawing = draw_photograph(_SEED + number, DRAWN_WIDTH, DRAWN_HEIGHT, points)
        content = encode_jpeg(drawing, DRAWN_QUALITY)
        made.append(Sample(content, decode(content), (face,)))
    return Samples(tuple(made), "drawn")


def named_samples(photos: Iterable[Photo], detector: Detector) -> Samples:
    """The first of the photographs (see MOST), read, decoded, and searched for faces.

    Raises what was wrong with the first of them where none can be read, UsageError for one that isn't there.
    """
    samples: list[Sample] = []
    unreadable: list[ArcfaceError] = []
    for photo in islice(photos, MOST):
        try:
            content = photo.read()
            image = decode(content, name=photo.display)
        except InputError as error:
            unreadable.append(error)
            continue
        samples.append(Sample(content, image, detector.detect_each([image])[0]))
        if _full(samples):
            break
    if not samples:
        raise unreadable[0]
    if any(sample.faces for sample in samples):
        return Samples(tuple(samples), "found", tuple(unreadable))
    placed = tuple(Sample(each.content, each.image, (_in_the_middle_of(each.image),)) for each in samples)
    return Samples(placed, "placed", tuple(unreadable))


def _full(samples: list[Sample]) -> bool:
    return _pixels(samples) >= MOST_PIXELS or sum(len(sample.content) for sample in samples) >= MOST_BYTES


def _pixels(samples: Sequence[Sample]) -> int:
    return sum(int(sample.image.shape[0]) * int(sample.image.shape[1]) for sample in samples)


def _in_the_middle_of(image: NDArray[np.uint8]) -> DetectedFace:
    return _face_in_the_middle(image.shape[1], image.shape[0])


def _face_in_the_middle(width: int, height: int) -> DetectedFace:
    side = _FACE_SHARE * min(width, height)
    x, y = (width - side) / 2, (height - side) / 2
    points = (ARCFACE_TEMPLATE * (side / CROP_SIDE) + (x, y)).astype(np.float32)
    return DetectedFace(BoundingBox(x, y, x + side, y + side), FivePoints(points), 1.0, 0)
