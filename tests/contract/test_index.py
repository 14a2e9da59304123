"""What every index must do, run on the NumPy specification and on FAISS against a plain-Python oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable, UsageError
from arcface_cli.gallery.faiss_index import FaissIndex
from arcface_cli.gallery.index import BlockIndex, ExactIndex, Index, build_index, gpu_numbers
from arcface_cli.gallery.scan_index import ScanIndex
from arcface_cli.gallery.vectors import StoredVectors, VectorType, stored_as

MakeIndex = Callable[[NDArray[np.float32], NDArray[np.int64]], Index]
GPUS = faiss.get_num_gpus() if hasattr(faiss, "StandardGpuResources") else 0


def scanned(vectors: StoredVectors, ids: NDArray[np.int64]) -> Index:
    """FAISS's scan where there is one to make: not of float32."""
    return (BlockIndex if vectors.type is VectorType.FLOAT32 else ScanIndex)(vectors, ids)


def on_gpu(vectors: StoredVectors, ids: NDArray[np.int64]) -> Index:
    if not GPUS:
        pytest.skip("faiss sees no GPU")
    return FaissIndex(vectors, ids, "cuda:0")


def on_all_gpus(vectors: StoredVectors, ids: NDArray[np.int64]) -> Index:
    if GPUS < 2:
        pytest.skip("faiss sees fewer than two GPUs")
    return FaissIndex(vectors, ids, f"cuda:{','.join(map(str, range(GPUS)))}")


ON_GPUS = [pytest.param(make, marks=pytest.mark.gpu) for make in (on_gpu, on_all_gpus)]


@pytest.fixture(scope="module", params=[ExactIndex, BlockIndex, FaissIndex, *ON_GPUS])
def make_stored(request: pytest.FixtureRequest) -> Callable[[StoredVectors, NDArray[np.int64]], Index]:
    return request.param


@pytest.fixture(scope="module")
def make_index(make_stored: Callable[[StoredVectors, NDArray[np.int64]], Index]) -> MakeIndex:
    return lambda vectors, ids: make_stored(StoredVectors(vectors), ids)


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def random_units(rng: np.random.Generator, count: int, dimension: int) -> NDArray[np.float32]:
    return unit(rng.normal(size=(count, dimension)))


def ids_for(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """Ascending with gaps, as ids are once templates were removed."""
    return np.arange(len(vectors), dtype=np.int64) * 3 + 7


def oracle(
    probe: NDArray[np.float32], vectors: NDArray[np.float32], ids: NDArray[np.int64], k: int
) -> list[tuple[np.float32, int]]:
    """Sum in float64, round to float32, sort by similarity and then id: the definition, word for word."""
    scored = [
        (np.float32(np.sum(probe.astype(float) * vector.astype(float))), int(i))
        for vector, i in zip(vectors, ids, strict=True)
    ]
    return sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]


def assert_answers_like_the_oracle(
    index: Index, probes: NDArray[np.float32], vectors: NDArray[np.float32], k: int
) -> None:
    ids = ids_for(vectors)
    similarities, found = index.search(probes, k)
    assert similarities.dtype == np.float32
    assert found.dtype == np.int64
    assert similarities.shape == found.shape == (len(probes), min(k, len(vectors)))
    for row, probe in enumerate(probes):
        expected = oracle(probe, vectors, ids, k)
        assert found[row].tolist() == [i for _, i in expected]
        np.testing.assert_allclose(similarities[row], [s for s, _ in expected], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    distinct=st.integers(1, 40),
    copies=st.integers(1, 6),
    dimension=st.sampled_from([1, 4, 31, 128]),
    probes=st.integers(0, 5),
    k=st.integers(1, 60),
)
def test_any_gallery_is_searched_exactly_ties_by_id(
    make_index: MakeIndex, seed: int, distinct: int, copies: int, dimension: int, probes: int, k: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = random_units(rng, distinct, dimension)[rng.integers(0, distinct, size=distinct * copies)]
    index = make_index(vectors, ids_for(vectors))
    assert_answers_like_the_oracle(index, random_units(rng, probes, dimension), vectors, k)


def test_copies_across_the_boundary_come_lowest_ids_first(make_index: MakeIndex) -> None:
    rng = np.random.default_rng(2)
    vectors = random_units(rng, 500, 64)
    vectors[100:400] = vectors[100]  # more copies than any engine is asked for at first
    index = make_index(vectors, ids_for(vectors))
    _, found = index.search(vectors[100:101], 5)
    assert found[0].tolist() == (np.arange(100, 105) * 3 + 7).tolist()


def test_near_ties_below_float32_rounding_are_put_in_true_order(make_index: MakeIndex) -> None:
    rng = np.random.default_rng(3)
    base = random_units(rng, 1, 512)
    vectors = unit(base + rng.normal(scale=3e-5, size=(400, 512)))
    index = make_index(vectors, ids_for(vectors))
    assert_answers_like_the_oracle(index, base, vectors, 10)


def test_asking_for_more_than_there_is_gives_all(make_index: MakeIndex) -> None:
    vectors = random_units(np.random.default_rng(4), 3, 16)
    similarities, found = make_index(vectors, ids_for(vectors)).search(vectors, 99)
    assert similarities.shape == (3, 3)
    assert found[:, 0].tolist() == [7, 10, 13]


def test_an_empty_gallery_answers_with_no_columns(make_index: MakeIndex) -> None:
    index = make_index(np.empty((0, 16), np.float32), np.empty(0, np.int64))
    similarities, found = index.search(random_units(np.random.default_rng(5), 2, 16), 5)
    assert len(index) == 0
    assert similarities.shape == found.shape == (2, 0)


def test_many_probes_are_searched_in_blocks_that_change_nothing(make_index: MakeIndex) -> None:
    rng = np.random.default_rng(6)
    vectors = random_units(rng, 20_000, 8)
    probes = random_units(rng, 1_500, 8)  # two blocks and more of the specification
    index = make_index(vectors, ids_for(vectors))
    similarities, found = index.search(probes, 3)
    for row in (0, 837, 838, 839, 1_499):
        alone_similarities, alone = index.search(probes[row : row + 1], 3)
        assert found[row].tolist() == alone[0].tolist()
        assert similarities[row].tolist() == alone_similarities[0].tolist()


@pytest.mark.parametrize("kind", VectorType)
@pytest.mark.parametrize("dimension", [192, 512])
def test_every_index_gives_the_same_bits_whatever_the_vectors_are_kept_as(
    make_stored: Callable[[StoredVectors, NDArray[np.int64]], Index], kind: VectorType, dimension: int
) -> None:
    rng = np.random.default_rng(7)
    vectors = random_units(rng, 9_000, dimension)  # several blocks
    stored = stored_as(kind, vectors)
    probes = random_units(rng, 50, dimension)
    exact = ExactIndex(stored, ids_for(vectors))
    engine = make_stored(stored, ids_for(vectors))
    for some in (probes, probes[:3]):
        for expected, found in zip(exact.search(some, 10), engine.search(some, 10), strict=True):
            assert np.array_equal(expected, found)


def small_units(seed: int, kind: VectorType, dimension: int, count: int, spike: float) -> StoredVectors:
    """Rounded vectors, many of them twice, some with one large component and so with a large scale."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, dimension))
    rows[:: max(1, count // 5), 0] += spike
    return stored_as(kind, unit(rows)[rng.integers(0, count, size=2 * count)])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from([VectorType.FLOAT16, VectorType.INT8]),
    dimension=st.sampled_from([1, 7, 16, 129, 512]),
    count=st.integers(1, 1500),
    spike=st.sampled_from([0.0, 50.0]),
    sign=st.sampled_from([1, -1]),
    k=st.integers(1, 20),
)
def test_a_scan_of_rounded_vectors_misses_nobody(
    seed: int, kind: VectorType, dimension: int, count: int, spike: float, sign: int, k: int
) -> None:
    stored = small_units(seed, kind, dimension, count, spike)
    ids = np.arange(len(stored), dtype=np.int64)
    probes = unit(sign * stored.rows(slice(0, 2)))  # one that is there, or the most unlike of all
    expected, found = (index(stored, ids).search(probes, k) for index in (ExactIndex, ScanIndex))
    assert np.array_equal(expected[0], found[0])
    assert np.array_equal(expected[1], found[1])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 30), dimension=st.integers(1, 40))
def test_a_rounded_vector_is_as_near_as_its_type_allows(seed: int, count: int, dimension: int) -> None:
    vectors = random_units(np.random.default_rng(seed), count, dimension)
    half = stored_as(VectorType.FLOAT16, vectors).rows(slice(None))
    small = stored_as(VectorType.INT8, vectors).rows(slice(None))
    largest = np.abs(vectors).max(axis=1, initial=0.0)[:, np.newaxis]
    assert np.all(np.abs(half - vectors) <= np.maximum(np.abs(vectors) * 2.0**-11, 2.0**-25))
    assert np.all(np.abs(small - vectors) <= largest / 254 * 1.0001)


@pytest.mark.parametrize(
    "probes", [np.zeros((1, 15), np.float32), np.zeros((1, 16), np.float64), np.zeros(16, np.float32)]
)
def test_probes_of_another_shape_or_type_are_refused(make_index: MakeIndex, probes: NDArray[Any]) -> None:
    vectors = random_units(np.random.default_rng(8), 3, 16)
    with pytest.raises(ValueError, match="probes need float32"):
        make_index(vectors, ids_for(vectors)).search(probes, 1)


def test_no_neighbours_at_all_is_no_question(make_index: MakeIndex) -> None:
    vectors = random_units(np.random.default_rng(9), 3, 16)
    with pytest.raises(ValueError, match="k must be"):
        make_index(vectors, ids_for(vectors)).search(vectors, 0)


def test_ids_out_of_order_are_refused(make_index: MakeIndex) -> None:
    vectors = random_units(np.random.default_rng(10), 3, 16)
    with pytest.raises(ValueError, match="ascend"):
        make_index(vectors, np.array([3, 1, 2]))


def test_a_search_on_a_cpu_needs_no_faiss() -> None:
    vectors = random_units(np.random.default_rng(11), 3, 16)
    assert isinstance(build_index(StoredVectors(vectors), ids_for(vectors)), BlockIndex)


@pytest.mark.parametrize("kind", VectorType)
def test_large_rounded_galleries_are_scanned_by_faiss(kind: VectorType) -> None:
    vectors = stored_as(kind, np.ones((200_000, 1), np.float32))
    expected = BlockIndex if kind is VectorType.FLOAT32 else ScanIndex
    assert type(build_index(vectors, np.arange(len(vectors)))) is expected


def test_a_gpu_that_is_not_there_is_named() -> None:
    vectors = random_units(np.random.default_rng(12), 3, 16)
    with pytest.raises(DeviceUnavailable, match="cuda:999: faiss"):
        build_index(StoredVectors(vectors), ids_for(vectors), "cuda:999")


@pytest.mark.parametrize(
    "device", ["tpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0,cuda:1", "cuda:0,0", "auto", ""]
)
def test_a_word_that_names_no_device_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match=r"^--device "):
        gpu_numbers(device)


def test_devices_are_read_by_their_number() -> None:
    words = ("cpu", "cuda", "cuda:3", "cuda:0,2")
    assert [gpu_numbers(device) for device in words] == [(), (0,), (3,), (0, 2)]
