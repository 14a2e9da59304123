"""Aligned crops -> templates: preprocess as the catalogue says, run in batches, give unit length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable, UnusableFeature
from arcface_cli.faces import AlignedFaces, Fed, ModelFingerprint, TemplateBatch
from arcface_cli.imaging.blob import PixelScaling, to_input

DEFAULT_BATCH = 32
SMALLEST_NORM = 1e-6
"""A raw feature shorter than this has no direction that means anything; real ones are some 5 to 30 long."""


class Network(Protocol):
    """What a recogniser asks of a session."""

    def run(self, blob: Fed) -> list[NDArray[np.float32]]:
        """(N, 3, 112, 112) float32, or (N, 112, 112, 3) uint8 if it scales by itself -> [(N, D) float32]."""
        ...


class Recogniser:
    """An ArcFace-style network and the fingerprint of what it makes. Safe to use from several threads.

    scaling: what the host does to pixels; None: the network takes uint8 crops and scales by itself.
    batch: crops in one run of the network.  padded: fill runs up to a power of two, so that a device which
    prepares itself for every new shape meets few.
    """

    def __init__(
        self,
        network: Network,
        scaling: PixelScaling | None,
        fingerprint: ModelFingerprint,
        *,
        batch: int = DEFAULT_BATCH,
        padded: bool = False,
    ) -> None:
        self.fingerprint = fingerprint
        self._network = network
        self._scaling = scaling
        self._padded = padded
        self.batch = batch

    def embed(self, faces: AlignedFaces, name: str) -> TemplateBatch:
        """One template a crop, in order. name: of the photograph, for the error.

        Raises UnusableFeature when a crop yields NaN or a vector without direction, and ModelUnusable
        when the network answers in another shape than the catalogue promises.
        """
        rows = [self._features(faces.crops[part]) for part in self._parts(len(faces))]
        dimension = self.fingerprint.dimension
        raw = np.concatenate(rows) if rows else np.zeros((0, dimension), np.float32)
        return TemplateBatch(unit_length(raw, name), self.fingerprint)

    def _parts(self, count: int) -> Iterator[slice]:
        return (slice(start, start + self.batch) for start in range(0, count, self.batch))

    def _features(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        raw = self._run(crops)
        if self.fingerprint.flip:  # ArcFace's evaluation adds the features of the mirror image
            raw = raw + self._run(np.ascontiguousarray(crops[:, :, ::-1]))
        return raw

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        fed = padded(crops, self.batch) if self._padded else crops
        raw = self._network.run(to_input(fed, self._scaling))[0]
        expected = (len(fed), self.fingerprint.dimension)
        if raw.shape != expected:
            raise ModelUnusable(
                f"the recogniser answered with shape {raw.shape} where {expected} was promised",
                hint="see what the catalogue knows of it with: arcface models show",
            )
        return raw[: len(crops)]


def padded(crops: NDArray[np.uint8], batch: int) -> NDArray[np.uint8]:
    """The crops and black ones after them: as many as the next power of two, but no more than `batch`."""
    count = min(1 << (len(crops) - 1).bit_length(), batch)
    if count <= len(crops):
        return crops
    return np.concatenate([crops, np.zeros((count - len(crops), *crops.shape[1:]), np.uint8)])


def unit_length(raw: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Divide every row by its Euclidean norm: (N, D) -> (N, D) float32 on the unit hypersphere.

    (ArcFace, section 2.1: features are compared by their angle alone.) Raises UnusableFeature naming
    `name` when a row isn't finite or has next to no length.
    """
    wide = raw.astype(np.float64)
    norms = np.sqrt(np.vecdot(wide, wide))[:, None]
    if not ((norms > SMALLEST_NORM) & (norms < np.inf)).all():  # false for NaN
        raise UnusableFeature(f"{name}: the recogniser's feature is empty or not a number")
    unit: NDArray[np.float32] = (raw / norms).astype(np.float32)
    return unit
