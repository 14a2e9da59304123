"""The engine for large galleries: FAISS IndexFlatIP, on a CPU or one GPU. Imported only when it is wanted."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable, RuntimeMissing
from arcface_cli.gallery.index import (
    ExactIndex,
    SearchResult,
    check_probes,
    check_vectors,
    gpu_number,
    ranked,
    rounding_slack,
)

_SPARE = 32
"""Neighbours asked for beyond k, so that near ties at the boundary seldom need a second look."""

_GPU_MOST = 2048
"""Neighbours that FAISS can give on a GPU."""

_TF32_SLACK = 2e-3
"""Tensor cores may round factors to 10 bits: each product errs by 2^-10 at most, and two scores can."""


class FaissIndex:
    """The same answers as `ExactIndex`, sooner.

    vectors: (N, D) float32, norm at most 1 +- 1e-3; FAISS keeps a copy.  ids: (N,) int64, ascending.
    device: "cpu", "cuda" or "cuda:N". Raises RuntimeMissing, DeviceUnavailable.
    """

    def __init__(self, vectors: NDArray[np.float32], ids: NDArray[np.int64], device: str = "cpu") -> None:
        check_vectors(vectors, ids)
        gpu = gpu_number(device)
        faiss = _faiss()
        self._vectors = np.ascontiguousarray(vectors)
        self._ids = ids
        self._exact = ExactIndex(self._vectors, ids)
        self._slack = rounding_slack(vectors.shape[1]) + (0.0 if gpu is None else _TF32_SLACK)
        self._most = len(ids) if gpu is None else min(len(ids), _GPU_MOST)
        self._engine = (
            _flat(faiss, vectors.shape[1]) if gpu is None else _on_gpu(faiss, vectors.shape[1], gpu)
        )
        if len(ids):
            self._engine.add(self._vectors)

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        """See `Index.search`."""
        check_probes(probes, self._vectors.shape[1], k)
        width = min(k, len(self))
        asked = min(width + _SPARE, self._most)
        if len(probes) == 0 or width == 0 or asked < width:
            return self._exact.search(probes, k)
        scores, columns = self._engine.search(np.ascontiguousarray(probes), asked)
        settled = self._is_settled(scores, width)
        similarities = np.empty((len(probes), width), dtype=np.float32)
        ids = np.empty((len(probes), width), dtype=np.int64)
        similarities[settled], ids[settled] = self._ranked(probes[settled], columns[settled], width)
        similarities[~settled], ids[~settled] = self._exact.search(probes[~settled], k)
        return similarities, ids

    def _is_settled(self, scores: NDArray[np.float32], width: int) -> NDArray[np.bool_]:
        """(M,) whether nobody beyond the neighbours we got can be among the `width` best."""
        if scores.shape[1] == len(self):
            return np.ones(len(scores), dtype=np.bool_)
        return np.asarray(scores[:, -1] < scores[:, width - 1] - self._slack)

    def _ranked(self, probes: NDArray[np.float32], columns: NDArray[np.int64], width: int) -> SearchResult:
        rows = np.repeat(np.arange(len(probes)), columns.shape[1])
        return ranked(probes, self._vectors, self._ids, rows, columns.ravel(), width)


def _faiss() -> ModuleType:
    try:
        import faiss
    except ImportError as error:
        raise RuntimeMissing(f"faiss can't be imported: {error}") from error
    module: ModuleType = faiss
    return module


def _flat(faiss: ModuleType, dimension: int) -> Any:  # FAISS carries no types
    return faiss.IndexFlatIP(dimension)


def _on_gpu(faiss: ModuleType, dimension: int, number: int) -> Any:
    count = faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
    if number >= count:
        built = "sees" if hasattr(faiss, "StandardGpuResources") else "is the build for CPUs and sees"
        raise DeviceUnavailable(
            f"cuda:{number}: faiss {built} {count} GPUs",
            hint="install 'arcface-cli[gpu]' on a machine with an NVIDIA driver, or use --device cpu",
        )
    config = faiss.GpuIndexFlatConfig()
    config.device = number
    return faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), dimension, config)
