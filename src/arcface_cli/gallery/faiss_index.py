"""The engine on GPUs, and a yardstick on CPUs: FAISS IndexFlatIP. Imported only when it is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable, RuntimeMissing
from arcface_cli.gallery.index import (
    BlockIndex,
    SearchResult,
    check_probes,
    gpu_numbers,
    nobody,
    ranked,
    rounding_slack,
)
from arcface_cli.gallery.vectors import StoredVectors, VectorType
from arcface_cli.installing import install_instead
from arcface_cli.runtime import cards

_SPARE = 16
"""Neighbours asked for beyond k, so that near ties at the boundary seldom need a second look."""

_GPU_MOST = 2048
"""Neighbours that FAISS can give on a GPU."""

_TF32_SLACK = 2e-3
"""Tensor cores may round factors to 10 bits: each product errs by 2^-10 at most, and two scores can."""

_GIB = 2**30
_NORM = 4  # bytes that FAISS keeps of each vector, whatever the metric


class FaissIndex:
    """The same answers as `ExactIndex`, sooner on a GPU.

    vectors: FAISS keeps a copy; on a GPU of those that aren't float32, a float16 one.  ids: (N,) int64,
    ascending.  device: "cpu", "cuda", "cuda:N", or several GPUs as "cuda:0,1", which share the vectors.
    tell: as for `build_index`.  faiss: the module, or what stands for it.  memory: what a card has.
    Raises RuntimeMissing, DeviceUnavailable.
    """

    def __init__(
        self,
        vectors: StoredVectors,
        ids: NDArray[np.int64],
        device: str = "cpu",
        tell: Callable[[str], None] | None = None,
        *,
        faiss: Any = None,
        memory: Callable[[int], cards.Memory] = cards.memory,
    ) -> None:
        self._exact = BlockIndex(vectors, ids)
        self._vectors = vectors
        self._ids = ids
        self._device = device
        gpus = gpu_numbers(device)
        engine = _faiss() if faiss is None else faiss
        self._slack = rounding_slack(vectors.dimension) + (_TF32_SLACK if gpus else 0.0)
        self._most = min(len(ids), _GPU_MOST) if gpus else len(ids)
        if gpus:
            _require_cards(engine, gpus)
            _require_memory(vectors, gpus, memory, tell)
        with _told(device):
            self._engine = _on_gpus(engine, vectors, gpus) if gpus else engine.IndexFlatIP(vectors.dimension)
            # In one call: shards get their part of each, and growing would take twice the memory of a card.
            self._engine.add(np.ascontiguousarray(vectors.rows(slice(None))))

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        """See `Index.search`."""
        check_probes(probes, self._vectors.dimension, k)
        width = min(k, len(self))
        asked = min(width + _SPARE, self._most)
        if len(probes) == 0 or width == 0 or asked < width:
            return self._exact.search(probes, k)
        with _told(self._device):
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


def _faiss() -> Any:
    """The module, which carries no types."""
    try:
        import faiss
    except ImportError as error:
        raise RuntimeMissing(
            f"faiss can't be imported: {error}", hint="see what mends it with: arcface doctor"
        ) from error
    return faiss


def _require_cards(faiss: Any, gpus: Sequence[int]) -> None:
    for_gpus = hasattr(faiss, "StandardGpuResources")
    count = faiss.get_num_gpus() if for_gpus else 0
    if max(gpus) >= count:
        built = "sees" if for_gpus else "is the build for CPUs and sees"
        step = "see nvidia-smi and CUDA_VISIBLE_DEVICES" if for_gpus else install_instead("gpu")
        raise DeviceUnavailable(
            f"cuda:{max(gpus)}: faiss {built} {count} GPUs",
            hint=f"{step}, or use --device cpu",
        )


def _require_memory(
    vectors: StoredVectors,
    gpus: Sequence[int],
    memory: Callable[[int], cards.Memory],
    tell: Callable[[str], None] | None,
) -> None:
    """Say what each card must give, and raise DeviceUnavailable before anything is taken if one can't."""
    share = -(-len(vectors) // len(gpus))
    width = _component_bytes(vectors)
    for gpu in gpus:
        room = memory(gpu)
        needed = share * (vectors.dimension * width + _NORM) + scratch_bytes(room.total)
        said = (
            f"cuda:{gpu}: {share:,} templates as float{8 * width} take {needed / _GIB:.2f} GiB there, "
            f"{scratch_bytes(room.total) / _GIB:.1f} of them for FAISS itself, "
            f"and {room.free / _GIB:.2f} are free"
        )
        if needed > room.free:
            raise DeviceUnavailable(
                said, hint="use --index-type float16, more cards (--device cuda:0,1), or --device cpu"
            )
        if tell is not None:
            tell(said)


def scratch_bytes(total: int) -> int:
    """What FAISS takes of a card with that many bytes for itself, whatever is searched
    (`StandardGpuResourcesImpl::getDefaultTempMemForGPU`)."""
    return _GIB // 2 if total <= 4 * _GIB else _GIB if total <= 8 * _GIB else 3 * _GIB // 2


def _component_bytes(vectors: StoredVectors) -> int:
    """Of a vector as FAISS keeps it on a GPU."""
    return 4 if vectors.type is VectorType.FLOAT32 else 2


@contextlib.contextmanager
def _told(device: str) -> Iterator[None]:
    """FAISS's exceptions, which say where in its sources they arose, as one line with what failed."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split()).rpartition("failed: ")[2]
        raise DeviceUnavailable(
            f"{device}: FAISS can't search there ({reason})",
            hint="use fewer templates a card, or --device cpu",
        ) from error


def _on_gpus(faiss: Any, vectors: StoredVectors, gpus: Sequence[int]) -> Any:
    """One flat index, or one a GPU with the vectors spread over them."""
    parts = [_on_gpu(faiss, vectors, gpu) for gpu in gpus]
    if len(parts) == 1:
        return parts[0]
    shards = faiss.IndexShards(vectors.dimension, True, True)  # threaded; ids count on from shard to shard
    for part in parts:
        shards.add_shard(part)
    return shards


def _on_gpu(faiss: Any, vectors: StoredVectors, gpu: int) -> Any:
    config = faiss.GpuIndexFlatConfig()
    config.device = gpu
    config.useFloat16 = _component_bytes(vectors) == 2
    return faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), vectors.dimension, config)
