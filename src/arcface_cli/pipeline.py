"""The one place where stages are joined: photographs in, outcomes out, in order, memory bounded.

On a CPU the work is arithmetic, and networks on separate thread pools wait for each other: so every
worker takes one photograph through all its stages, on sessions of one thread that the workers share.
A GPU wants large batches instead: there the workers stop at the crops, and the crops of many
photographs go through the recogniser together while the workers decode ahead.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from arcface_cli.alignment import check_landmarks, similarity_to_template
from arcface_cli.detection.detector import Detector
from arcface_cli.detection.selection import FaceChoice, choose_faces
from arcface_cli.errors import FaceError, InputError, NoSubject, UnreadableImage, UnusableFeature, UsageError
from arcface_cli.faces import AlignedFaces, DetectedFace, Done, Failed, Outcome, Skipped, TemplateBatch
from arcface_cli.imaging.decode import MAX_PIXELS, decode
from arcface_cli.imaging.geometry import warp
from arcface_cli.inputs.photo import MAX_BYTES, Photo
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.results import PhotoFaces, Picture

WINDOW = 4
"""Photographs under way for each worker: enough that none waits for the slowest, few enough for memory."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts that a photograph goes through. recogniser None: stop at the crops.

    min_face: shorter side of a face's box, in pixels, from which it counts.  pooled: embed the crops of
    many photographs together.
    """

    detector: Detector
    recogniser: Recogniser | None = None
    choice: FaceChoice = FaceChoice.ALL
    min_face: float = 0.0
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS
    pooled: bool = False


PhotoOutcome = tuple[Photo, Outcome[PhotoFaces]]


def process(photos: Iterable[Photo], stages: Stages, workers: int) -> Iterator[PhotoOutcome]:
    """Take every photograph through the stages; one outcome each, in input order.

    At most `workers * WINDOW` photographs are under way, however many there are. What is wrong with one
    photograph is its own outcome; what is wrong with the machine (MachineError) ends the run.
    """
    if stages.recogniser is None or not stages.pooled:
        return _in_order(photos, stages, workers)
    cut = _in_order(photos, replace(stages, recogniser=None), workers)
    return _embedded_together(cut, stages.recogniser)


def _in_order(photos: Iterable[Photo], stages: Stages, workers: int) -> Iterator[PhotoOutcome]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="photo")
    under_way: deque[tuple[Photo, Future[Outcome[PhotoFaces]]]] = deque()
    try:
        for photo in photos:
            under_way.append((photo, pool.submit(work_through, photo, stages)))
            while under_way and (len(under_way) >= workers * WINDOW or under_way[0][1].done()):
                yield _finished(under_way)
        while under_way:
            yield _finished(under_way)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _embedded_together(results: Iterable[PhotoOutcome], recogniser: Recogniser) -> Iterator[PhotoOutcome]:
    """Hold photographs back until their crops fill a batch, then embed them in one go."""
    waiting: list[PhotoOutcome] = []
    crops = 0
    for photo, outcome in results:
        waiting.append((photo, outcome))
        crops += len(outcome.value.faces) if isinstance(outcome, Done) else 0
        if crops >= recogniser.batch:
            yield from _embed_all(waiting, recogniser)
            waiting, crops = [], 0
    yield from _embed_all(waiting, recogniser)


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
    try:
        return Done(_faces_of(photo, stages))
    except (FaceError, NoSubject) as reason:
        return Skipped(reason)
    except (InputError, UsageError) as error:
        return Failed(error)
    except MemoryError:
        return Failed(
            UnreadableImage(f"{photo.display}: not enough memory to work on it", hint="use a smaller copy")
        )


def _faces_of(photo: Photo, stages: Stages) -> PhotoFaces:
    data = photo.read(stages.max_bytes)
    image = decode(data, name=photo.display, max_pixels=stages.max_pixels)
    picture = Picture(image.shape[1], image.shape[0], hashlib.sha256(data).hexdigest())
    found = stages.detector.detect(image)
    size = (picture.width, picture.height)
    chosen = choose_faces(found, stages.choice, size, stages.min_face, photo.display)
    faces = _alignable(chosen, photo.display)
    transforms = similarity_to_template(np.stack([face.points.array for face in faces]))
    aligned = AlignedFaces(warp(image, transforms), transforms)
    templates = None if stages.recogniser is None else stages.recogniser.embed(aligned, photo.display)
    return PhotoFaces(picture, len(found), faces, aligned, templates)


def _alignable(faces: tuple[DetectedFace, ...], name: str) -> tuple[DetectedFace, ...]:
    """The faces whose landmarks span a face; DegenerateLandmarks when that is none of them."""
    kept, refusal = [], None
    for face in faces:
        try:
            check_landmarks(face.points, name)
        except FaceError as reason:
            refusal = reason
        else:
            kept.append(face)
    if not kept and refusal is not None:
        raise refusal
    return tuple(kept)


def _finished(under_way: deque[tuple[Photo, Future[Outcome[PhotoFaces]]]]) -> PhotoOutcome:
    photo, future = under_way.popleft()
    return photo, future.result()
