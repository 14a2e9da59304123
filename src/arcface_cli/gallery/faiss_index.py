"""The engine on GPUs, and a yardstick on CPUs: FAISS IndexFlatIP. Imported only when it is wanted."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable, RuntimeMissing
from arcface_cli.gallery.index import (
    BlockIndex,
    SearchResult,
    check_probes,
    gpu_number,
    nobody,
    ranked,
    rounding_slack,
)
from arcface_cli.gallery.vectors import StoredVectors, VectorType

_SPARE = 16
"""Neighbours asked for beyond k, so that near ties at the boundary seldom need a second look."""

_GPU_MOST = 2048
"""Neighbours that FAISS can give on a GPU."""

_TF32_SLACK = 2e-3
"""Tensor cores may round factors to 10 bits: each product errs by 2^-10 at most, and two scores can."""

_ADDED_AT_ONCE = 65536  # vectors


class FaissIndex:
    """The same answers as `ExactIndex`, sooner on a GPU.

    vectors: FAISS keeps a copy; on a GPU of those that aren't float32, a float16 one.  ids: (N,) int64,
    ascending.  device: "cpu", "cuda", "cuda:N", or several GPUs with commas between, which share the vectors.
    Raises RuntimeMissing, DeviceUnavailable.
    """

    def __init__(self, vectors: StoredVectors, ids: NDArray[np.int64], device: str = "cpu") -> None:
        self._exact = BlockIndex(vectors, ids)
        gpus = [number for each in device.split(",") if (number := gpu_number(each)) is not None]
        faiss = _faiss()
        self._vectors = vectors
        self._ids = ids
        self._slack = rounding_slack(vectors.dimension) + (_TF32_SLACK if gpus else 0.0)
        self._most = min(len(ids), _GPU_MOST) if gpus else len(ids)
        small = vectors.type is not VectorType.FLOAT32
        self._engine = (
            _on_gpus(faiss, vectors.dimension, gpus, float16=small)
            if gpus
            else faiss.IndexFlatIP(vectors.dimension)
        )
        step = len(ids) + 1 if len(gpus) > 1 else _ADDED_AT_ONCE  # shards get their part of each call
        for start in range(0, len(ids), step):
            self._engine.add(np.ascontiguousarray(vectors.rows(slice(start, start + step))))

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        """See `Index.search`."""
        check_probes(probes, self._vectors.dimension, k)
        width = min(k, len(self))
        asked = min(width + _SPARE, self._most)
        if len(probes) == 0 or width == 0 or asked < width:
            return self._exact.search(probes, k)
        scores, columns = self._engine.search(np.ascontiguousarray(probes), asked)
        settled = self._is_settled(scores, width)
        similarities, ids = nobody(len(probes), width)
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


def _on_gpus(faiss: ModuleType, dimension: int, numbers: list[int], *, float16: bool) -> Any:
    """One flat index, or one a GPU with the vectors spread over them. FAISS carries no types."""
    parts = [_on_gpu(faiss, dimension, number, float16=float16) for number in numbers]
    if len(parts) == 1:
        return parts[0]
    shards = faiss.IndexShards(dimension, True, True)  # threaded; ids count on from shard to shard
    for part in parts:
        shards.add_shard(part)
    return shards


def _on_gpu(faiss: ModuleType, dimension: int, number: int, *, float16: bool) -> Any:
    count = faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0
    if number >= count:
        built = "sees" if hasattr(faiss, "StandardGpuResources") else "is the build for CPUs and sees"
        raise DeviceUnavailable(
            f"cuda:{number}: faiss {built} {count} GPUs",
            hint="install 'arcface-cli[gpu]' on a machine with an NVIDIA driver, or use --device cpu",
        )
    config = faiss.GpuIndexFlatConfig()
    config.device = number
    config.useFloat16 = float16
    return faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), dimension, config)
