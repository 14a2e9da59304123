"""Galleries of nobody: directions drawn from a seed, to measure a search of any size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcface_cli.gallery.vectors import StoredVectors, VectorType, stored_as

_ROWS_AT_ONCE = 8192


def unit_vectors(count: int, dimension: int, seed: int) -> NDArray[np.float32]:
    """(count, dimension) float32 rows of unit length, every direction as likely as any other."""
    rows = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def random_vectors(count: int, dimension: int, kind: VectorType, seed: int) -> StoredVectors:
    """`count` unit vectors as a gallery keeps them, made a block at a time: no more memory than they take."""
    codes = np.empty((count, dimension), kind.dtype)
    scales = np.empty(count, np.float32) if kind is VectorType.INT8 else None
    for start in range(0, count, _ROWS_AT_ONCE):
        block = slice(start, min(start + _ROWS_AT_ONCE, count))
        made = stored_as(kind, unit_vectors(block.stop - start, dimension, seed + start))
        codes[block] = made.codes
        if scales is not None and made.scales is not None:
            scales[block] = made.scales
    return StoredVectors(codes, scales)


def stored_bytes(count: int, dimension: int, kind: VectorType) -> int:
    """Memory that so many vectors take."""
    return count * (dimension * kind.dtype.itemsize + (4 if kind is VectorType.INT8 else 0))
