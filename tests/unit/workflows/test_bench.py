"""The benchmark's figures, from parts that are fakes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable
from arcface_cli.faces import DetectedFace
from arcface_cli.gallery.index import ExactIndex, SearchResult
from arcface_cli.gallery.synthetic import random_vectors
from arcface_cli.gallery.vectors import VectorType
from arcface_cli.pipeline import Stages
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.runtime.ceilings import Runs
from arcface_cli.workflows.bench import ROUNDS, UNITS, Parts, bench, trials
from arcface_cli.workflows.bench_samples import Samples, drawn_samples, named_samples
from fakes import DIMENSION, FakeDetector, face_at, fake_recogniser, photo_file

TEMPLATES = 50
OPERATIONS = 1000


class CountingIndex:
    """Counts the probes of every search; moves the clock by a second for each search."""

    def __init__(self, spend: Callable[[float], None] = lambda seconds: None) -> None:
        vectors = random_vectors(TEMPLATES, DIMENSION, VectorType.FLOAT32, 1)
        self._index = ExactIndex(vectors, np.arange(TEMPLATES))
        self._spend = spend
        self.searched: list[int] = []

    def __len__(self) -> int:
        return TEMPLATES

    def search(self, probes: NDArray[np.float32], k: int) -> SearchResult:
        self.searched.append(len(probes))
        self._spend(1.0)
        return self._index.search(probes, k)


class WorkClock:
    """Told by the parts how long they took; else a look at it takes a millisecond, so that turns end."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now

    def spend(self, seconds: float) -> None:
        self.now += seconds


def parts(
    detector: FakeDetector | None = None,
    recogniser: Recogniser | None = None,
    *,
    index: CountingIndex | None = None,
    workers: int = 1,
    pooled: int = 0,
    operations: int | None = OPERATIONS,
    once: Callable[[], None] = lambda: None,
) -> Parts:
    recogniser = fake_recogniser(batch=4) if recogniser is None else recogniser
    found = FakeDetector([face_at()]) if detector is None else detector
    return Parts(
        stages=Stages(found, recogniser, pooled=pooled),
        recogniser=recogniser,
        workers=workers,
        index=CountingIndex() if index is None else index,
        stored_bytes=TEMPLATES * DIMENSION * 4,
        product=Runs([once], 5e6),
        copy=Runs([once], 4e4),
        operations=operations,
    )


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    photos = [photo_file(tmp_path, f"{number}.png", (number, 9, 9)) for number in range(2)]
    return named_samples(photos, FakeDetector([face_at(), face_at(30.0, index=1)]))


def test_every_stage_has_a_speed_in_its_own_unit(samples: Samples) -> None:
    speeds = bench(parts(), samples, 0.05)
    assert {each.stage: each.unit for each in speeds.stages} == UNITS
    assert all(each.per_second > 0 and each.milliseconds > 0 for each in speeds.stages)
    assert [each.stage for each in speeds.stages if each.faces_per_second is not None] == ["end_to_end"]


def test_shares_are_work_over_what_the_device_did_in_the_same_run(samples: Samples) -> None:
    clock = WorkClock()
    index = CountingIndex(clock.spend)
    speeds = bench(parts(index=index, once=lambda: clock.spend(1.0)), samples, 0.1, clock)
    assert speeds.operations_per_second == pytest.approx(5e6, rel=0.01)
    assert speeds.bytes_per_second == pytest.approx(4e4, rel=0.01)
    stages = {each.stage: each for each in speeds.stages}
    search, together = stages["search"], stages["search_batch"]
    assert search.per_second == pytest.approx(1.0, rel=0.01)
    assert together.per_second == pytest.approx(4.0, rel=0.01)
    assert search.ceiling == together.ceiling == "copy"  # it is the nearer one: 800 / 4e4, not 400 / 5e6
    assert search.share == pytest.approx(TEMPLATES * DIMENSION * 4 / 4e4, rel=0.01)
    assert together.share == pytest.approx(search.share, rel=0.01)
    assert stages["embed"].ceiling == "matrix product"
    assert stages["decode"].share is None


def test_a_recogniser_whose_operations_are_unknown_has_no_share(samples: Samples) -> None:
    stages = {each.stage: each for each in bench(parts(operations=None), samples, 0.05).stages}
    assert (stages["embed"].ceiling, stages["embed"].share) == (None, None)


def test_the_whole_way_searches_for_every_face_on_the_photographs(samples: Samples) -> None:
    index = CountingIndex()
    two_faces = FakeDetector([face_at(), face_at(30.0, index=1)])
    trial, callers = trials(parts(two_faces, index=index, workers=3), samples)["end_to_end"]
    rates = trial.turn(0.01, WorkClock())
    assert callers == 3
    assert rates.faces_per_second == pytest.approx(2 * rates.per_second)
    assert sum(index.searched) >= 6


def test_photographs_without_a_face_take_the_whole_way_and_count_none(samples: Samples) -> None:
    index = CountingIndex()
    rates = trials(parts(FakeDetector(), index=index), samples)["end_to_end"][0].turn(0.01, WorkClock())
    assert rates.per_second > 0
    assert (rates.faces_per_second, index.searched) == (0.0, [])


def test_on_drawn_photographs_the_detector_looks_but_need_not_find() -> None:
    looks = itertools.count()

    def see_nothing(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        next(looks)
        return ()

    trial, _ = trials(parts(FakeDetector(detect=see_nothing)), drawn_samples())["end_to_end"]
    rates = trial.turn(0.01, WorkClock())
    assert rates.faces_per_second == rates.per_second
    assert next(looks) > 0


@pytest.mark.parametrize(("pooled", "callers"), [(0, 3), (1, 1), (2, 2)])
def test_a_gpu_gets_its_crops_from_one_caller_and_a_cpu_from_all(
    samples: Samples, pooled: int, callers: int
) -> None:
    made = trials(parts(workers=3, pooled=pooled), samples)
    assert made["embed"][1] == callers
    assert (made["decode"][1], made["search"][1]) == (3, 1)


def test_the_embedded_batch_is_full_though_there_are_few_faces(samples: Samples) -> None:
    sizes: list[int] = []

    def answer(blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        sizes.append(len(blob))
        return [np.ones((len(blob), DIMENSION), np.float32)]

    trials(parts(recogniser=fake_recogniser(answer, batch=7)), samples)["embed"][0].turn(0.001, WorkClock())
    assert set(sizes) == {7}


def test_it_tells_what_it_is_at(samples: Samples) -> None:
    told: list[tuple[int, str]] = []
    bench(parts(), samples, 0.01, tell=lambda number, name: told.append((number, name)))
    assert {number for number, _ in told} == set(range(ROUNDS + 1))
    assert {name for _, name in told} == {*UNITS, "matrix product", "copy"}


def test_what_is_wrong_with_the_machine_ends_it(samples: Samples) -> None:
    def refuse(blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        raise ModelUnusable("the network failed")

    with pytest.raises(ModelUnusable):
        bench(parts(recogniser=fake_recogniser(refuse), workers=2), samples, 0.01)
