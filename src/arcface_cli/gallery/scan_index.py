"""float16 and int8 vectors searched for a few probes: FAISS scans the codes where they lie, mapped files too.

NumPy would have to turn them into float32 first, which takes several times as long. A search for many probes
does so once for all of them, see `BlockIndex`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from arcface_cli.gallery.index import FEW_PROBES, BlockIndex, Pairs, Race, rounding_slack
from arcface_cli.gallery.vectors import StoredVectors, VectorType
from arcface_cli.settings import available_cores

faiss: Any = _faiss  # its types know little of what is used here
_FIRST_SCANNED = 1024  # vectors: their scores all come back, later only those that are good enough
_SCANNED_AT_ONCE = 32 * 1024  # vectors


class ScanIndex(BlockIndex):
    """The same answers as `ExactIndex`, for float16 or int8 vectors."""

    def _contenders(self, probes: NDArray[np.float32], width: int) -> Pairs:
        if len(probes) > FEW_PROBES:
            return super()._contenders(probes, width)
        cores = available_cores()
        share = -(-len(self) // cores)
        shares = [range(start, min(start + share, len(self))) for start in range(0, len(self), share)]
        with ThreadPoolExecutor(cores, thread_name_prefix="scan") as pool:
            found = list(pool.map(lambda places: self._scanned(probes, width, places), shares))
        rows, columns = (np.concatenate(each) for each in zip(*found, strict=True))
        return rows, columns

    def _scanned(self, probes: NDArray[np.float32], width: int, places: range) -> Pairs:
        race = Race(len(probes), width, _slack(self._vectors))
        scans = [_Scan(self._vectors, probe) for probe in probes]
        for part in _growing(places):
            for row, scan in enumerate(scans):
                columns, scores = scan.above(race.bounds[row], part)
                race.add(np.full(len(columns), row), columns, scores)
        return race.contenders()


class _Scan:
    """One probe's way through the vectors."""

    def __init__(self, vectors: StoredVectors, probe: NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._probe = np.ascontiguousarray(probe)
        self._quantizer = _quantizer(vectors)
        self._centre = faiss.IndexFlatIP(vectors.dimension)  # asked for, and looked at for residuals alone
        self._scanner = self._quantizer.select_InvertedListScanner(
            faiss.METRIC_INNER_PRODUCT, self._centre, True, None, False
        )
        self._scanner.set_query(faiss.swig_ptr(self._probe))
        self._scanner.set_list(0, 0.0)

    def above(self, bound: np.float32, places: range) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places whose vectors have a score of `bound` or more, and the scores."""
        part = slice(places.start, places.stop)
        codes = self._vectors.codes[part]
        scales = None if self._vectors.scales is None else self._vectors.scales[part]
        if scales is not None:  # FAISS sees none: let pass whatever may reach the bound with any of them
            bound = min(bound / scales.min(), bound / scales.max())
        found = faiss.RangeSearchResult(1)
        partial = faiss.RangeSearchPartialResult(found)
        hits = partial.new_result(0)
        radius = float(np.nextafter(np.float32(bound), np.float32(-np.inf)))  # FAISS takes what is more
        self._scanner.scan_codes_range(len(codes), faiss.swig_ptr(codes.view(np.uint8)), None, radius, hits)
        partial.finalize()
        if hits.nres == 0:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        columns = faiss.rev_swig_ptr(found.labels, hits.nres).copy()
        scores = faiss.rev_swig_ptr(found.distances, hits.nres).copy()
        return columns + places.start, scores if scales is None else scores * scales[columns]


def _quantizer(vectors: StoredVectors) -> Any:
    """FAISS's ScalarQuantizer that reads our codes."""
    if vectors.type is VectorType.FLOAT16:
        return faiss.ScalarQuantizer(vectors.dimension, faiss.ScalarQuantizer.QT_fp16)
    quantizer = faiss.ScalarQuantizer(vectors.dimension, faiss.ScalarQuantizer.QT_8bit_uniform)
    # A code c stands for vmin + (c + 0.5) / 255 * vdiff: c - 128 for vmin = -128.5 and vdiff = 255.
    faiss.copy_array_to_vector(np.array([-128.5, 255], dtype=np.float32), quantizer.trained)
    return quantizer


def _slack(vectors: StoredVectors) -> float:
    """Rounding of the sums; and for int8 of what FAISS makes of the codes.

    That is less than 5 x 256 x 2^-24 off, times a scale of 1/127 at most, summed over a unit probe, for two
    scores.
    """
    codes = 0.0 if vectors.scales is None else 24 * math.sqrt(vectors.dimension) * 2.0**-24
    return rounding_slack(vectors.dimension) + codes


def _growing(places: range) -> Iterator[range]:
    """Parts, small at first: until a bound is known, every score comes back."""
    start, size = places.start, _FIRST_SCANNED
    while start < places.stop:
        yield range(start, min(start + size, places.stop))
        start, size = start + size, min(4 * size, _SCANNED_AT_ONCE)
