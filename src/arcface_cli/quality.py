"""How good a face is for recognition: numbers measured on its crop and its landmarks, and limits on them.

Pure NumPy. The numbers, where they come from and what they cost are in docs/quality.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import (
    DetectionScoreLow,
    FaceBlurred,
    FaceError,
    FaceOverexposed,
    FaceTooSmall,
    FaceTurned,
    FaceUnderexposed,
)
from arcface_cli.faces import AlignedFaces, DetectedFace, FaceQuality, RefusedFace

TOP, BOTTOM, LEFT, RIGHT = 32, 104, 24, 88
"""The part of a crop that is measured: from the brows to under the lips, without hair and background."""

Rows = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Of an affine map of the plane."""

DARK_BELOW, BRIGHT_ABOVE = 20, 250
"""Luma (0 to 255) under which a pixel holds no shape any more, and over which it is burnt out."""

HEAD_MODEL: NDArray[np.float64] = np.array(
    [[-0.47, 0.0, 0.0], [0.47, 0.0, 0.0], [0.0, 0.545, 0.51], [-0.40, 1.0, -0.11], [0.40, 1.0, -0.11]]
)
"""(5, 3) where the five points lie on a mean head: x to the image's right, y down, z towards the camera; one
unit is the distance from the eyes to the mouth, seen from the front. Measured (docs/quality.md)."""

_CENTRED_MODEL = HEAD_MODEL - HEAD_MODEL.mean(axis=0)
_OBJECT_MATRIX = np.linalg.pinv(_CENTRED_MODEL)


def measure(
    aligned: AlignedFaces, faces: Sequence[DetectedFace], picture: tuple[int, int]
) -> tuple[FaceQuality, ...]:
    """The numbers of every face, row by row. picture: width and height of the upright image in pixels.

    What a crop shows beyond the picture's edge (black) isn't counted, neither as dark nor as an edge.
    """
    if len(aligned) != len(faces):
        raise ValueError(f"{len(faces)} faces need as many crops, not {len(aligned)}")
    if not faces:
        return ()
    angles = head_pose(np.stack([face.points.array for face in faces]))
    qualities = []
    for crop, transform, face, (yaw, pitch, roll) in zip(
        aligned.crops, aligned.transforms, faces, angles.tolist(), strict=True
    ):
        sharpness, dark, bright = _surface(crop, transform, picture)
        qualities.append(FaceQuality(shorter_side(face), sharpness, yaw, pitch, roll, dark, bright))
    return tuple(qualities)


def shorter_side(face: DetectedFace) -> float:
    """Shorter side of a face's box, in pixels."""
    return min(face.box.width, face.box.height)


def head_pose(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Yaw, pitch and roll, in degrees, of heads seen by a distant camera.

    points: (B, 5, 2) pixels, in the order of `FivePoints`. Returns (B, 3): yaw -180 to 180, positive = the
    nose points to the image's right; pitch -90 to 90, positive = upwards; roll -180 to 180, positive =
    clockwise in the image.

    The pose from orthography and scaling of DeMenthon and Davis, "Model-based object pose in 25 lines of
    code", IJCV 15, 1995, section 3: the best affine map from the model to the image is the pseudo-inverse
    of the model times the points; the nearest two orthonormal rows (its orthogonal polar factor) are the
    first two of the rotation Rz(roll) Rx(pitch) Ry(yaw).
    """
    image = np.asarray(points, dtype=np.float64)
    centred = image - image.mean(axis=1, keepdims=True)
    affine = np.swapaxes(centred, 1, 2) @ _OBJECT_MATRIX.T
    return np.array([_angles(*rows) for rows in affine.tolist()]).reshape(-1, 3)


def _angles(x: list[float], y: list[float]) -> tuple[float, float, float]:
    """Angles of the rotation whose first two rows are nearest to these, up to one scale.

    The polar factor has a closed form: its third row is along x cross y, of length s; the first two are
    ((yy + s) x - xy y) and ((xx + s) y - xy x) over one number, with dot products xx, xy, yy.
    """
    normal = (x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0])
    length = math.hypot(*normal)
    xx, xy, yy = (sum(a * b for a, b in zip(u, v, strict=True)) for u, v in ((x, x), (x, y), (y, y)))
    yaw = math.atan2(-normal[0], normal[2])
    pitch = math.atan2(normal[1], math.hypot(normal[0], normal[2]))
    roll = math.atan2(xy * y[1] - (yy + length) * x[1], (xx + length) * y[1] - xy * x[1])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


@dataclass(frozen=True, slots=True)
class QualityGates:
    """Limits that a face must keep; None: no limit. A value exactly at its limit is kept.

    min_face: shorter side of the box in pixels.  min_detection_score: 0 to 1.  min_sharpness: variance of
    the Laplacian.  max_yaw: degrees to either side.  max_dark, max_bright: shares of pixels, 0 to 1.
    """

    min_face: float | None = None
    min_detection_score: float | None = None
    min_sharpness: float | None = None
    max_yaw: float | None = None
    max_dark: float | None = None
    max_bright: float | None = None

    def refuse_detection(self, face: DetectedFace, name: str) -> FaceError | None:
        """Why a face isn't worth cutting out of the photograph `name`; None if it is."""
        side, score = shorter_side(face), face.detection_score
        if self.min_face is not None and side < self.min_face:
            return FaceTooSmall(
                f"{name}: the face's shorter side is {_number(side, self.min_face)} pixels, "
                f"under --min-face {self.min_face:g}"
            )
        if self.min_detection_score is not None and score < self.min_detection_score:
            limit = self.min_detection_score
            return DetectionScoreLow(
                f"{name}: the face's detection score is {_number(score, limit)}, under --det-score {limit:g}"
            )
        return None

    def refuse(self, quality: FaceQuality, name: str) -> FaceError | None:
        """Why a face of the photograph `name` isn't good enough; None if it is.

        Exposure is asked before sharpness: a face in the dark has no contrast and would read as blurred.
        """
        if self.max_dark is not None and quality.dark > self.max_dark:
            said = f"{name}: the face is too dark: {_number(quality.dark, self.max_dark)} of it is black"
            return FaceUnderexposed(f"{said}, over --max-dark {self.max_dark:g}")
        if self.max_bright is not None and quality.bright > self.max_bright:
            said = (
                f"{name}: the face is overexposed: {_number(quality.bright, self.max_bright)} of it is white"
            )
            return FaceOverexposed(f"{said}, over --max-bright {self.max_bright:g}")
        if self.min_sharpness is not None and quality.sharpness < self.min_sharpness:
            said = f"{name}: the face is blurred: sharpness {_number(quality.sharpness, self.min_sharpness)}"
            return FaceBlurred(f"{said}, under --min-sharpness {self.min_sharpness:g}")
        if self.max_yaw is not None and abs(quality.yaw) > self.max_yaw:
            said = f"{name}: the face is turned aside by {_number(abs(quality.yaw), self.max_yaw)} degrees"
            return FaceTurned(f"{said}, over --max-yaw {self.max_yaw:g}")
        return None

    def detections(
        self, faces: Sequence[DetectedFace], name: str
    ) -> tuple[tuple[DetectedFace, ...], tuple[RefusedFace, ...]]:
        """The faces worth cutting out, and the others with the reason."""
        kept, refused = [], []
        for face in faces:
            reason = self.refuse_detection(face, name)
            if reason is None:
                kept.append(face)
            else:
                refused.append(RefusedFace(face, reason))
        return tuple(kept), tuple(refused)


ENROLMENT_GATES = QualityGates(min_sharpness=30.0, max_yaw=60.0, max_dark=0.5, max_bright=0.6)
"""What `enroll` asks of a face unless the user says otherwise: a template serves for years, and a bad one
draws strangers to it. docs/quality.md says what each limit was seen to keep out."""


def largest(refused: Sequence[RefusedFace]) -> RefusedFace:
    """The refused face that a photograph is most likely about; at least one is needed."""
    return max(refused, key=lambda each: each.face.box.area)


def _surface(
    crop: NDArray[np.uint8], transform: NDArray[np.float64], picture: tuple[int, int]
) -> tuple[float, float, float]:
    """Sharpness, and the dark and bright shares, of one crop's measured part."""
    luma = _luma(crop[TOP - 1 : BOTTOM + 1, LEFT - 1 : RIGHT + 1])
    inner = luma[1:-1, 1:-1]
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * inner
    inside = _inside(transform, picture)
    if inside is not None:
        if not inside.any():
            return 0.0, 1.0, 0.0
        inner, laplacian = inner[inside], laplacian[inside]
    count = inner.size
    dark, bright = np.count_nonzero(inner < DARK_BELOW), np.count_nonzero(inner > BRIGHT_ABOVE)
    return float(laplacian.var()), int(dark) / count, int(bright) / count


def _luma(bgr: NDArray[np.uint8]) -> NDArray[np.int16]:
    """ITU-R BT.601 luma in whole numbers, 0 to 255."""
    blue, green, red = (bgr[..., channel].astype(np.uint16) for channel in range(3))
    return ((29 * blue + 150 * green + 77 * red + 128) >> 8).astype(np.int16)  # the sum is at most 65,408


def _inside(transform: NDArray[np.float64], picture: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Which measured pixels, with all four neighbours, lie in the picture; None: every one does."""
    to_picture = _inverse(transform)
    width, height = picture
    # The part is a rectangle before it is turned: where its corners lie in the picture, all of it does.
    corners = [_moved(to_picture, column, row) for column in (LEFT - 1, RIGHT) for row in (TOP - 1, BOTTOM)]
    if all(0 <= x <= width - 1 and 0 <= y <= height - 1 for x, y in corners):
        return None
    rows, columns = np.arange(TOP - 1, BOTTOM + 1)[:, None], np.arange(LEFT - 1, RIGHT + 1)
    x, y = _moved(to_picture, columns, rows)
    within: NDArray[np.bool_] = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    neighbours = within[:-2, 1:-1] & within[2:, 1:-1] & within[1:-1, :-2] & within[1:-1, 2:]
    return within[1:-1, 1:-1] & neighbours


def _inverse(transform: NDArray[np.float64]) -> Rows:
    """The affine map back, by Cramer's rule."""
    (a, b, x), (c, d, y) = transform.tolist()
    determinant = a * d - b * c
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    return (a, b, -a * x - b * y), (c, d, -c * x - d * y)


def _moved(rows: Rows, x: Any, y: Any) -> tuple[Any, Any]:
    """Where an affine map takes x and y, numbers or arrays."""
    (a, b, e), (c, d, f) = rows
    return a * x + b * y + e, c * x + d * y + f


def _number(value: float, limit: float) -> str:
    """A value with as many digits as it takes to tell it from the limit that it missed."""
    for digits in (0, 1, 2, 3, 4):
        text = f"{value:.{digits}f}"
        if float(text) != limit and (float(text) < limit) == (value < limit) and (digits or limit > 1):
            return text
    return f"{value:.9g}"
