"""Exact search for the most similar vectors: the port, and its specification in NumPy.

Similarity is defined as the inner product summed in float64 and rounded to float32. So it depends on the two
vectors alone, never on their place in a matrix or on an engine's order of summation, and equal vectors tie.
Vectors kept as float16 or int8 count as what they were rounded to. An engine works in float32 to find who may
be among the k best, errors included; `ranked` settles the order.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import UsageError
from arcface_cli.gallery.vectors import StoredVectors, VectorType
from arcface_cli.runtime.devices import read_device

SearchResult = tuple[NDArray[np.float32], NDArray[np.int64]]
"""similarities (M, k) float32 and template ids (M, k) int64; best first, ties by ascending id."""

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""(P,) rows of probes and (P,) rows of vectors."""

_SCORES_AT_ONCE = 2 * 1024 * 1024  # float32 scores of one block: 8 MiB
_FEWEST_ROWS = 2048  # of a block: fewer would leave the matrix product without work
_WIDENED_AT_ONCE = 4 * 1024 * 1024  # components turned into float32 at a time: 16 MiB
FEW_PROBES = 8
_SCANNED_FROM = 200_000
"""float16 or int8 vectors from which FAISS scans them for a few probes; for fewer its import takes longer."""

_PROBES_AT_ONCE = 1024
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
    """Every score of every probe at once, in NumPy: the specification, for a gallery that fits.

    vectors: N rows, norm at most 1 +- 0.03.  ids: (N,) int64, ascending.
    """

    def __init__(self, vectors: StoredVectors, ids: NDArray[np.int64]) -> None:
        check_vectors(vectors, ids)
        self._vectors = vectors
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        """See `Index.search`."""
        check_probes(probes, self._vectors.dimension, k)
        width = min(k, len(self))
        if width == 0 or len(probes) == 0:
            return nobody(len(probes), width)
        rows = np.repeat(np.arange(len(probes)), len(self))
        columns = np.tile(np.arange(len(self)), len(probes))
        return ranked(probes, self._vectors, self._ids, rows, columns, width)


class BlockIndex:
    """The same answers, a block of vectors at a time: read, widened and multiplied while it is in cache.

    Beside IndexFlatIP of FAISS on the same vectors this is the faster one on a CPU, see docs/galleries.md.
    """

    def __init__(self, vectors: StoredVectors, ids: NDArray[np.int64]) -> None:
        check_vectors(vectors, ids)
        self._vectors = vectors
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        """See `Index.search`."""
        check_probes(probes, self._vectors.dimension, k)
        width = min(k, len(self))
        similarities, ids = nobody(len(probes), width)
        if width == 0:
            return similarities, ids
        for start in range(0, len(probes), _PROBES_AT_ONCE):
            part = slice(start, start + _PROBES_AT_ONCE)
            rows, columns = self._contenders(probes[part], width)
            similarities[part], ids[part] = ranked(
                probes[part], self._vectors, self._ids, rows, columns, width
            )
        return similarities, ids

    def _contenders(self, probes: NDArray[np.float32], width: int) -> Pairs:
        """Pairs that may be among the `width` best of their probe once rounding is accounted for."""
        race = Race(len(probes), width, rounding_slack(probes.shape[1]))
        few = len(probes) <= FEW_PROBES
        for start, block in self._vectors.blocks(self._block_size(len(probes))):
            scores = np.stack([block @ probe for probe in probes]) if few else probes @ block.T
            if self._vectors.scales is not None:
                scores *= self._vectors.scales[start : start + len(block)]
            race.enter(scores, start)
        return race.contenders()

    def _block_size(self, probe_count: int) -> int:
        size = max(_FEWEST_ROWS, _SCORES_AT_ONCE // probe_count)
        if self._vectors.type is VectorType.FLOAT32:
            return size
        return min(size, _WIDENED_AT_ONCE // self._vectors.dimension + 1)


class Race:
    """Who may still be among the `width` best of each of M probes, while scores come in.

    bounds: (M,) float32, below which a score is out of it.
    """

    def __init__(self, probe_count: int, width: int, slack: float) -> None:
        self.bounds = np.full(probe_count, -np.inf, dtype=np.float32)
        self._width = width
        self._slack = np.float32(slack)
        self._kept: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        self._fresh = 0

    def enter(self, scores: NDArray[np.float32], start: int) -> None:
        """Take the (M, B) scores of all vectors from place `start` on."""
        count = scores.shape[1]
        if not self._kept and count > self._width:
            cut = count - self._width
            self.bounds = np.partition(scores, cut, axis=1)[:, cut] - self._slack
        hits = np.flatnonzero(scores >= self.bounds[:, np.newaxis])
        rows = hits // count
        self.add(rows, hits - rows * count + start, scores.ravel()[hits])

    def add(self, rows: NDArray[np.int64], columns: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        """Take (P,) scores of pairs; pairs below the bound of their probe may be left out."""
        self._kept.append((rows, columns, scores))
        self._fresh += len(rows)
        if self._fresh > len(self.bounds) * self._width:
            self._tighten()

    def contenders(self) -> Pairs:
        """At least `width` pairs a probe if so many came in."""
        self._tighten()
        rows, columns, _ = self._kept[0]
        return rows, columns

    def _tighten(self) -> None:
        rows, columns, scores = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
        order = np.lexsort((-scores, rows))
        rows, columns, scores = rows[order], columns[order], scores[order]
        starts = np.searchsorted(rows, np.arange(len(self.bounds) + 1))
        enough = np.diff(starts) >= self._width
        last = starts[:-1][enough] + self._width - 1
        self.bounds[enough] = scores[last] - self._slack
        good = scores >= self.bounds[rows]
        self._kept = [(rows[good], columns[good], scores[good])]
        self._fresh = 0


def nobody(probe_count: int, width: int) -> SearchResult:
    """Room for the answers of a search, (M, width) each."""
    return np.empty((probe_count, width), dtype=np.float32), np.empty((probe_count, width), dtype=np.int64)


def rounding_slack(dimension: int) -> float:
    """Most by which two float32 inner products of unit vectors can be in the wrong order.

    A sum of D products errs by at most D u |x| |y|, u = 2^-24, whatever its order (Higham 2002, eq. 3.5);
    that twice, and the last roundings to float32. 1.1: norms may be somewhat over 1, most so for int8.
    """
    return 1.1 * (2 * dimension + 6) * 2.0**-24


def ranked(
    probes: NDArray[np.float32],
    vectors: StoredVectors,
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
    vectors: StoredVectors,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float32]:
    """(P,) float32 similarity of each pair, by definition: summed in float64, then rounded."""
    similarities = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        block = slice(start, start + _PAIRS_AT_ONCE)
        left = probes[rows[block]].astype(np.float64)
        right = vectors.rows(columns[block]).astype(np.float64)
        similarities[block] = np.einsum("pd,pd->p", left, right)
    return similarities


def check_vectors(vectors: StoredVectors, ids: NDArray[np.int64]) -> None:
    """Raise ValueError unless there is one ascending id a vector."""
    if ids.shape != (len(vectors),):
        raise ValueError(f"an index needs one id a vector: {len(vectors)} vectors, ids {ids.shape}")
    if not np.all(ids[1:] > ids[:-1]):
        raise ValueError("ids must ascend")


def check_probes(probes: NDArray[np.float32], dimension: int, k: int) -> None:
    """Raise ValueError unless `probes` is float32 (M, dimension) and k is at least 1."""
    if probes.ndim != 2 or probes.dtype != np.float32 or probes.shape[1] != dimension:
        raise ValueError(f"probes need float32 (M, {dimension}), not {probes.dtype} {probes.shape}")
    if k < 1:
        raise ValueError(f"k must be 1 or more, not {k}")


def build_index(
    vectors: StoredVectors,
    ids: NDArray[np.int64],
    device: str = "cpu",
    tell: Callable[[str], None] | None = None,
) -> Index:
    """The fastest index for a device, named as for `read_device`.

    tell: called with what it takes of a GPU's memory, before it is taken. Raises DeviceUnavailable when a GPU
    is asked for that FAISS can't use or that hasn't the memory, RuntimeMissing without FAISS there.
    """
    if gpu_numbers(device):
        from arcface_cli.gallery.faiss_index import FaissIndex  # a search of float32 on a CPU needs no FAISS

        return FaissIndex(vectors, ids, device, tell)
    rounded = vectors.type is not VectorType.FLOAT32
    if rounded and len(vectors) >= _SCANNED_FROM and find_spec("faiss") is not None:
        from arcface_cli.gallery.scan_index import ScanIndex

        return ScanIndex(vectors, ids)
    return BlockIndex(vectors, ids)


def gpu_numbers(device: str) -> tuple[int, ...]:
    """The cards that "cuda:N,M" names, none for "cpu". Raises UsageError for auto and what is no device."""
    named = read_device(device)
    if named is None:
        raise UsageError(
            f"--device {device}: an index needs a device by its name", hint="say cpu, cuda or cuda:N"
        )
    return named.cards
