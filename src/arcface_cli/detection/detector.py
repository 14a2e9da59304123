"""image -> faces: one network run at several scales, each trusted with the face sizes it sees well.

A detector trained on 640-pixel canvases sees faces of some 12 to 300 canvas pixels. So

* the *standard* canvas (640) finds nearly everything;
* a *scout* canvas (160, a sixteenth of the work) tells whether a face fills the frame, unless the standard
  canvas shows a large face already. If it saw one that the standard canvas missed, the *near* canvas (320)
  gives its box and landmarks;
* the *far* canvas serves pictures so large that a usable face shrinks below what 640 shows.

The figures behind the choice are in docs/design.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arcface_cli.detection import centerface, scrfd, yunet
from arcface_cli.detection.candidates import FaceCandidates, concatenate
from arcface_cli.detection.suppression import overlaps, suppress, without_parts
from arcface_cli.faces import BoundingBox, DetectedFace, Fed, FivePoints
from arcface_cli.imaging.blob import PixelScaling, to_input
from arcface_cli.imaging.geometry import letterbox

STRIDE = 32
STANDARD, SCOUT, NEAR = 640, 160, 320
FILLS_FRAME = 0.35
"""A face is large when its longer side is this share of the picture's: the scout's business."""
SAME_FACE = 0.5
"""Intersection over union from which a large face is one that the standard canvas found too."""
MAX_OVERLAP = 0.4
FAR_LIMIT = 2048
SMALLEST_IN_PICTURE, SMALLEST_ON_CANVAS = 40, 18
"""A face of 40 picture pixels is worth finding; a canvas shows it when it has 18 there."""
FAR_FACE = 64
"""On the far canvas only faces up to this many pixels are news: larger ones, 640 has seen."""

Decoder = Callable[[Sequence[NDArray[np.float32]], int, int, float], FaceCandidates]


@dataclass(frozen=True, slots=True)
class Family:
    """What is common to the networks of one detector family."""

    decode: Decoder
    min_score: float


FAMILIES = {
    "scrfd": Family(scrfd.decode, 0.5),
    "yunet": Family(yunet.decode, 0.7),
    "centerface": Family(centerface.decode, 0.6),
}
"""Decoder and default detection score by the family named in the catalogue. The scores are those at
which no face was invented on pictures without one (docs/design.md)."""


class Network(Protocol):
    """What a detector asks of a session."""

    def run(self, blob: Fed) -> list[NDArray[np.float32]]:
        """(1, 3, H, W) float32, or (1, H, W, 3) uint8 if it scales by itself -> the heads, in graph order."""
        ...


class Detector(Protocol):
    """An image goes in, faces come out, best score first."""

    name: str

    def detect_each(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[DetectedFace, ...]]:
        """images: each (H, W, 3) uint8 BGR, upright. Boxes and points in its pixels."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What the network answers to one canvas, whose scales are canvas / image."""

    outputs: Sequence[NDArray[np.float32]]
    width: int
    height: int
    scale_x: float
    scale_y: float


class NetworkDetector:
    """A detector of one of the `FAMILIES`. Safe to use from several threads at once.

    scaling: what the host does to pixels; None: the network takes uint8 canvases and scales by itself.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        family: Family,
        scaling: PixelScaling | None,
        *,
        min_score: float | None = None,
    ) -> None:
        self.name = name
        self._network = network
        self._decode = family.decode
        self._scaling = scaling
        self._min_score = family.min_score if min_score is None else min_score

    def detect_each(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[DetectedFace, ...]]:
        """images: each (H, W, 3) uint8 BGR, upright. Of each, its faces, best score first, in its pixels.

        The network sees all images before its answers are read (see `pipeline.work_together`).
        """
        looks = [self._look(image, STANDARD) for image in images]
        return [self._faces(image, self._read(look)) for image, look in zip(images, looks, strict=True)]

    def _faces(self, image: NDArray[np.uint8], standard: FaceCandidates) -> tuple[DetectedFace, ...]:
        found = concatenate([standard, self._large(image, standard), self._small(image)])
        kept = found.select(suppress(found.boxes, found.scores, MAX_OVERLAP))
        return as_faces(without_parts(kept))

    def candidates(self, image: NDArray[np.uint8], side: int) -> FaceCandidates:
        """Every candidate on one canvas whose longer side is `side`, in pixels of the image."""
        return self._read(self._look(image, side))

    def _look(self, image: NDArray[np.uint8], side: int) -> _Look:
        width, height = canvas_size(image.shape[1], image.shape[0], side)
        fits = image.shape[:2] == (height, width)
        canvas, scale_x, scale_y = (image, 1.0, 1.0) if fits else letterbox(image, width, height)
        outputs = self._network.run(to_input([canvas], self._scaling))
        return _Look(outputs, width, height, scale_x, scale_y)

    def _read(self, look: _Look) -> FaceCandidates:
        found = self._decode(look.outputs, look.height, look.width, self._min_score).where_finite()
        return found.divided_by(look.scale_x, look.scale_y)

    def _large(self, image: NDArray[np.uint8], standard: FaceCandidates) -> FaceCandidates:
        """Faces that fill the frame and that the standard canvas missed.

        A large face that the standard canvas is sure of (halfway between the least score and 1) says that
        it isn't blind here: on no photograph measured did the scout then have news.
        """
        least = FILLS_FRAME * max(image.shape[:2])
        sure = standard.select(standard.scores >= (1.0 + self._min_score) / 2)
        if len(sure.between(least, np.inf)):
            return concatenate([])
        scouted = self.candidates(image, SCOUT).between(least, np.inf)
        missed = overlaps(scouted.boxes, standard.boxes).max(axis=1, initial=0.0) < SAME_FACE
        if not missed.any():
            return concatenate([])
        return self.candidates(image, NEAR).between(least, np.inf)

    def _small(self, image: NDArray[np.uint8]) -> FaceCandidates:
        """Faces that vanish on the standard canvas because the picture is so large."""
        longest = max(image.shape[:2])
        scale = SMALLEST_ON_CANVAS / SMALLEST_IN_PICTURE
        if longest * scale <= STANDARD:
            return concatenate([])
        side = min(round_up(longest * scale), FAR_LIMIT)
        return self.candidates(image, side).between(0.0, FAR_FACE * longest / side)


def canvas_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Width and height of the smallest canvas of whole strides whose longer side is `side`."""
    scale = side / max(width, height)
    return round_up(width * scale), round_up(height * scale)


def round_up(length: float) -> int:
    """The next whole number of strides, at least one."""
    return max(STRIDE, -(-round(length) // STRIDE) * STRIDE)


def as_faces(found: FaceCandidates) -> tuple[DetectedFace, ...]:
    """Candidates, best first -> what travels on."""
    return tuple(
        DetectedFace(BoundingBox(*map(float, box)), FivePoints(points), float(score), index)
        for index, (box, points, score) in enumerate(
            zip(found.boxes, found.points, np.clip(found.scores, 0.0, 1.0), strict=True)
        )
    )
