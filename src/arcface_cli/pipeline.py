"""The one place where stages are joined: photographs in, outcomes out, in order, memory bounded.

On a CPU the work is arithmetic, and networks on separate thread pools wait for each other: so every
worker takes one photograph through all its stages, on sessions of one thread that the workers share.
A GPU wants large batches instead: there the workers stop at the crops, and the crops of many
photographs go through the recogniser together while the workers decode ahead.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from arcface_cli.alignment import refuse_landmarks, similarity_to_template
from arcface_cli.detection.detector import Detector
from arcface_cli.detection.selection import FaceChoice, choose_faces
from arcface_cli.errors import FaceError, InputError, NoSubject, UnreadableImage, UnusableFeature, UsageError
from arcface_cli.faces import (
    AlignedFaces,
    DetectedFace,
    Done,
    FaceQuality,
    Failed,
    Outcome,
    RefusedFace,
    Skipped,
    TemplateBatch,
)
from arcface_cli.imaging.decode import MAX_PIXELS, decode
from arcface_cli.imaging.geometry import warp
from arcface_cli.imaging.room import Room
from arcface_cli.inputs.photo import MAX_BYTES, Photo
from arcface_cli.quality import QualityGates, largest, measure
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.results import PhotoFaces, Picture

WINDOW = 8
"""Photographs under way for each worker: enough that none waits for the slowest, few enough for memory."""
TOGETHER = 4
"""Photographs that a worker takes through the stages side by side."""
PAUSE_S = 0.25
"""Nothing new for so long, and nobody holds back what is finished to work on it with more."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts that a photograph goes through. recogniser None: stop at the crops.

    gates: what a face must keep to be used.  pooled: batches under way at a time when the crops of many
    photographs are embedded together; 0: each photograph's by themselves.
    keep_content: keep the file's bytes with its faces.  room: for pixels, shared by all photographs.
    """

    detector: Detector
    recogniser: Recogniser | None = None
    choice: FaceChoice = FaceChoice.ALL
    gates: QualityGates = field(default_factory=QualityGates)
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    pooled: int = 0
    keep_content: bool = False
    room: Room = field(default_factory=Room)


PhotoOutcome = tuple[Photo, Outcome[PhotoFaces]]


def process(photos: Iterable[Photo], stages: Stages, workers: int) -> Iterator[PhotoOutcome]:
    """Take every photograph through the stages; one outcome each, in input order.

    An outcome is told as soon as it and those before it are there, however long the next input is in coming.
    At most `workers * WINDOW` photographs are under way, however many there are. What is wrong with one
    photograph is its own outcome; what is wrong with the machine (MachineError) ends the run.
    """
    return (each for each in process_with_pauses(photos, stages, workers) if each is not None)


def process_with_pauses(
    photos: Iterable[Photo], stages: Stages, workers: int
) -> Iterator[PhotoOutcome | None]:
    """As `process`, for who works on several outcomes together: None where `PAUSE_S` have brought none."""
    if stages.recogniser is None or not stages.pooled:
        return _in_order(photos, stages, workers)
    cut = _in_order(photos, replace(stages, recogniser=None), workers)
    return _embedded_together(cut, stages.recogniser, stages.pooled)


def _in_order(photos: Iterable[Photo], stages: Stages, workers: int) -> Iterator[PhotoOutcome | None]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="photo")
    line = _Line(replace(stages, room=Room.for_workers(workers)), workers, pool.submit)
    feed = _Feed(photos, line.join, workers * WINDOW)
    try:
        yield from feed.outcomes()
    finally:
        feed.stop()
        line.send_away()
        pool.shutdown(wait=False)  # one may hang in a read of standard input, and nobody asks for the rest


class _Feed:
    """Begins the work on inputs in a thread of its own, so that who tells the outcomes never waits for them.

    The next path of a list, or the next folder of a slow disk, may be long in coming.
    """

    def __init__(
        self, photos: Iterable[Photo], begin: Callable[[Photo], Future[Outcome[PhotoFaces]]], most: int
    ) -> None:
        self._photos = photos
        self._begin = begin
        self._free = threading.Semaphore(most)
        self._begun: queue.SimpleQueue[tuple[Photo, Future[Outcome[PhotoFaces]]] | BaseException | None]
        self._begun = queue.SimpleQueue()
        self._stopped = False
        # Nobody waits for its end: it may hang in a read that nothing can interrupt.
        threading.Thread(target=self._run, name="inputs", daemon=True).start()

    def outcomes(self) -> Iterator[PhotoOutcome | None]:
        """In input order, and None for every `PAUSE_S` without one. Raises what inputs or work raise."""
        while True:
            try:
                begun = self._begun.get(timeout=PAUSE_S)
            except queue.Empty:
                yield None
                continue
            if begun is None:
                return
            if isinstance(begun, BaseException):
                raise begun
            photo, future = begun
            while not _is_done(future):
                yield None
            yield photo, future.result()
            self._free.release()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        self._free.release()

    def _run(self) -> None:
        photos = iter(self._photos)
        try:
            while self._free.acquire() and not self._stopped:
                photo = next(photos, None)
                if photo is None:
                    break
                self._begun.put((photo, self._begin(photo)))
        except BaseException as error:  # raised by whoever asks for the outcomes, behind those before it
            self._begun.put(error)
            return
        self._begun.put(None)


def _is_done(future: Future[Any]) -> bool:
    """Whether it is, now or within `PAUSE_S`."""
    return future.done() or bool(wait([future], PAUSE_S).done)


class _Line:
    """Photographs that wait for a worker. Each takes its share of them at once, so few are spread, and many
    are worked on together."""

    def __init__(self, stages: Stages, workers: int, submit: Callable[[Callable[[], None]], object]) -> None:
        self._stages = stages
        self._workers = workers
        self._submit = submit
        self._waiting: deque[tuple[Photo, Future[Outcome[PhotoFaces]]]] = deque()
        self._at_work = 0
        self._lock = threading.Lock()

    def join(self, photo: Photo) -> Future[Outcome[PhotoFaces]]:
        """Put a photograph at the end, and call a worker unless all are at work; what becomes of it."""
        outcome: Future[Outcome[PhotoFaces]] = Future()
        with self._lock:
            self._waiting.append((photo, outcome))
            if self._at_work < self._workers:
                self._at_work += 1
                self._submit(self._serve)
        return outcome

    def send_away(self) -> None:
        """Forget who still waits: nobody asks for their outcome any more."""
        with self._lock:
            self._waiting.clear()

    def _serve(self) -> None:
        while taken := self._next():
            self._work_on(taken)

    def _next(self) -> list[tuple[Photo, Future[Outcome[PhotoFaces]]]]:
        """A worker's share; without one it has left."""
        with self._lock:
            share = max(1, min(TOGETHER, len(self._waiting) // self._workers))
            taken = [self._waiting.popleft() for _ in range(min(share, len(self._waiting)))]
            if not taken:
                self._at_work -= 1
        return taken

    def _work_on(self, taken: list[tuple[Photo, Future[Outcome[PhotoFaces]]]]) -> None:
        try:
            outcomes = work_together([photo for photo, _ in taken], self._stages)
        except BaseException:  # whose fault it was, and what became of those before it, each alone will tell
            self._one_by_one(taken)
            return
        for (_, future), outcome in zip(taken, outcomes, strict=True):
            future.set_result(outcome)

    def _one_by_one(self, taken: list[tuple[Photo, Future[Outcome[PhotoFaces]]]]) -> None:
        for photo, future in taken:
            try:
                future.set_result(work_through(photo, self._stages))
            except BaseException as error:  # raised by whoever asks for the outcome
                future.set_exception(error)


def _embedded_together(
    results: Iterable[PhotoOutcome | None], recogniser: Recogniser, at_once: int
) -> Iterator[PhotoOutcome | None]:
    """Embed batches of crops from many photographs, so many at once and one ready to follow."""
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="batch")
    under_way: deque[Future[list[PhotoOutcome]]] = deque()
    try:
        for batch in _batches(results, recogniser.batch):
            if batch:
                under_way.append(pool.submit(_embed_all, batch, recogniser))
            else:
                yield None
            while under_way and (len(under_way) > at_once or under_way[0].done()):
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batches(results: Iterable[PhotoOutcome | None], size: int) -> Iterator[list[PhotoOutcome]]:
    """Hold photographs back until their crops fill a batch or a pause comes, which may leave one empty."""
    waiting: list[PhotoOutcome] = []
    crops = 0
    for result in results:
        if result is not None:
            waiting.append(result)
            crops += len(result[1].value.faces) if isinstance(result[1], Done) else 0
        if result is None or crops >= size:
            yield waiting
            waiting, crops = [], 0
    yield waiting


def _embed_all(batch: list[PhotoOutcome], recogniser: Recogniser) -> list[PhotoOutcome]:
    """Embed the faces of a few photographs together; a face without a usable feature costs its photograph."""
    seen = [outcome.value for _, outcome in batch if isinstance(outcome, Done)]
    if not seen:
        return batch
    aligned = AlignedFaces(
        np.concatenate([each.aligned.crops for each in seen]),
        np.concatenate([each.aligned.transforms for each in seen]),
    )
    try:
        features = recogniser.embed(aligned, "a batch").features
    except UnusableFeature:
        return [(photo, _embedded(photo, outcome, recogniser)) for photo, outcome in batch]
    ends = np.cumsum([len(each.faces) for each in seen])
    parts = iter(np.split(features, ends[:-1]))
    return [
        (
            photo,
            _with_features(outcome.value, next(parts), recogniser) if isinstance(outcome, Done) else outcome,
        )
        for photo, outcome in batch
    ]


def _embedded(photo: Photo, outcome: Outcome[PhotoFaces], recogniser: Recogniser) -> Outcome[PhotoFaces]:
    if not isinstance(outcome, Done):
        return outcome
    try:
        features = recogniser.embed(outcome.value.aligned, photo.display).features
    except UnusableFeature as reason:
        return Skipped(reason)
    return _with_features(outcome.value, features, recogniser)


def _with_features(
    seen: PhotoFaces, features: NDArray[np.float32], recogniser: Recogniser
) -> Done[PhotoFaces]:
    return Done(replace(seen, templates=TemplateBatch(features, recogniser.fingerprint)))


def work_through(photo: Photo, stages: Stages) -> Outcome[PhotoFaces]:
    """One photograph, all stages: Done, Skipped (no usable face, or nobody's) or Failed (can't be read)."""
    return _attempt(photo, lambda: work_together([photo], stages)[0])


def work_together(photos: Sequence[Photo], stages: Stages) -> list[Outcome[PhotoFaces]]:
    """A few photographs, each step on all of them before the next; one outcome each, as if alone.

    Between two runs of a network Python's own code has left the processor's caches, and its first steps take
    five times as long as the same steps on the next photograph.
    """
    cut = _cut_out(photos, stages)
    recogniser = stages.recogniser
    if recogniser is None:
        return cut
    return [
        _attempt(photo, _embedded, photo, outcome, recogniser)
        for photo, outcome in zip(photos, cut, strict=True)
    ]


def _attempt(photo: Photo, step: Callable[..., T], *arguments: Any) -> T | Skipped | Failed:
    """What a step makes of a photograph, or what it says is wrong with it."""
    try:
        return step(*arguments)
    except (FaceError, NoSubject) as reason:
        return Skipped(reason)
    except (InputError, UsageError) as error:
        return Failed(error)
    except MemoryError as error:
        short = UnreadableImage(
            f"{photo.display}: not enough memory to work on it", hint="use a smaller copy"
        )
        short.__cause__ = error  # not the photograph's fault: nobody may hold it against it later
        return Failed(short)


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    photo: Photo
    data: bytes
    image: NDArray[np.uint8]


def _cut_out(photos: Sequence[Photo], stages: Stages) -> list[Outcome[PhotoFaces]]:
    """The faces of each photograph. Large pictures are worked on alone and let go of before the next."""
    opened = [_attempt(photo, _opened, photo, stages) for photo in photos]
    small = [each for each in opened if isinstance(each, _Opened)]
    found = stages.detector.detect_each([each.image for each in small])
    seen = iter(
        [_attempt(each.photo, _seen, each, faces, stages) for each, faces in zip(small, found, strict=True)]
    )
    return [next(seen) if isinstance(each, _Opened) else each for each in opened]


def _opened(photo: Photo, stages: Stages) -> _Opened | Outcome[PhotoFaces]:
    """A small picture's pixels; of a large one, which takes room, all that is wanted of its pixels."""
    data = photo.read(stages.max_bytes)
    with stages.room.lease() as reserve:
        image = decode(data, name=photo.display, max_pixels=stages.max_pixels, reserve=reserve)
        opened = _Opened(photo, data, image)
        if stages.room.is_small(image.shape[0] * image.shape[1]):
            return opened
        return _seen(opened, stages.detector.detect_each([image])[0], stages)


def _seen(opened: _Opened, found: tuple[DetectedFace, ...], stages: Stages) -> Outcome[PhotoFaces]:
    image, data = opened.image, opened.data
    good = _good_faces(image, found, stages, opened.photo.display)
    if not good.faces:
        return Skipped(largest(good.refused).reason, good.refused)
    return Done(
        PhotoFaces(
            Picture(image.shape[1], image.shape[0], hashlib.sha256(data).hexdigest()),
            len(found),
            good.faces,
            good.aligned,
            None,
            good.qualities,
            good.refused,
            data if stages.keep_content else None,
        )
    )


@dataclass(frozen=True, slots=True)
class _GoodFaces:
    faces: tuple[DetectedFace, ...]
    aligned: AlignedFaces
    qualities: tuple[FaceQuality, ...]
    refused: tuple[RefusedFace, ...]


def _good_faces(
    image: NDArray[np.uint8], found: tuple[DetectedFace, ...], stages: Stages, name: str
) -> _GoodFaces:
    """The faces that are meant, cut out, in two groups: those that keep the gates, and those refused.

    Small faces and doubtful detections don't count when one face is chosen of several. How sharp or how
    turned a face is plays no part there: a blurred subject must not hand its name to a sharp bystander.
    """
    size = (image.shape[1], image.shape[0])
    counted, small = stages.gates.detections(found, name)
    if small and not counted:
        return _GoodFaces((), _cut(image, (), name)[1], (), small)
    faces, aligned, odd = _cut(image, choose_faces(counted, stages.choice, size, name), name)
    qualities = measure(aligned, faces, size)
    reasons = [stages.gates.refuse(quality, name) for quality in qualities]
    poor = tuple(
        RefusedFace(face, reason, quality)
        for face, reason, quality in zip(faces, reasons, qualities, strict=True)
        if reason is not None
    )
    good = [row for row, reason in enumerate(reasons) if reason is None]
    return _GoodFaces(
        tuple(faces[row] for row in good),
        AlignedFaces(aligned.crops[good], aligned.transforms[good]) if poor else aligned,
        tuple(qualities[row] for row in good),
        (*poor, *odd, *small),
    )


def _cut(
    image: NDArray[np.uint8], faces: tuple[DetectedFace, ...], name: str
) -> tuple[tuple[DetectedFace, ...], AlignedFaces, tuple[RefusedFace, ...]]:
    """The faces whose landmarks span a face, their crops, and the other faces."""
    points = np.array([face.points.array for face in faces], np.float32).reshape(-1, 5, 2)
    transforms = similarity_to_template(points)
    reasons = refuse_landmarks(points, transforms, name)
    odd = tuple(
        RefusedFace(face, reason) for face, reason in zip(faces, reasons, strict=True) if reason is not None
    )
    if odd:
        kept = [row for row, reason in enumerate(reasons) if reason is None]
        faces, transforms = tuple(faces[row] for row in kept), transforms[kept]
    return faces, AlignedFaces(warp(image, transforms), transforms), odd
