"""`arcface bench`: how fast each stage is here, and all of them together, beside what the device can do."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from arcface_cli.alignment import similarity_to_template
from arcface_cli.detection.detector import Detector
from arcface_cli.faces import AlignedFaces, DetectedFace, Done
from arcface_cli.gallery.index import Index
from arcface_cli.gallery.synthetic import unit_vectors
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import warp
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome, Stages, process
from arcface_cli.quality import measure
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.runtime.ceilings import Runs
from arcface_cli.workflows.bench_samples import Sample, Samples
from arcface_cli.workflows.gathering import by_the_handful
from arcface_cli.workflows.identify import SEARCH_AFTER_S, SEARCHED_TOGETHER
from arcface_cli.workflows.measuring import Clock, Rates, Repeated, Trial, in_turns

ROUNDS = 5
NEIGHBOURS = 8
"""Templates asked for a probe: what `identify` asks for at first by itself."""
PROBES = 256
_SEED = 20261125

Ceiling = Literal["matrix product", "copy"]
MATRIX, COPY = "matrix product", "copy"
UNITS = {
    "decode": "photograph", "detect": "photograph", "align": "face", "embed": "face",
    "search": "search", "search_batch": "search", "end_to_end": "photograph",
}  # fmt: skip
"""Every stage, in the order of work, and what is counted there."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What is measured.

    workers: threads that take photographs through the stages.  index: of `templates` vectors that take
    `stored_bytes`.  product, copy: what the device can do at best.  operations: of the recogniser for one
    face, None where they can't be counted.
    """

    stages: Stages
    recogniser: Recogniser
    workers: int
    index: Index
    stored_bytes: int
    product: Runs
    copy: Runs
    operations: int | None


@dataclass(frozen=True, slots=True)
class StageSpeed:
    """One stage. Medians over the rounds.

    per_second: items of `unit`, which is photograph, face or search.  at_once: callers, who share the
    device.  share: of the ceiling in the same round; None where a stage has none.  faces_per_second: of the
    whole way alone.
    """

    stage: str
    unit: str
    per_second: float
    at_once: int
    ceiling: Ceiling | None = None
    share: float | None = None
    faces_per_second: float | None = None

    @property
    def milliseconds(self) -> float:
        """That an item takes of the whole machine's time."""
        return 1000.0 / self.per_second


@dataclass(frozen=True, slots=True)
class Speeds:
    """What came out. operations_per_second, bytes_per_second: the ceilings, of product and copy."""

    operations_per_second: float
    bytes_per_second: float
    stages: tuple[StageSpeed, ...]


def bench(
    parts: Parts,
    samples: Samples,
    seconds: float,
    clock: Clock = time.perf_counter,
    tell: Callable[[int, str], None] = lambda number, name: None,
) -> Speeds:
    """Measure every stage in turns. seconds: for each stage.  tell: called before each turn."""
    made = trials(parts, samples)
    callers = {name: at_once for name, (_, at_once) in made.items()}
    measured = in_turns({name: trial for name, (trial, _) in made.items()}, ROUNDS, seconds, clock, tell)
    ceilings = {name: [each.per_second for each in measured[name]] for name in (MATRIX, COPY)}
    work = _work(parts)
    stages = [
        _speed(name, measured[name], callers[name], _shares(measured[name], work.get(name, {}), ceilings))
        for name in UNITS
    ]
    return Speeds(statistics.median(ceilings[MATRIX]), statistics.median(ceilings[COPY]), tuple(stages))


def _speed(name: str, rates: Sequence[Rates], at_once: int, shares: Mapping[Ceiling, float]) -> StageSpeed:
    """shares: by ceiling; the one that is nearer counts."""
    ceiling = max(shares, key=lambda each: shares[each], default=None)
    faces = [rate.faces_per_second for rate in rates if rate.faces_per_second is not None]
    return StageSpeed(
        name,
        UNITS[name],
        statistics.median(rate.per_second for rate in rates),
        at_once,
        ceiling,
        None if ceiling is None else shares[ceiling],
        statistics.median(faces) if faces else None,
    )


def _shares(
    rates: Sequence[Rates], work: Mapping[Ceiling, float], ceilings: Mapping[str, Sequence[float]]
) -> dict[Ceiling, float]:
    """Median over the rounds of work done a second over what the device could do in that round."""
    return {
        ceiling: statistics.median(
            amount * rate.per_second / best for rate, best in zip(rates, ceilings[ceiling], strict=True)
        )
        for ceiling, amount in work.items()
    }


def _work(parts: Parts) -> dict[str, dict[Ceiling, float]]:
    """What an item needs at least: operations, and bytes read."""
    work: dict[str, dict[Ceiling, float]] = {}
    if parts.operations is not None:
        work["embed"] = {"matrix product": float(parts.operations)}
    product = 2.0 * len(parts.index) * parts.recogniser.fingerprint.dimension
    for name, together in (("search", 1), ("search_batch", parts.recogniser.batch)):
        work[name] = {"copy": parts.stored_bytes / together, "matrix product": product}
    return work


# --- the trials ---------------------------------------------------------------------------------------


def trials(parts: Parts, samples: Samples) -> dict[str, tuple[Trial, int]]:
    """Ceilings and stages, by name, each with the number of its callers.

    Photographs are worked on by all workers at once, as in every verb, crops too, unless GPUs take them
    together, a batch each; a search has all cores for itself.
    """
    workers, photographs = parts.workers, samples.photographs
    embedders = parts.stages.pooled or workers
    crops = _crops(photographs, parts.recogniser.batch)
    probes = unit_vectors(PROBES, parts.recogniser.fingerprint.dimension, _SEED)
    with_faces = [sample for sample in photographs if sample.faces]

    def embed() -> float:
        return len(parts.recogniser.embed(crops, "the benchmark"))

    callers: dict[str, Sequence[Callable[[], float]]] = {
        MATRIX: [_counting(once, parts.product.amount) for once in parts.product.once],
        COPY: [_counting(once, parts.copy.amount) for once in parts.copy.once],
        "decode": _spread(photographs, workers, _decode),
        "detect": _spread(photographs, workers, lambda sample: _detect(parts.stages.detector, sample)),
        "align": _spread(with_faces, workers, _align),
        "embed": [embed] * embedders,
        "search": [_searcher(parts.index, probes, 1)],
        "search_batch": [_searcher(parts.index, probes, parts.recogniser.batch)],
    }
    made: dict[str, tuple[Trial, int]] = {
        name: (Repeated(calls), len(calls)) for name, calls in callers.items()
    }
    return {**made, "end_to_end": (EndToEnd(parts, samples), workers)}


def _counting(once: Callable[[], None], amount: float) -> Callable[[], float]:
    def run() -> float:
        once()
        return amount

    return run


def _spread(
    samples: Sequence[Sample], callers: int, work: Callable[[Sample], float]
) -> list[Callable[[], float]]:
    """A function a caller; each goes round through all samples, beginning with another one."""
    return [_going_round(samples, start, work) for start in range(callers)]


def _going_round(
    samples: Sequence[Sample], start: int, work: Callable[[Sample], float]
) -> Callable[[], float]:
    source = islice(cycle(samples), start, None)
    return lambda: work(next(source))


def _decode(sample: Sample) -> float:
    decode(sample.content)
    return 1.0


def _detect(detector: Detector, sample: Sample) -> float:
    detector.detect_each([sample.image])
    return 1.0


def _align(sample: Sample) -> float:
    measure(_cut(sample), sample.faces, (sample.image.shape[1], sample.image.shape[0]))
    return float(len(sample.faces))


def _cut(sample: Sample) -> AlignedFaces:
    transforms = similarity_to_template(np.stack([face.points.array for face in sample.faces]))
    return AlignedFaces(warp(sample.image, transforms), transforms)


def _crops(samples: Sequence[Sample], count: int) -> AlignedFaces:
    """`count` crops, of the faces on the photographs in turn."""
    cut = [_cut(sample) for sample in samples if sample.faces]
    crops = np.concatenate([each.crops for each in cut])
    transforms = np.concatenate([each.transforms for each in cut])
    places = np.arange(count) % len(crops)
    return AlignedFaces(crops[places], transforms[places])


def _searcher(index: Index, probes: NDArray[np.float32], together: int) -> Callable[[], float]:
    rows = cycle(range(len(probes)))

    def search() -> float:
        index.search(probes[list(islice(rows, together))], NEIGHBOURS)
        return float(together)

    return search


class EndToEnd:
    """Photographs in, the most similar templates of every face out, as `identify` goes about it."""

    def __init__(self, parts: Parts, samples: Samples) -> None:
        detector = parts.stages.detector
        if samples.drawn:
            detector = FacesAsDrawn(detector, samples.photographs[0].faces)
        self._stages = replace(parts.stages, detector=detector, recogniser=parts.recogniser)
        self._workers = parts.workers
        self._index = parts.index
        self._samples = samples.photographs

    def turn(self, seconds: float, clock: Clock) -> Rates:
        """See `Trial`."""
        start = clock()
        photographs = faces = 0
        source = self._photos(lambda: clock() - start < seconds)
        results: Any = process(source, self._stages, self._workers)
        with contextlib.closing(results):
            for handful in by_the_handful(results, SEARCHED_TOGETHER, SEARCH_AFTER_S, clock):
                photographs += len(handful)
                faces += self._search(handful)
        passed = clock() - start
        return Rates(photographs / passed, faces / passed)

    def _photos(self, going_on: Callable[[], bool]) -> Iterator[Photo]:
        for number, sample in enumerate(cycle(self._samples)):
            if number >= self._workers and not going_on():
                return
            yield sample.photo()

    def _search(self, handful: Sequence[PhotoOutcome]) -> int:
        done = [outcome.value.templates for _, outcome in handful if isinstance(outcome, Done)]
        probes = [templates.features for templates in done if templates is not None]
        if not probes:
            return 0
        self._index.search(np.concatenate(probes), NEIGHBOURS)
        return sum(map(len, probes))


class FacesAsDrawn:
    """A detector that searches a drawn photograph as any other, and then is told where the faces are."""

    def __init__(self, detector: Detector, faces: tuple[DetectedFace, ...]) -> None:
        self.name = detector.name
        self._detector = detector
        self._faces = faces

    def detect_each(self, images: Sequence[NDArray[np.uint8]]) -> list[tuple[DetectedFace, ...]]:
        """See `Detector`."""
        self._detector.detect_each(images)
        return [self._faces] * len(images)
