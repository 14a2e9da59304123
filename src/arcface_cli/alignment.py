"""Five points -> the 2x3 similarity transform that lays them on the ArcFace template. Pure NumPy.

Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point
patterns", IEEE TPAMI 13(4), 1991, equations 34-42. In the plane the singular value decomposition
there has a closed form: written as complex numbers, the least-squares rotation and scale is one
complex factor, so a whole batch costs a few sums and needs no SVD and no special case for
reflections (a similarity of the complex plane z -> az + b never reflects).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import DegenerateLandmarks

ALIGNMENT_VERSION = "arcface-112-similarity-1"
"""Names the template and the transform below; part of every model fingerprint."""

ARCFACE_TEMPLATE: NDArray[np.float64] = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)
"""(5, 2) pixels of the 112x112 crop: where eyes, nose and mouth corners go (ArcFace, section 4.1;
the coordinates are those that the public networks were trained with)."""

_W = ARCFACE_TEMPLATE @ (1, 1j)
_W_MEAN = _W.mean()  # eq. 35
"""The template and its mean as complex numbers."""

MIN_SPREAD = 1.0
"""Root-mean-square distance of the points from their mean, in pixels, below which they are one spot."""

MIN_AGREEMENT = 0.4
"""Share of the template's shape that the best similarity must explain. Frontal faces reach 0.95 and more,
full profiles 0.7; a face whose left and right are swapped stays at 0.23."""


def similarity_to_template(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least-squares similarity transforms from image points to the ArcFace template.

    points: (B, 5, 2) pixels of the upright image, in the order of `FivePoints`.
    Returns (B, 2, 3) float64, image -> crop: crop_xy = transform @ (x, y, 1). Rows of points for
    which there is no such transform (all in one spot, or not finite) come back as NaN; ask
    `refuse_landmarks` for the rows to leave out.
    """
    source = np.asarray(points, dtype=np.float64)
    if source.ndim != 3 or source.shape[1:] != (5, 2):
        raise ValueError(f"points need shape (B, 5, 2), not {source.shape}")
    z = source @ (1, 1j)
    z_mean = z.mean(axis=1, keepdims=True)  # eq. 34
    z_centred = z - z_mean
    variance = np.vecdot(z_centred, z_centred).real / 5  # eq. 36
    covariance = np.vecdot(z_centred, _W - _W_MEAN) / 5  # eq. 38; vecdot takes the conjugate of the first
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = covariance / variance  # scale times rotation, eq. 40 and 42
        shift = _W_MEAN - factor * z_mean[:, 0]  # eq. 41
    rows = [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    return np.moveaxis(np.array(rows), 2, 0)


def refuse_landmarks(
    points: NDArray[np.floating], transforms: NDArray[np.float64], name: str
) -> list[DegenerateLandmarks | None]:
    """For each of (B, 5, 2) points and their similarities (B, 2, 3): why it is no face of `name`, or None.

    That is when the points lie in one spot, or when even the best similarity leaves them unlike a face:
    points in a mirrored or scrambled order largely cancel out, and their crop would be a shrunken smear.
    """
    spreads = _spread(np.asarray(points, dtype=np.float64))
    # Scale times spread is how much of the template's own spread the moved points recover: the absolute
    # value of the correlation between both sets, seen as complex numbers.
    agreements = np.hypot(transforms[:, 0, 0], transforms[:, 1, 0]) * spreads / _TEMPLATE_SPREAD
    return [_fault(*each, name) for each in zip(spreads.tolist(), agreements.tolist(), strict=True)]


def _fault(spread: float, agreement: float, name: str) -> DegenerateLandmarks | None:
    if spread < MIN_SPREAD:
        return DegenerateLandmarks(
            f"{name}: the five landmarks lie within {spread:.2f} pixels of one another"
        )
    if not agreement >= MIN_AGREEMENT:
        return DegenerateLandmarks(
            f"{name}: the five landmarks don't form a face (agreement {agreement:.2f})"
        )
    return None


def _spread(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root-mean-square distance of (..., 5, 2) points from their mean: (...)."""
    centred = points - points.mean(axis=-2, keepdims=True)
    spread: NDArray[np.float64] = np.sqrt((centred**2).sum(axis=-1).mean(axis=-1))
    return spread


_TEMPLATE_SPREAD = float(_spread(ARCFACE_TEMPLATE))


def alignment_error(points: NDArray[np.floating], transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root-mean-square distance, in crop pixels, of the transformed points from the template.

    points: (B, 5, 2), transforms: (B, 2, 3). Returns (B,). Small for frontal faces, large for profiles.
    """
    moved = np.einsum("bij,bpj->bpi", transforms[:, :, :2], points) + transforms[:, None, :, 2]
    distances: NDArray[np.float64] = np.sqrt(((moved - ARCFACE_TEMPLATE) ** 2).sum(axis=2).mean(axis=1))
    return distances
