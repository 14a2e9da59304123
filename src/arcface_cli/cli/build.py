"""The composition root: settings -> ready parts. Everything heavy is imported here, when it is needed."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arcface_cli import __version__
from arcface_cli.cli.console import say
from arcface_cli.cli.pasting import PASTED
from arcface_cli.cli.sources import SOURCES
from arcface_cli.cli.sparing import spare_inputs
from arcface_cli.errors import NoInputs, NoOperatingPoint, RuntimeMissing, UsageError
from arcface_cli.gallery.waiting import WAITS
from arcface_cli.installing import install
from arcface_cli.settings import (
    KNOWN,
    Judge,
    LoadedSettings,
    Settings,
    available_cores,
    load_settings,
    refuse,
)

if TYPE_CHECKING:
    from arcface_cli.decision import OperatingPoint
    from arcface_cli.detection.detector import Detector
    from arcface_cli.faces import ModelFingerprint
    from arcface_cli.imaging.blob import PixelScaling
    from arcface_cli.inputs.folders import Pictures
    from arcface_cli.inputs.photo import Photo
    from arcface_cli.output.records import Run
    from arcface_cli.pipeline import PhotoOutcome, Stages
    from arcface_cli.quality import QualityGates
    from arcface_cli.recognition.recogniser import Recogniser
    from arcface_cli.runtime.devices import Device
    from arcface_cli.runtime.engines import Engines
    from arcface_cli.runtime.gathering import GatheringNetwork
    from arcface_cli.runtime.sessions import Session, SessionOptions
    from arcface_cli.runtime.spreading import SpreadNetwork
    from arcface_cli.weights.catalogue import DetectorEntry, RecogniserEntry
    from arcface_cli.weights.store import InstalledDetector, InstalledRecogniser, ResolvedModel, WeightStore


def settings_from(params: dict[str, Any], judge: Judge = refuse) -> LoadedSettings:
    """Settings from the parameters of a command; --json stands for --format json.

    judge: of settings that can't be used. Raises UsageError for what can't be meant, such as an output in
    the place of an input.
    """
    spare_inputs(params)
    options = {name: value for name, value in params.items() if name in KNOWN}
    if params.get("json"):
        if options.get("format") not in (None, "json"):
            raise UsageError(
                f"--json and --format {options['format']} contradict each other", hint="give one"
            )
        options["format"] = "json"
    loaded = load_settings(options, judge=judge)
    PASTED.go_on_with(loaded)
    SOURCES.go_on_with(loaded)
    WAITS.tell_with(None if loaded.values.quiet else say)
    return loaded


def require_runtime() -> None:
    """Raise RuntimeMissing, naming what to install, before a machine without it is asked for more."""
    if find_spec("onnxruntime") is None:
        raise RuntimeMissing("onnxruntime is not installed")


def store(settings: Settings) -> WeightStore:
    """The models folder."""
    from arcface_cli.weights.store import WeightStore

    return WeightStore(settings.models_dir)


# --- inputs -----------------------------------------------------------------------------------------


def photos(params: dict[str, Any], *, into: Path | None = None) -> Iterator[Photo]:
    """The photographs that PATH..., --recursive, --files-from and --null name. Raises NoInputs for none.

    into: the folder for pictures of this run, which aren't taken for photographs. Raises UsageError where
    photographs are read from there too.
    """
    from arcface_cli.inputs.folders import photos as found
    from arcface_cli.inputs.lists import listed

    paths: Sequence[str] = params.get("paths") or ()
    files_from: Path | None = params.get("files_from")
    if params.get("null") and files_from is None:
        raise UsageError("-0 says how --files-from is read, so it needs one", hint="add --files-from -")
    if not paths and files_from is None:
        raise NoInputs("no photograph was named", hint="name photographs or folders, or use --files-from")
    if files_from is not None and str(files_from) == "-" and "-" in paths:
        raise UsageError(
            "- can't be a photograph and the list of photographs at once", hint="name one of them"
        )
    recursive = params.get("recursive", False)
    named = found(paths, recursive=recursive, stdin=sys.stdin.buffer, pictures=_pictures(into))
    if files_from is None:
        return named
    return chain(named, listed(_list_stream(files_from), null=params.get("null", False)))


def _pictures(into: Path | None) -> Pictures | None:
    from arcface_cli.imaging.signature import is_drawn
    from arcface_cli.inputs.folders import Pictures

    return None if into is None else Pictures(into, is_drawn)


def is_streamed(params: dict[str, Any]) -> bool:
    """Whether photographs are listed through a pipe or from a terminal, and may be long in coming."""
    lists = [params.get(name) for name in ("files_from", "manifest", "pairs")]
    named: Path | None = next((each for each in lists if each is not None), None)
    if named is None:
        return False
    try:
        return not stat.S_ISREG(os.stat(0 if str(named) == "-" else named).st_mode)  # noqa: PTH116
    except OSError:  # for whoever reads it to say
        return False


def counter(params: dict[str, Any], *, into: Path | None = None) -> Callable[[], int] | None:
    """Counts the photographs that PATH... names, or None where only reading a list would tell."""
    from arcface_cli.inputs.folders import photos as found

    paths: Sequence[str] = params.get("paths") or ()
    if not paths or params.get("files_from") is not None:
        return None
    recursive = params.get("recursive", False) or "name" in params  # enroll looks into a person's folders
    return lambda: sum(1 for _ in found(paths, recursive=recursive, pictures=_pictures(into)))


def people(params: dict[str, Any]) -> Iterator[Photo]:
    """The photographs to enroll, each with its subject: from folders, --manifest or --name."""
    from arcface_cli.inputs import folders, lists
    from arcface_cli.workflows.enroll import MANIFEST_HINT, with_subject

    paths: Sequence[str] = params.get("paths") or ()
    manifest: Path | None = params["manifest"]
    name: str | None = params["name"]
    if manifest is not None and (paths or name is not None):
        raise UsageError(
            "--manifest says who is where, so it goes with no PATH and no --name", hint="give one"
        )
    if manifest is not None:
        return with_subject(lists.manifest(manifest, sys.stdin.buffer), None, MANIFEST_HINT)
    if not paths:
        raise NoInputs("nobody to enroll was named", hint="name a folder of people, or --name NAME photo.jpg")
    if name is None:
        return with_subject(folders.people(paths), None)
    found = folders.photos(paths, recursive=params["recursive"], stdin=sys.stdin.buffer)
    return with_subject(found, name)


def _list_stream(path: Path) -> Any:
    from arcface_cli.inputs.photo import opening_failed

    if str(path) == "-":
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise opening_failed(
            error, str(path).encode(errors="surrogateescape"), f"--files-from {path}"
        ) from error


# --- parts ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Workshop:
    """Parts that are ready for work, and what a record says of them."""

    stages: Stages
    run: Run
    workers: int
    photos: Iterator[Photo]
    verbosity: int = 0

    def results(self) -> Iterator[PhotoOutcome]:
        """Every photograph through the stages, in order."""
        from arcface_cli.pipeline import process

        return process(self.photos, self.stages, self.workers)

    def results_with_pauses(self) -> Iterator[PhotoOutcome | None]:
        """The same for verbs that work on several at once: None tells them to wait no longer for more."""
        from arcface_cli.pipeline import process_with_pauses

        return process_with_pauses(self.photos, self.stages, self.workers)


def workshop(
    command: str,
    settings: Settings,
    photos: Iterator[Photo],
    *,
    recognise: bool,
    faces: str,
    verbosity: int,
    made_with: str | None = None,
    streamed: bool = False,
) -> Workshop:
    """Load the networks that a verb needs. faces: which ones count unless the user says otherwise.

    A single photograph gets all cores for itself; several share them, one core each.
    streamed: don't wait to see how many photographs there are.
    made_with: digest of the settings that change records, of a verb whose output can be continued.
    """
    from arcface_cli.detection.selection import FaceChoice
    from arcface_cli.imaging.geometry import limit_threads
    from arcface_cli.output.records import Run
    from arcface_cli.pipeline import Stages

    if faces != "all" and settings.faces == "all":
        raise UsageError(
            f"--faces all: {command} works on one face of each photograph", hint="use one, largest or center"
        )
    weights = store(settings)
    model = weights.resolve(settings.model, settings.detector) if recognise else None
    found = weights.resolve_detector(settings.detector, settings.model) if model is None else model.detector
    ahead = [] if streamed else list(islice(photos, _cores(settings)))
    workers = _cores(settings) if streamed else max(1, len(ahead))
    if model is None:
        settings = replace(settings, tensorrt=False)  # only recognisers go through it
    options = session_options(settings, workers=workers, verbosity=verbosity)
    limit_threads(options.threads)
    with ThreadPoolExecutor(2) as loading:  # ONNX Runtime reads two networks at once
        ready = loading.submit(detector, found, settings, options)
        recognises = None if model is None else recogniser(model, settings, options)
    stages = Stages(
        detector=ready.result(),
        recogniser=recognises,
        choice=FaceChoice(faces if settings.faces is None else settings.faces),
        gates=quality_gates(settings, enrolling=command == "enroll"),
        pooled=len(options.device.cards),
    )
    name = None if model is None else model.name
    device, precision = str(options.device), settings.precision
    tensorrt = _tensorrt_version() if settings.tensorrt else None
    run = Run(command, __version__, name, found.entry.name, device, precision, made_with, tensorrt)
    return Workshop(stages, run, workers, chain(ahead, photos), verbosity)


def _tensorrt_version() -> str:
    from arcface_cli.runtime.engines import tensorrt_version

    return tensorrt_version()


def session_options(settings: Settings, *, workers: int, verbosity: int) -> SessionOptions:
    """How sessions run: on the settings' device, with the cores that this many workers leave each other."""
    from arcface_cli.runtime.devices import choose_device
    from arcface_cli.runtime.sessions import SessionOptions

    choice = choose_device(settings.device, tensorrt=settings.tensorrt)
    if choice.remark is not None and not settings.quiet:
        say(choice.remark)
    threads = max(1, _cores(settings) // workers)
    return SessionOptions(choice.device, threads=threads, chatty=verbosity >= 2, memory=settings.gpu_memory)


def _cores(settings: Settings) -> int:
    return settings.jobs if settings.jobs is not None else available_cores()


def quality_gates(settings: Settings, *, enrolling: bool) -> QualityGates:
    """The user's limits on faces; where none is given, enrolment has its own and other verbs have none."""
    from arcface_cli.quality import ENROLMENT_GATES, QualityGates

    usual = ENROLMENT_GATES if enrolling else QualityGates()
    given = {
        "min_sharpness": settings.min_sharpness,
        "max_yaw": settings.max_yaw,
        "max_dark": settings.max_dark,
        "max_bright": settings.max_bright,
        "min_face": settings.min_face,
        "min_detection_score": settings.det_score,
    }
    return replace(usual, **{name: limit for name, limit in given.items() if limit is not None})


def detector(installed: InstalledDetector, settings: Settings, options: SessionOptions) -> Detector:
    """A detector ready to run."""
    from arcface_cli.detection.detector import FAMILIES, NetworkDetector

    entry = installed.entry
    if entry.family == "insightface":
        return _borrowed_detector(installed, settings, options.device)
    session = detector_network(installed, settings, options)
    family = FAMILIES[entry.family]
    return NetworkDetector(
        entry.name,
        _shared_by_workers(session, options) if _on_gpu(options) and entry.batch != "fixed" else session,
        family,
        None if session.takes_pixels else scaling_of(entry),
        min_score=_searched_score(settings, family.min_score),
    )


def detector_network(
    installed: InstalledDetector, settings: Settings, options: SessionOptions
) -> Session | SpreadNetwork:
    """The session of a detector, in float32 whatever the precision: rounding moves landmarks, and a crop cut
    elsewhere changes a template far more than rounding in the recogniser (docs/design.md). Not by TensorRT,
    which would round to TF32, and build an engine for every other canvas.

    A CPU gets the file as it is where that serves: scaling in the graph gains nothing there.
    """
    from arcface_cli.runtime.networks import Precision, Rewrite, open_network

    entry, on_gpu = installed.entry, _on_gpu(options)
    free = entry.size == "rewritable"
    return open_network(
        installed.path,
        Rewrite(
            batch=entry.batch == "rewritable" and (free or on_gpu),
            spatial=free,
            pixels=scaling_of(entry) if on_gpu else None,
        ),
        Precision.FP32,
        replace(options, varied=True, exact=True),
        sha256=installed.sha256,
        kept=_kept_graphs(settings),
    )


def _on_gpu(options: SessionOptions) -> bool:
    return options.device.cuda_index is not None


def _shared_by_workers(session: Session | SpreadNetwork, options: SessionOptions) -> GatheringNetwork:
    from arcface_cli.runtime.gathering import GatheringNetwork

    return GatheringNetwork(session, at_once=len(options.device.cards))


def _borrowed_detector(installed: InstalledDetector, settings: Settings, device: Device) -> Detector:
    from arcface_cli.detection.borrowed import MIN_SCORE, BorrowedDetector

    entry = installed.entry
    return BorrowedDetector(
        entry.name,
        installed.path,
        None if entry.normalisation == "graph" else scaling_of(entry),
        cuda_index=device.cuda_index,
        min_score=_searched_score(settings, MIN_SCORE),
    )


def _searched_score(settings: Settings, usual: float) -> float:
    """What the detector looks for: under a stricter --det-score it still sees the faces to be refused."""
    return usual if settings.det_score is None else min(usual, settings.det_score)


def recogniser(model: ResolvedModel, settings: Settings, options: SessionOptions) -> Recogniser:
    """A recogniser ready to run, with the fingerprint of its templates."""
    from arcface_cli.recognition.recogniser import Recogniser

    entry = model.recogniser.entry
    batch = 1 if entry.batch == "fixed" else settings.batch
    network = recogniser_network(model.recogniser, settings, options)
    return Recogniser(
        network,
        None if network.takes_pixels else scaling_of(entry),
        fingerprint_of(model, settings),
        batch=batch,
        padded=_on_gpu(options),
    )


def fingerprint_of(model: ResolvedModel, settings: Settings) -> ModelFingerprint:
    """What templates of this model, made with these settings, are comparable by."""
    from arcface_cli.alignment import ALIGNMENT_VERSION
    from arcface_cli.faces import ModelFingerprint

    entry = model.recogniser.entry
    return ModelFingerprint(
        model.recogniser.sha256, entry.preprocessing, ALIGNMENT_VERSION, entry.dimension, settings.flip
    )


def recogniser_network(
    installed: InstalledRecogniser, settings: Settings, options: SessionOptions
) -> Session | SpreadNetwork:
    """The session of a recogniser, its batch made free where the catalogue says it can be.

    On a GPU it takes uint8 crops (`Session.takes_pixels`): a quarter of the bytes cross the bus. TensorRT
    rounds by itself, after it has put batch normalisation into the weights: it gets the float32 graph.
    """
    from arcface_cli.runtime.networks import Precision, Rewrite, open_network

    entry, on_gpu = installed.entry, _on_gpu(options)
    engines = _engines(entry, settings) if on_gpu and settings.tensorrt else None
    return open_network(
        installed.path,
        Rewrite(batch=entry.batch == "rewritable", pixels=scaling_of(entry) if on_gpu else None),
        Precision.FP32 if engines is not None else Precision(settings.precision),
        replace(options, engines=engines),
        sha256=installed.sha256,
        kept=_kept_graphs(settings),
    )


def _engines(entry: RecogniserEntry, settings: Settings) -> Engines:
    from arcface_cli.runtime.engines import Engines, kind_here

    def tell(line: str) -> None:
        if not settings.quiet:
            say(line)

    return Engines(
        settings.models_dir / "engines",
        most=1 if entry.batch == "fixed" else settings.batch,
        half=settings.precision == "fp16",
        tell=tell,
        kind_of=kind_here,
    )


def _kept_graphs(settings: Settings) -> Path:
    """Where rewritten graphs are kept; whatever is in it can be deleted."""
    return settings.models_dir / "rewritten"


def scaling_of(entry: DetectorEntry | RecogniserEntry) -> PixelScaling:
    """How the catalogue says that pixels are fed."""
    from arcface_cli.imaging.blob import PixelScaling

    return PixelScaling(entry.colour == "rgb", entry.mean, entry.scale)


def feature_dimension(settings: Settings) -> int:
    """D of the features that the settings' model makes."""
    return store(settings).resolve(settings.model, settings.detector).recogniser.entry.dimension


def require_recogniser(stages: Stages) -> Recogniser:
    """The recogniser of a workshop that was built with one."""
    if stages.recogniser is None:
        raise ValueError("this verb needs a recogniser")
    return stages.recogniser


# --- decisions --------------------------------------------------------------------------------------


def said_point(loaded: LoadedSettings) -> OperatingPoint | None:
    """The user's own threshold, or None. Raises InvalidThreshold, before anything is looked for or loaded."""
    from arcface_cli.decision import Metric, OperatingPoint, similarity_threshold

    values = loaded.values
    metric = None if values.metric is None else Metric(values.metric)
    given = similarity_threshold(values.threshold, values.max_distance, metric)
    if given is None:
        return None
    spoken = "threshold" if values.threshold is not None else "max_distance"
    return OperatingPoint(given, loaded.origins[spoken])


def operating_point(loaded: LoadedSettings, stored: OperatingPoint | None = None) -> OperatingPoint:
    """The user's threshold, else the gallery's (`stored`), else the catalogue's for the model.

    Raises InvalidThreshold, and NoOperatingPoint when nobody has measured one for the model.
    """
    said = said_point(loaded)
    if said is not None:
        return said
    if stored is not None:
        return stored
    values = loaded.values
    entry = store(values).resolve(values.model, values.detector).recogniser.entry
    point = catalogue_point(entry)
    if point is None:
        raise NoOperatingPoint(
            f"no error rate has been measured for {entry.name}, so there is no threshold to go by",
            hint="give one with --threshold S, measured on your own photographs: see docs/thresholds.md",
        )
    return point


def stated_point(settings: Settings, model: str | None) -> OperatingPoint | None:
    """The catalogue's default threshold for the model that a gallery names, or None."""
    catalogue = store(settings).catalogue
    pack = None if model is None else catalogue.find_pack(model)
    entry = None if model is None else catalogue.find_recogniser(model if pack is None else pack.recogniser)
    return None if entry is None else catalogue_point(entry)


def catalogue_point(entry: RecogniserEntry) -> OperatingPoint | None:
    """The operating point that the catalogue states for a recogniser, or None where nobody measured one."""
    from arcface_cli.decision import OperatingPoint

    stated = entry.default_threshold
    if stated is None:
        return None
    return OperatingPoint(
        stated.similarity,
        "catalogue",
        fmr=stated.fmr,
        impostor_comparisons=stated.impostor_comparisons,
        data=stated.data,
        model=entry.name,
    )


def index_factory(device: str, verbosity: int = 0) -> Callable[..., Any]:
    """Builds the search index where the networks run, and says with -v what it takes of a GPU's memory.

    On a GPU, raises RuntimeMissing without faiss.
    """
    if device != "cpu" and find_spec("faiss") is None:
        raise RuntimeMissing(
            "faiss is not installed, which searches on GPUs",
            hint=f"install it with: {install('gpu')}, or use --device cpu",
        )
    from arcface_cli.gallery.index import build_index

    tell = say if verbosity else None
    return lambda vectors, ids: build_index(vectors, ids, device, tell)
