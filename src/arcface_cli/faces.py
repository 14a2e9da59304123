"""What travels between the rooms: frozen, slotted, and checked when made. NumPy only.

Coordinates are pixels of the upright image, origin at the top left, x to the right, y down.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import ArcfaceError

CROP_SIDE = 112
"""Side of an aligned crop in pixels: what every ArcFace network takes."""

UNIT_NORM_TOLERANCE = 1e-3

Fed = NDArray[np.float32] | NDArray[np.uint8]
"""What a network is fed: (N, 3, H, W) float32, scaled, or (N, H, W, 3) uint8 BGR, which it scales."""


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """An upright rectangle in pixels; it may leave the image."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.as_tuple())):
            raise ValueError(f"a bounding box needs finite numbers, not {self.as_tuple()}")
        if self.x_max < self.x_min or self.y_max < self.y_min:
            raise ValueError(f"a bounding box needs max >= min, not {self.as_tuple()}")

    def as_tuple(self) -> tuple[float, float, float, float]:
        """x_min, y_min, x_max, y_max."""
        return (self.x_min, self.y_min, self.x_max, self.y_max)

    @property
    def width(self) -> float:
        """Pixels, 0 or more."""
        return self.x_max - self.x_min

    @property
    def height(self) -> float:
        """Pixels, 0 or more."""
        return self.y_max - self.y_min

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    @property
    def center(self) -> tuple[float, float]:
        """x, y."""
        return ((self.x_min + self.x_max) / 2, (self.y_min + self.y_max) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class FivePoints:
    """(5, 2) float32 pixels: image-left and -right eye, nose, image-left and -right mouth corner."""

    array: NDArray[np.float32]

    def __post_init__(self) -> None:
        points = np.array(self.array, dtype=np.float32)
        if points.shape != (5, 2):
            raise ValueError(f"five points need shape (5, 2), not {points.shape}")
        if not np.isfinite(points).all():
            raise ValueError("five points need finite coordinates")
        object.__setattr__(self, "array", _read_only(points))


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFace:
    """One face as a detector saw it; `index` counts the faces of its image, best score first."""

    box: BoundingBox
    points: FivePoints
    detection_score: float
    index: int

    def __post_init__(self) -> None:
        if not 0.0 <= self.detection_score <= 1.0:
            raise ValueError(f"a detection score lies in [0, 1], not {self.detection_score}")


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFaces:
    """Crops cut to the ArcFace template.

    crops: (B, 112, 112, 3) uint8, BGR.  transforms: (B, 2, 3) float64, image -> crop.
    """

    crops: NDArray[np.uint8]
    transforms: NDArray[np.float64]

    def __post_init__(self) -> None:
        count = len(self.crops)
        if self.crops.shape != (count, CROP_SIDE, CROP_SIDE, 3) or self.crops.dtype != np.uint8:
            shape = f"(B, {CROP_SIDE}, {CROP_SIDE}, 3)"
            raise ValueError(f"crops need uint8 {shape}, not {self.crops.dtype} {self.crops.shape}")
        if self.transforms.shape != (count, 2, 3):
            raise ValueError(f"{count} crops need transforms ({count}, 2, 3), not {self.transforms.shape}")
        object.__setattr__(self, "crops", _read_only(self.crops))
        object.__setattr__(self, "transforms", _read_only(self.transforms))

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True, slots=True)
class ModelFingerprint:
    """What must be equal for two templates to be comparable.

    recogniser_sha256: of the ONNX file.  preprocessing: e.g. "rgb,(x-127.5)/127.5".
    alignment: version of the template and its transform.  dimension: D.
    flip: whether features of the crop and its mirror image were added.
    """

    recogniser_sha256: str
    preprocessing: str
    alignment: str
    dimension: int
    flip: bool = False

    @property
    def canonical(self) -> str:
        """One line that is equal exactly when the fingerprints are."""
        return (
            f"sha256={self.recogniser_sha256} preprocessing={self.preprocessing} "
            f"alignment={self.alignment} dimension={self.dimension} flip={int(self.flip)}"
        )

    @property
    def short(self) -> str:
        """Twelve hexadecimal digits for people."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, eq=False)
class TemplateBatch:
    """(N, D) float32 rows of unit length (1 +- 1e-3; never NaN, never zero) and what made them."""

    features: NDArray[np.float32]
    fingerprint: ModelFingerprint

    def __post_init__(self) -> None:
        features = self.features
        if features.ndim != 2 or features.shape[1] != self.fingerprint.dimension:
            raise ValueError(f"features need shape (N, {self.fingerprint.dimension}), not {features.shape}")
        if features.dtype != np.float32:
            raise ValueError(f"features need dtype float32, not {features.dtype}")
        norms = np.sqrt(np.vecdot(features, features))
        if not (np.abs(norms - 1.0) <= UNIT_NORM_TOLERANCE).all():  # false for NaN
            raise ValueError("features need unit length and no NaN")
        object.__setattr__(self, "features", _read_only(features))

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """How good a face is for recognition (docs/quality.md): measured, and nothing about who it is.

    size: shorter side of the box in pixels.  sharpness: variance of the crop's Laplacian.  yaw, pitch,
    roll: degrees.  dark, bright: share of the face's pixels, 0 to 1, that is black or burnt out.
    """

    size: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    dark: float
    bright: float

    def __post_init__(self) -> None:
        numbers = (self.size, self.sharpness, self.yaw, self.pitch, self.roll, self.dark, self.bright)
        if not all(map(math.isfinite, numbers)):
            raise ValueError(f"a face's quality needs finite numbers, not {numbers}")
        if not (0.0 <= self.dark <= 1.0 and 0.0 <= self.bright <= 1.0):
            raise ValueError(f"shares lie in [0, 1], not {self.dark} and {self.bright}")


@dataclass(frozen=True, slots=True, eq=False)
class RefusedFace:
    """A face that was found but isn't used, and why; quality None: it was never cut out."""

    face: DetectedFace
    reason: ArcfaceError
    quality: FaceQuality | None = None


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The input was worked through; `value` is what came of it."""

    value: T


@dataclass(frozen=True, slots=True)
class Skipped:
    """The input is sound, but there was nothing to do with it; `reason` says why.

    refused: the faces that were found but not good enough, where that is the reason.
    """

    reason: ArcfaceError
    refused: tuple[RefusedFace, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The input could not be worked through; `error` says why."""

    error: ArcfaceError


Outcome = Done[T] | Skipped | Failed
"""Exactly one for each input, in input order."""


def _read_only(array: NDArray[np.generic]) -> NDArray[np.generic]:
    view = array.view()
    view.flags.writeable = False
    return view
