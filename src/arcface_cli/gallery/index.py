"""Exact search for the most similar vectors: the port, and its specification in NumPy.

Similarity is defined as the inner product summed in float64 and rounded to float32. So it depends on the two
vectors alone, never on their place in a matrix or on an engine's order of summation, and equal vectors tie.
An engine works in float32 to find who may be among the k best, errors included; `ranked` settles the order.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable

SearchResult = tuple[NDArray[np.float32], NDArray[np.int64]]
"""similarities (M, k) float32 and template ids (M, k) int64; best first, ties by ascending id."""

FAISS_FROM = 200_000
"""Templates from which FAISS on a CPU pays for its import and its copy of the vectors.

Two cores, 100,000 x 512: one probe 4 ms here and 9 ms there, 512 probes 0.54 s here and 0.24 s there.
"""

_SCORES_AT_ONCE = 16 * 1024 * 1024  # float32 scores held at a time: 64 MiB
_PAIRS_AT_ONCE = 16 * 1024  # vector pairs multiplied in float64 at a time


class Index(Protocol):
    """Vectors with ids, searched exactly."""

    def __len__(self) -> int:
        """Number of vectors."""
        ...

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        """The k nearest of each of (M, D) float32 probes; min(k, N) columns.

        Raises ValueError for another shape or dtype, and for k < 1.
        """
        ...


class ExactIndex:
    """Every score of every probe, in NumPy.

    vectors: (N, D) float32, norm at most 1 +- 1e-3.  ids: (N,) int64, ascending.
    """

    def __init__(self, vectors: NDArray[np.float32], ids: NDArray[np.int64]) -> None:
        check_vectors(vectors, ids)
        self._vectors = vectors
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        """See `Index.search`."""
        check_probes(probes, self._vectors.shape[1], k)
        width = min(k, len(self))
        similarities = np.empty((len(probes), width), dtype=np.float32)
        ids = np.empty((len(probes), width), dtype=np.int64)
        if width == 0:
            return similarities, ids
        step = max(1, _SCORES_AT_ONCE // len(self))
        for start in range(0, len(probes), step):
            block = slice(start, start + step)
            rows, columns = self._contenders(probes[block], width)
            similarities[block], ids[block] = ranked(
                probes[block], self._vectors, self._ids, rows, columns, width
            )
        return similarities, ids

    def _contenders(
        self, probes: NDArray[np.float32], width: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs (probe row, vector row) that may be among the `width` best once rounding is accounted for."""
        scores = probes @ self._vectors.T
        cut = len(self) - width
        bound = np.partition(scores, cut, axis=1)[:, cut] - rounding_slack(probes.shape[1])
        rows, columns = np.nonzero(scores >= bound[:, np.newaxis])
        return rows, columns


def rounding_slack(dimension: int) -> float:
    """Most by which two float32 inner products of unit vectors can be in the wrong order.

    A sum of D products errs by at most D u |x| |y|, u = 2^-24, whatever its order (Higham 2002, eq. 3.5);
    that twice, and the last rounding to float32.
    """
    return 1.01 * (2 * dimension + 4) * 2.0**-24


def ranked(
    probes: NDArray[np.float32],
    vectors: NDArray[np.float32],
    ids: NDArray[np.int64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    width: int,
) -> SearchResult:
    """The `width` best of the given pairs (probe row, vector row), by exact similarity, then by id.

    Every probe needs `width` pairs at least. `rows` and `columns` are (P,).
    """
    similarities = similarities_of(probes, vectors, rows, columns)
    found = ids[columns]
    order = np.lexsort((found, -similarities, rows))
    starts = np.searchsorted(rows[order], np.arange(len(probes)))
    best = order[starts[:, np.newaxis] + np.arange(width)]
    return similarities[best], found[best]


def similarities_of(
    probes: NDArray[np.float32],
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float32]:
    """(P,) float32 similarity of each pair, by definition: summed in float64, then rounded."""
    similarities = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        left = probes[rows[block]].astype(np.float64)
        right = vectors[columns[block]].astype(np.float64)
        similarities[block] = np.einsum("pd,pd->p", left, right)
    return similarities


def check_vectors(vectors: NDArray[np.float32], ids: NDArray[np.int64]) -> None:
    """Raise ValueError unless `vectors` is float32 (N, D) and `ids` is ascending (N,)."""
    if vectors.ndim != 2 or vectors.dtype != np.float32 or ids.shape != (len(vectors),):
        raise ValueError(
            f"an index needs float32 (N, D) and N ids, not {vectors.dtype} {vectors.shape}, {ids.shape}"
        )
    if not np.all(ids[1:] > ids[:-1]):
        raise ValueError("ids must ascend")


def check_probes(probes: NDArray[np.float32], dimension: int, k: int) -> None:
    """Raise ValueError unless `probes` is float32 (M, dimension) and k is at least 1."""
    if probes.ndim != 2 or probes.dtype != np.float32 or probes.shape[1] != dimension:
        raise ValueError(f"probes need float32 (M, {dimension}), not {probes.dtype} {probes.shape}")
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")


def build_index(vectors: NDArray[np.float32], ids: NDArray[np.int64], device: str = "cpu") -> Index:
    """The fastest index for this many vectors. device: "cpu", "cuda" or "cuda:N".

    Raises DeviceUnavailable when a GPU is asked for that FAISS can't use, RuntimeMissing without FAISS.
    """
    if device == "cpu" and len(ids) < FAISS_FROM:
        return ExactIndex(vectors, ids)
    from arcface_cli.gallery.faiss_index import FaissIndex  # 0.8 s that a small gallery needn't wait for

    return FaissIndex(vectors, ids, device)


def gpu_number(device: str) -> int | None:
    """N of "cuda:N", 0 for "cuda", None for "cpu". Raises DeviceUnavailable for anything else."""
    if device == "cpu":
        return None
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number.isdecimal() or device == "cuda"):
        raise DeviceUnavailable(f"{device}: is no device", hint="say cpu, cuda or cuda:N")
    return int(number) if number else 0
