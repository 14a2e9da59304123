"""FAISS on cards that don't exist: what they must give is told first, and what doesn't fit is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable
from arcface_cli.gallery.faiss_index import FaissIndex, scratch_bytes
from arcface_cli.gallery.vectors import StoredVectors, VectorType, stored_as
from arcface_cli.runtime.cards import Memory

GIB = 2**30
OUT_OF_MEMORY = (
    "Error in virtual void* faiss::gpu::StandardGpuResourcesImpl::allocMemory(const AllocRequest&)\n at "
    "StandardGpuResources.cpp:543: Error: 'err == cudaSuccess' failed: StandardGpuResources: alloc fail type "
    "FlatData dev 0 size 2048 bytes\n (cudaMalloc error out of memory [2])\n"
)


class FakeFlat:
    """An index of a card: NumPy on the CPU, which remembers what it was given."""

    def __init__(self, resources: object, dimension: int, config: Any) -> None:
        self.device, self.float16 = config.device, config.useFloat16
        self.rows = np.empty((0, dimension), np.float32)
        self.calls = 0

    def add(self, rows: NDArray[np.float32]) -> None:
        self.calls += 1
        self.rows = np.concatenate([self.rows, rows])

    def search(self, probes: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores = probes @ self.rows.T
        order = np.argsort(-scores, axis=1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), order.astype(np.int64)


class FakeShards:
    """Several indexes, to which each call of `add` is spread evenly."""

    def __init__(self, dimension: int, threaded: bool, successive: bool) -> None:
        self.parts: list[FakeFlat] = []

    def add_shard(self, part: FakeFlat) -> None:
        self.parts.append(part)

    def add(self, rows: NDArray[np.float32]) -> None:
        for part, share in zip(self.parts, np.array_split(rows, len(self.parts)), strict=True):
            part.add(share)


def faiss(cards: int = 2, flat: Callable[..., Any] = FakeFlat) -> Any:
    return SimpleNamespace(
        StandardGpuResources=object,
        get_num_gpus=lambda: cards,
        GpuIndexFlatConfig=SimpleNamespace,
        GpuIndexFlatIP=flat,
        IndexShards=FakeShards,
    )


def vectors(count: int, kind: VectorType = VectorType.FLOAT32, dimension: int = 4) -> StoredVectors:
    rows = np.random.default_rng(3).normal(size=(count, dimension)).astype(np.float32)
    return stored_as(kind, rows / np.linalg.norm(rows, axis=1, keepdims=True))


def index(stored: StoredVectors, device: str, free: int, **given: Any) -> FaissIndex:
    ids = np.arange(len(stored), dtype=np.int64)
    given = {"faiss": faiss(), "memory": lambda card: Memory(free, 80 * GIB), **given}
    return FaissIndex(stored, ids, device, **given)


def needed(count: int, component_bytes: int, dimension: int = 4) -> int:
    return count * (dimension * component_bytes + 4) + 3 * GIB // 2


@pytest.mark.parametrize(
    ("kind", "component_bytes"),
    [(VectorType.FLOAT32, 4), (VectorType.FLOAT16, 2), (VectorType.INT8, 2)],
)
def test_an_index_fits_to_the_byte(kind: VectorType, component_bytes: int) -> None:
    stored, room = vectors(1000, kind), needed(1000, component_bytes)
    made = index(stored, "cuda:0", room)
    assert made._engine.float16 is (component_bytes == 2)
    with pytest.raises(DeviceUnavailable) as raised:
        index(stored, "cuda:0", room - 1)
    assert raised.value.exit_status == 5


def test_what_does_not_fit_is_refused_in_one_line_before_anything_is_made() -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("nothing may be taken of the card")

    with pytest.raises(DeviceUnavailable) as raised:
        index(vectors(1000), "cuda:0", GIB, faiss=faiss(flat=never))
    assert raised.value.message == (
        "cuda:0: 1,000 templates as float32 take 1.50 GiB there, "
        "1.5 of them for FAISS itself, and 1.00 are free"
    )
    assert "--index-type float16" in str(raised.value.hint)


def test_the_need_is_told_before_it_is_taken() -> None:
    told: list[str] = []

    class Late(FakeFlat):
        def __init__(self, *arguments: Any) -> None:
            assert told
            super().__init__(*arguments)

    index(vectors(10), "cuda:1", 2 * GIB, tell=told.append, faiss=faiss(flat=Late))
    assert told == [
        "cuda:1: 10 templates as float32 take 1.50 GiB there, 1.5 of them for FAISS itself, and 2.00 are free"
    ]


def test_cards_share_the_vectors_and_each_must_have_room_for_its_own() -> None:
    told: list[str] = []
    made = index(vectors(1001), "cuda:0,1", needed(501, 4), tell=told.append)
    assert [len(part.rows) for part in made._engine.parts] == [501, 500]
    assert [part.device for part in made._engine.parts] == [0, 1]
    assert [line.split(" templates")[0] for line in told] == ["cuda:0: 501", "cuda:1: 501"]
    smaller = {0: needed(501, 4), 1: needed(501, 4) - 1}
    with pytest.raises(DeviceUnavailable, match=r"^cuda:1: 501 templates"):
        index(vectors(1001), "cuda:0,1", 0, memory=lambda card: Memory(smaller[card], 80 * GIB))


def test_vectors_are_added_in_one_go_so_that_no_copy_of_them_grows() -> None:
    assert index(vectors(200_000), "cuda:0", 4 * GIB)._engine.calls == 1


def test_a_card_that_faiss_does_not_see_is_named_before_its_memory_is_asked_for() -> None:
    def never(card: int) -> Memory:
        raise AssertionError("there is no such card")

    with pytest.raises(DeviceUnavailable, match=r"^cuda:2: faiss sees 2 GPUs"):
        index(vectors(10), "cuda:0,2", 0, memory=never)


@pytest.fixture(params=["making", "adding", "searching"])
def fails_while(request: pytest.FixtureRequest) -> Iterator[type[FakeFlat]]:
    class Failing(FakeFlat):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.fail_while("making")

        def add(self, rows: NDArray[np.float32]) -> None:
            self.fail_while("adding")
            super().add(rows)

        def search(self, probes: NDArray[np.float32], k: int) -> tuple[Any, Any]:
            self.fail_while("searching")
            return super().search(probes, k)

        def fail_while(self, what: str) -> None:
            if what == request.param:
                raise RuntimeError(OUT_OF_MEMORY)

    yield Failing


def test_an_allocation_that_fails_all_the_same_is_one_clear_line(fails_while: type[FakeFlat]) -> None:
    stored = vectors(100)
    with pytest.raises(DeviceUnavailable) as raised:
        index(stored, "cuda:0", 4 * GIB, faiss=faiss(flat=fails_while)).search(stored.rows(slice(0, 1)), 3)
    assert raised.value.message == (
        "cuda:0: FAISS can't search there (StandardGpuResources: alloc fail type FlatData dev 0 "
        "size 2048 bytes (cudaMalloc error out of memory [2]))"
    )


@pytest.mark.parametrize(
    ("total", "scratch"),
    [
        (4 * GIB, GIB // 2),
        (4 * GIB + 1, GIB),
        (8 * GIB, GIB),
        (8 * GIB + 1, 3 * GIB // 2),
        (80 * GIB, 3 * GIB // 2),
    ],
)
def test_faiss_keeps_less_for_itself_on_small_cards(total: int, scratch: int) -> None:
    assert scratch_bytes(total) == scratch


def test_a_search_on_a_card_answers_like_the_one_on_a_cpu() -> None:
    stored = vectors(500, dimension=16)
    probes = stored.rows(slice(0, 5))
    found = index(stored, "cuda:0", 4 * GIB).search(probes, 3)
    expected = FaissIndex(stored, np.arange(500, dtype=np.int64)).search(probes, 3)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
