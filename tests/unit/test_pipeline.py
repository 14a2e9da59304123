"""Photographs in, outcomes out: in order, in bounded memory, each with its own fate."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.detection.selection import FaceChoice
from arcface_cli.errors import (
    ArcfaceError,
    DeviceUnavailable,
    ModelUnusable,
    NoSubject,
    UnreadableImage,
    UsageError,
)
from arcface_cli.faces import BoundingBox, DetectedFace, Done, Failed, FivePoints, Outcome, Skipped
from arcface_cli.imaging.room import Room
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import (
    TOGETHER,
    WINDOW,
    Stages,
    _Line,
    process,
    process_with_pauses,
    work_through,
    work_together,
)
from arcface_cli.quality import QualityGates
from arcface_cli.results import PhotoFaces
from fakes import FakeDetector, face_at, fake_recogniser, photo_file, picture_bytes

ONE_FACE = FakeDetector([face_at()])


def stages(detector: FakeDetector = ONE_FACE, **options: object) -> Stages:
    return Stages(detector, fake_recogniser(), **options)  # type: ignore[arg-type]


def done(outcome: Outcome[PhotoFaces]) -> PhotoFaces:
    assert isinstance(outcome, Done)
    return outcome.value


def reason(outcome: Outcome[PhotoFaces]) -> ArcfaceError:
    assert not isinstance(outcome, Done)
    return outcome.reason if isinstance(outcome, Skipped) else outcome.error


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 1000))
def test_every_photograph_gets_one_outcome_in_input_order_however_long_each_takes(
    tmp_path: Path, count: int, workers: int, seed: int
) -> None:
    waits = random.Random(seed)

    def dawdle(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        time.sleep(waits.random() / 1000)
        return (face_at(),)

    photos = [photo_file(tmp_path, f"{i}.png", (i, 2 * i, 3 * i)) for i in range(count)]
    results = list(process(photos, stages(FakeDetector(detect=dawdle)), workers))
    assert [photo for photo, _ in results] == photos
    for photo, outcome in results:
        assert photo.path is not None
        assert done(outcome).picture.sha256 == hashlib.sha256(photo.path.read_bytes()).hexdigest()


def test_only_a_window_of_photographs_is_under_way_however_many_there_are(tmp_path: Path) -> None:
    photo = photo_file(tmp_path, "a.png")
    taken = 0

    def endless() -> Iterator[Photo]:
        nonlocal taken
        while True:
            taken += 1
            yield photo

    results = process(endless(), stages(), workers=2)
    for given_back in range(1, 20):
        next(results)
        assert taken <= given_back + 2 * WINDOW
    results.close()


@pytest.mark.parametrize("pooled", [0, 1])
@pytest.mark.parametrize("workers", [1, 3])
def test_an_outcome_is_told_while_the_next_input_keeps_us_waiting(
    tmp_path: Path, workers: int, pooled: int
) -> None:
    told = threading.Event()

    def slow() -> Iterator[Photo]:
        for index in range(3):
            yield photo_file(tmp_path, f"{index}.png", (index, 0, 0))
            assert told.wait(10)
            told.clear()

    for _, outcome in process(slow(), stages(pooled=pooled), workers):
        done(outcome)
        told.set()


def test_leaving_waits_for_no_input_that_is_long_in_coming(tmp_path: Path) -> None:
    arrived = threading.Event()

    def slow() -> Iterator[Photo]:
        yield photo_file(tmp_path, "a.png")
        arrived.wait(30)

    results = process_with_pauses(slow(), stages(), workers=2)
    next(results)
    assert next(results) is None
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 10
    arrived.set()


def test_what_is_wrong_with_the_inputs_ends_the_run_after_the_outcomes_before_it(tmp_path: Path) -> None:
    def broken() -> Iterator[Photo]:
        for index in range(3):
            yield photo_file(tmp_path, f"{index}.png")
        raise UsageError("line 4 of the list holds a NUL byte")

    results = process(broken(), stages(), workers=2)
    for _ in range(3):
        done(next(results)[1])
    with pytest.raises(UsageError, match="line 4"):
        next(results)


def test_leaving_early_waits_for_no_photograph_that_has_not_begun(tmp_path: Path) -> None:
    begun = threading.Semaphore(0)

    def count(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        begun.release()
        return (face_at(),)

    photos = [photo_file(tmp_path, "a.png")] * 100
    results = process(photos, stages(FakeDetector(detect=count)), workers=1)
    next(results)
    results.close()
    started = 0
    while begun.acquire(blocking=False):
        started += 1
    assert started <= WINDOW + 1


def test_what_is_wrong_with_one_photograph_is_its_own_outcome(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    nobody = NoSubject("b.png: no telling whose photograph this is")
    photos = [
        photo_file(tmp_path, "a.png"),
        Photo(text),
        Photo(tmp_path / "missing.jpg"),
        Photo(tmp_path / "b.png", failure=nobody),
        photo_file(tmp_path, "c.png"),
    ]
    outcomes = [outcome for _, outcome in process(photos, stages(), workers=2)]
    assert [type(outcome) for outcome in outcomes] == [Done, Failed, Failed, Skipped, Done]
    assert [reason(outcome).code for outcome in outcomes[1:4]] == [
        "unreadable_image",
        "missing_file",
        "no_subject",
    ]


def test_a_photograph_without_the_face_that_was_needed_is_skipped_not_failed(tmp_path: Path) -> None:
    photo = photo_file(tmp_path, "a.png")
    none = work_through(photo, stages(FakeDetector()))
    several = work_through(photo, stages(FakeDetector([face_at(), face_at(40, 20)]), choice=FaceChoice.ONE))
    small = work_through(photo, stages(FakeDetector([face_at(side=30)]), gates=QualityGates(min_face=31.0)))
    assert [type(outcome) for outcome in (none, several, small)] == [Skipped] * 3
    assert [reason(o).code for o in (none, several, small)] == ["no_face", "several_faces", "face_too_small"]
    assert "a.png" in reason(none).message


@pytest.mark.parametrize("error", [ModelUnusable("net.onnx failed"), DeviceUnavailable("the GPU is gone")])
def test_what_is_wrong_with_the_machine_ends_the_run_after_the_outcomes_before_it(
    tmp_path: Path, error: ArcfaceError
) -> None:
    def fail_on_red(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        if image[0, 0, 2] == 255:
            raise error
        return (face_at(),)

    photos = [photo_file(tmp_path, "a.png"), photo_file(tmp_path, "b.png", (255, 0, 0))] * 2
    results = process(photos, stages(FakeDetector(detect=fail_on_red)), workers=2)
    assert isinstance(next(results)[1], Done)
    with pytest.raises(type(error)):
        next(results)


def test_a_bug_is_never_taken_for_a_bad_photograph(tmp_path: Path) -> None:
    def bug(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(process([photo_file(tmp_path, "a.png")], stages(FakeDetector(detect=bug)), workers=1))


def test_a_photograph_that_needs_more_memory_than_there_is_fails_alone(tmp_path: Path) -> None:
    def greedy(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        raise MemoryError

    outcome = work_through(photo_file(tmp_path, "a.png"), stages(FakeDetector(detect=greedy)))
    assert isinstance(reason(outcome), UnreadableImage)
    assert "memory" in reason(outcome).message


def test_faces_crops_and_templates_go_row_by_row(tmp_path: Path) -> None:
    faces = [face_at(), face_at(30, 20, 60), face_at(5, 5, 40)]
    seen = done(work_through(photo_file(tmp_path, "a.png"), stages(FakeDetector(faces))))
    assert seen.faces == tuple(faces)
    assert (seen.found, len(seen.aligned)) == (3, 3)
    assert seen.templates is not None
    assert len(seen.templates) == 3
    assert (seen.picture.width, seen.picture.height) == (160, 140)


def test_without_a_recogniser_the_crops_are_the_end(tmp_path: Path) -> None:
    assert done(work_through(photo_file(tmp_path, "a.png"), Stages(ONE_FACE))).templates is None


def test_a_face_on_the_template_already_is_cut_out_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    noise = np.random.default_rng(1).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    from PIL import Image

    Image.fromarray(noise).save(path)
    seen = done(work_through(Photo(path), stages(FakeDetector([face_at(0, 0)]))))
    assert np.array_equal(seen.aligned.crops[0], noise[:, :, ::-1])


def speck(index: int) -> DetectedFace:
    points = FivePoints(np.full((5, 2), 20.0, np.float32))
    return DetectedFace(BoundingBox(0, 0, 50, 50), points, 0.7, index)


def test_faces_whose_landmarks_are_one_spot_are_left_out_while_others_are_there(tmp_path: Path) -> None:
    photo = photo_file(tmp_path, "a.png")
    seen = done(work_through(photo, stages(FakeDetector([speck(0), face_at(index=1)]))))
    assert [face.index for face in seen.faces] == [1]
    assert seen.found == 2
    assert reason(work_through(photo, stages(FakeDetector([speck(0)])))).code == "degenerate_landmarks"


def test_limits_on_bytes_and_pixels_hold_before_anything_is_decoded(tmp_path: Path) -> None:
    photo = photo_file(tmp_path, "a.png")
    size = len(picture_bytes())
    assert reason(work_through(photo, stages(max_bytes=size - 1))).code == "image_too_large"
    assert reason(work_through(photo, stages(max_pixels=160 * 140 - 1))).code == "image_too_large"
    assert isinstance(work_through(photo, stages(max_bytes=size, max_pixels=160 * 140)), Done)


class Crowded(FakeDetector):
    """Remembers the widths of what it was shown at a time; the first waits until it is let go on."""

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__([face_at()])
        self.shown: list[list[int]] = []
        self._go_on = go_on

    def detect_each(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[DetectedFace, ...]]:
        self._go_on.wait(10)
        self.shown.append([image.shape[1] for image in images])
        return super().detect_each(images)


def queued(photos: Sequence[Photo], detector: Crowded, go_on: threading.Event) -> list[Outcome[PhotoFaces]]:
    """What becomes of photographs when all of them wait for one worker."""

    def source() -> Iterator[Photo]:
        yield from photos
        go_on.set()

    return [outcome for _, outcome in process(source(), stages(detector), workers=1)]


def test_a_worker_takes_what_waits_through_the_stages_side_by_side(tmp_path: Path) -> None:
    go_on = threading.Event()
    detector = Crowded(go_on)
    outcomes = queued([photo_file(tmp_path, "a.png")] * (WINDOW - 1), detector, go_on)
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert max(map(len, detector.shown)) == TOGETHER
    assert sum(map(len, detector.shown)) == WINDOW - 1


def test_no_more_workers_are_called_than_there_are_and_nothing_is_left_behind(tmp_path: Path) -> None:
    called: list[Callable[[], None]] = []
    line = _Line(stages(), 2, called.append)
    photo = photo_file(tmp_path, "a.png")
    for _ in range(3):  # all have left before the next come
        outcomes = [line.join(photo) for _ in range(10)]
        assert len(called) == 2
        while called:
            called.pop()()
        for outcome in outcomes:
            done(outcome.result(timeout=0))


def test_a_large_picture_is_worked_on_alone_and_keeps_its_place(tmp_path: Path) -> None:
    go_on = threading.Event()
    detector = Crowded(go_on)
    large = photo_file(tmp_path, "large.png", size=(2200, 1000))
    small = photo_file(tmp_path, "a.png")
    outcomes = queued([small, small, large, small], detector, go_on)
    assert [done(outcome).picture.width for outcome in outcomes] == [160, 160, 2200, 160]
    assert [2200] in detector.shown


def test_photographs_worked_on_together_fare_as_alone(tmp_path: Path) -> None:
    photos = [
        photo_file(tmp_path, "a.png", (10, 20, 30)),
        Photo(tmp_path / "missing.jpg"),
        photo_file(tmp_path, "b.png", (200, 20, 30)),
        photo_file(tmp_path, "nobody.png", (255, 255, 255)),
    ]

    def unless_white(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        return () if image.min() == 255 else (face_at(),)

    shop = replace(stages(FakeDetector(detect=unless_white)), room=Room.for_workers(1))
    together, alone = work_together(photos, shop), [work_through(photo, shop) for photo in photos]
    assert [type(outcome) for outcome in together] == [Done, Failed, Done, Skipped]
    for ours, own in zip(together, alone, strict=True):
        if isinstance(ours, Done):
            first, second = done(ours).templates, done(own).templates
            assert first is not None and second is not None
            assert np.array_equal(first.features, second.features)
        else:
            assert reason(ours).message == reason(own).message


def test_a_machine_that_fails_costs_no_photograph_worked_on_before(tmp_path: Path) -> None:
    go_on = threading.Event()
    photos = [photo_file(tmp_path, f"{number}.png", (number, 0, 0)) for number in range(WINDOW - 2)]

    def fail_late(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        go_on.wait(10)
        if image[0, 0, 2] == WINDOW - 3:
            raise ModelUnusable("net.onnx failed")
        return (face_at(),)

    def source() -> Iterator[Photo]:
        yield from photos
        go_on.set()

    results = process(source(), stages(FakeDetector(detect=fail_late)), workers=1)
    assert [type(next(results)[1]) for _ in range(WINDOW - 3)] == [Done] * (WINDOW - 3)
    with pytest.raises(ModelUnusable):
        next(results)


def test_a_small_picture_for_which_memory_is_short_fails_alone_among_others(tmp_path: Path) -> None:
    def greedy(image: NDArray[np.uint8]) -> tuple[DetectedFace, ...]:
        if image[0, 0, 2] == 255:
            raise MemoryError
        return (face_at(),)

    photos = [photo_file(tmp_path, "a.png"), photo_file(tmp_path, "b.png", (255, 0, 0))] * 3
    outcomes = [outcome for _, outcome in process(photos, stages(FakeDetector(detect=greedy)), workers=1)]
    assert [type(outcome) for outcome in outcomes] == [Done, Failed] * 3
    assert "memory" in reason(outcomes[1]).message
