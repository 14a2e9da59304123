"""Photographs of nobody: drawn from a seed, where a real one isn't at hand and mustn't be shipped."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_GRAINS = ((5, 60.0), (20, 24.0), (80, 10.0), (320, 5.0))
"""Cells along the longer side, and how far their brightness varies: coarse is strong, as in nature."""
_NOISE = 3.0
_SKIN, _EYE, _LIP = (150, 175, 215), (45, 40, 40), (95, 90, 175)
_FRACTION_BITS = 4


def draw_photograph(seed: int, width: int, height: int, faces: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A scene without sense that costs a decoder what a photograph costs, and faces drawn on it.

    faces: (F, 5, 2) pixels, in the order of `FivePoints`. No detector need take them for faces.
    Returns (height, width, 3) uint8 BGR, the same for the same arguments.
    """
    random = np.random.default_rng(seed)
    scene = np.full((height, width, 3), 128, np.float32)
    for cells, strength in _GRAINS:
        shape = (max(2, cells * height // max(height, width)), max(2, cells * width // max(height, width)), 3)
        grain = random.normal(0.0, strength, shape).astype(np.float32)
        scene += cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    scene += random.normal(0.0, _NOISE, (height, width, 1)).astype(np.float32)
    for points in faces:
        _draw_face(scene, np.asarray(points, np.float64), random)
    return scene.clip(0, 255).astype(np.uint8)


def _draw_face(scene: NDArray[np.float32], points: NDArray[np.float64], random: np.random.Generator) -> None:
    left_eye, right_eye, nose, left_mouth, right_mouth = points
    apart = float(np.linalg.norm(right_eye - left_eye))
    mouth = (left_mouth + right_mouth) / 2
    tilt = float(np.degrees(np.arctan2(*(right_eye - left_eye)[::-1])))
    shade = random.normal(0.0, 12.0)
    _ellipse(scene, points.mean(axis=0), (1.15 * apart, 1.55 * apart), tilt, [c + shade for c in _SKIN])
    for eye in (left_eye, right_eye):
        _ellipse(scene, eye, (0.24 * apart, 0.12 * apart), tilt, (225, 225, 225))
        _ellipse(scene, eye, (0.11 * apart, 0.11 * apart), tilt, _EYE)
        _ellipse(scene, eye - (0, 0.3 * apart), (0.3 * apart, 0.05 * apart), tilt, _EYE)
    _ellipse(scene, nose, (0.16 * apart, 0.1 * apart), tilt, [c + shade - 35 for c in _SKIN])
    half = float(np.linalg.norm(right_mouth - left_mouth)) / 2
    _ellipse(scene, mouth, (half, 0.3 * half), tilt, _LIP)


def _ellipse(
    scene: NDArray[np.float32],
    centre: NDArray[np.float64],
    radii: tuple[float, float],
    tilt: float,
    colour: list[float] | tuple[float, ...],
) -> None:
    """A filled ellipse over the scene, its grain kept. radii: pixels.  tilt: degrees, clockwise."""
    mask = np.zeros(scene.shape[:2], np.uint8)
    fine = 1 << _FRACTION_BITS
    cv2.ellipse(
        mask,
        (round(float(centre[0]) * fine), round(float(centre[1]) * fine)),
        (round(radii[0] * fine), round(radii[1] * fine)),
        tilt, 0, 360, 255, cv2.FILLED, cv2.LINE_8, _FRACTION_BITS,
    )  # fmt: skip
    inside = mask > 0
    if inside.any():
        grain = scene[inside] - scene[inside].mean(axis=0)
        scene[inside] = np.asarray(colour, np.float32) + 0.25 * grain
