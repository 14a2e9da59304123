"""Feature vectors as they are kept for a search: float32, or rounded to float16 or int8 to read less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class VectorType(StrEnum):
    """How a component is stored. The value is the option's word and the cache file's name."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the codes, little-endian; of int8 a byte, 128 more than the number."""
        return _CODES[self]


_CODES: dict[VectorType, np.dtype[np.generic]] = {
    VectorType.FLOAT32: np.dtype("<f4"),
    VectorType.FLOAT16: np.dtype("<f2"),
    VectorType.INT8: np.dtype("u1"),
}
_ZERO = 128
"""The code of 0 in int8 vectors. They are kept as bytes from 1 to 255, which FAISS can scan as they are."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredVectors:
    """(N, D) vectors in one of the types; `rows` gives them back as float32.

    codes: (N, D).  scales: (N,) float32 for int8, where component j of row i is
    (codes[i, j] - 128) * scales[i]; None otherwise.
    """

    codes: NDArray[np.generic]
    scales: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.codes.ndim != 2 or self.codes.dtype not in _CODES.values():
            raise ValueError(
                f"vectors are (N, D) float32, float16 or uint8, not {self.codes.dtype} {self.codes.shape}"
            )
        if (self.type is VectorType.INT8) != (self.scales is not None):
            raise ValueError("int8 vectors need a scale a row, others have none")

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def type(self) -> VectorType:
        """How they are stored."""
        return next(kind for kind, dtype in _CODES.items() if dtype == self.codes.dtype)

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.codes.shape[1])

    def rows(self, places: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """The vectors at some places, (P, D) float32; a slice of float32 ones is a view."""
        chosen = self.codes[places]
        wide: NDArray[np.float32] = chosen.astype(np.float32, copy=False)
        return wide if self.scales is None else (wide - _ZERO) * self.scales[places, np.newaxis]

    def blocks(self, size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(first place, (up to size, D) float32) of one block after the other, each to be used at once.

        They are not multiplied by their scales: a score is, which is less work.
        """
        spare = np.empty((0 if self.type is VectorType.FLOAT32 else size, self.dimension), dtype=np.float32)
        for start in range(0, len(self), size):
            codes = self.codes[start : start + size]
            yield start, _widen(codes, spare[: len(codes)])


def _widen(codes: NDArray[np.generic], out: NDArray[np.float32]) -> NDArray[np.float32]:
    """Codes as float32, but for a scale: themselves, or in `out`."""
    if codes.dtype == np.float32:
        return codes.view(np.float32)
    if codes.dtype == np.uint8:
        np.copyto(out, np.bitwise_xor(codes, np.uint8(_ZERO)).view(np.int8))  # a byte less 128, as an int8
        return out
    # NumPy turns float16 into float32 one by one. The bits do as well: moved to float32's places they are the
    # number times 2^-112, subnormal ones included, since the exponents' biases differ by 112.
    bits = out.view(np.int32)
    np.copyto(bits, codes.view(np.int16))
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, np.int32(-0x80000000 + 0x0FFFE000), out=bits)
    np.multiply(out, np.float32(2.0**112), out=out)
    return out


def stored_as(kind: VectorType, features: NDArray[np.float32]) -> StoredVectors:
    """(N, D) float32 in the form of `kind`. int8 rounds to 127 steps of each row's largest component."""
    match kind:
        case VectorType.FLOAT32:
            return StoredVectors(features)
        case VectorType.FLOAT16:
            return StoredVectors(features.astype("<f2"))
        case VectorType.INT8:
            largest = np.abs(features).max(axis=1, initial=0.0)
            scales = (np.where(largest > 0, largest, 1) / np.float32(127)).astype(np.float32)
            codes = np.rint(features / scales[:, np.newaxis]).clip(-127, 127) + _ZERO
            return StoredVectors(codes.astype(np.uint8), scales)
