"""One template a photograph, remembered by content: what was embedded once is not embedded again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import ArcfaceError, InputError, ModelUnusable, UsageError
from arcface_cli.faces import CROP_SIDE, AlignedFaces, Done, Failed, Outcome
from arcface_cli.gallery.template_cache import CachedFace, TemplateCache
from arcface_cli.imaging.decode import decode
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.recognition.recogniser import Recogniser

STORED_TOGETHER = 64
_READERS = 4

Process = Callable[[Iterator[Photo]], Iterable[PhotoOutcome]]
"""Takes photographs through the networks; called only when some were never seen."""

Told = Callable[[int, int], None]
"""Called with (done, all) photographs that the networks had to see."""


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """N photographs or crops, embedded as far as they could be.

    features: (N, D) float32 unit rows, zero where there is none.  reasons: why there is none, a reason code.
    landmarks: (5, 2) float32 pixels of the face, None for crops.  contents: SHA-256, None if unreadable.
    inferences: how many went through the networks in this run.
    """

    features: NDArray[np.float32]
    reasons: tuple[str | None, ...]
    landmarks: tuple[NDArray[np.float32] | None, ...]
    contents: tuple[str | None, ...]
    inferences: int

    @property
    def failed(self) -> NDArray[np.bool_]:
        """(N,) whether there is no template."""
        return np.array([reason is not None for reason in self.reasons], dtype=bool)


def embed_photos(
    paths: Sequence[Path], cache: TemplateCache, view: str, dimension: int, process: Process, told: Told
) -> Templates:
    """The template of the one face that counts on each photograph.

    view: SHA-256 of all that decides what becomes of a photograph. Equal contents are embedded once.
    """
    contents, reasons = _read_all(paths)
    known = cache.find([each for each in contents if each is not None], view)
    first_of = {each: place for place, each in reversed(list(enumerate(contents))) if each is not None}
    missing = [place for each, place in first_of.items() if each not in known]
    missing.sort()
    if missing:
        outcomes = process(iter([Photo(paths[place]) for place in missing]))
        done = 0
        for batch in _batches(zip(missing, outcomes, strict=True)):
            fresh = {}
            for place, (_, outcome) in batch:
                face, lasting = _face_of(outcome)
                content = contents[place]
                if content is not None:
                    known[content] = face
                    if lasting:
                        fresh[content] = face
            cache.store(fresh, view)
            done += len(batch)
            told(done, len(missing))
    faces = [None if each is None else known[each] for each in contents]
    return _together(faces, reasons, contents, dimension, len(missing))


def embed_crops(
    crops: Sequence[bytes], names: Sequence[str], cache: TemplateCache, view: str, dimension: int,
    open_recogniser: Callable[[], Recogniser], told: Told,
) -> Templates:  # fmt: skip
    """The template of each aligned 112 x 112 crop: encoded, or raw RGB bytes. No detector runs."""
    contents = tuple(hashlib.sha256(crop).hexdigest() for crop in crops)
    known = cache.find(contents, view)
    missing = [place for place, content in enumerate(contents) if content not in known]
    recogniser = open_recogniser() if missing else None
    for start in range(0, len(missing), STORED_TOGETHER):
        places = missing[start : start + STORED_TOGETHER]
        if recogniser is not None:
            fresh = {
                contents[place]: _embedded_crop(crops[place], names[place], recogniser) for place in places
            }
            known |= fresh
            cache.store(fresh, view)
            told(start + len(places), len(missing))
    faces = [known[content] for content in contents]
    return _together(faces, [None] * len(crops), contents, dimension, len(missing))


def decoded_crop(crop: bytes, name: str) -> NDArray[np.uint8]:
    """(112, 112, 3) uint8 BGR. Raises InputError for anything but a 112 x 112 picture."""
    if len(crop) == CROP_SIDE * CROP_SIDE * 3:
        rgb = np.frombuffer(crop, np.uint8).reshape(CROP_SIDE, CROP_SIDE, 3)
        return np.ascontiguousarray(rgb[..., ::-1])
    pixels = decode(crop, name=name)
    if pixels.shape != (CROP_SIDE, CROP_SIDE, 3):
        raise InputError(f"{name}: is {pixels.shape[1]} x {pixels.shape[0]} pixels, not a crop of 112 x 112")
    return pixels


def _embedded_crop(crop: bytes, name: str, recogniser: Recogniser) -> CachedFace:
    try:
        pixels = decoded_crop(crop, name)
        transform = np.eye(2, 3)[np.newaxis]
        batch = recogniser.embed(AlignedFaces(pixels[np.newaxis], transform), name)
    except InputError as error:
        return CachedFace(None, None, error.code)
    return CachedFace(batch.features[0], None)


def _read_all(paths: Sequence[Path]) -> tuple[tuple[str | None, ...], list[str | None]]:
    """SHA-256 of each file's content, and the reason where it can't be read."""
    with ThreadPoolExecutor(_READERS) as pool:
        found = list(pool.map(_content_of, paths))
    return tuple(content for content, _ in found), [reason for _, reason in found]


def _content_of(path: Path) -> tuple[str | None, str | None]:
    try:
        return hashlib.sha256(Photo(path).read()).hexdigest(), None
    except (InputError, UsageError) as error:
        return None, error.code


def _face_of(outcome: Outcome) -> tuple[CachedFace, bool]:  # type: ignore[type-arg]
    """What became of a photograph, and whether the same is sure to become of it again."""
    if isinstance(outcome, Done):
        seen = outcome.value
        if seen.templates is None:
            raise ModelUnusable("a recogniser is needed to evaluate")
        return CachedFace(seen.templates.features[0], seen.faces[0].points.array), True
    reason: ArcfaceError = outcome.error if isinstance(outcome, Failed) else outcome.reason
    return CachedFace(None, None, reason.code), not isinstance(outcome, Failed)


def _together(
    faces: Sequence[CachedFace | None], reasons: Sequence[str | None], contents: Sequence[str | None],
    dimension: int, inferences: int,
) -> Templates:  # fmt: skip
    features = np.zeros((len(faces), dimension), dtype=np.float32)
    why = list(reasons)
    for place, face in enumerate(faces):
        if face is not None and face.feature is not None:
            features[place] = face.feature
        elif face is not None:
            why[place] = face.reason
    landmarks = tuple(None if face is None else face.landmarks for face in faces)
    return Templates(features, tuple(why), landmarks, tuple(contents), inferences)


def _batches(
    pairs: Iterable[tuple[int, PhotoOutcome]],
) -> Iterator[list[tuple[int, PhotoOutcome]]]:
    batch: list[tuple[int, PhotoOutcome]] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == STORED_TOGETHER:
            yield batch
            batch = []
    if batch:
        yield batch
