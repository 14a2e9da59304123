"""`arcface bench`: its parts, and its answer told to people and programs."""

from __future__ import annotations

import contextlib
import math
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from arcface_cli import __version__
from arcface_cli.cli import build
from arcface_cli.cli.bench_tables import opened
from arcface_cli.cli.console import say
from arcface_cli.diagnosis.processor import processor_name
from arcface_cli.errors import InputError, ModelUnusable, UsageError
from arcface_cli.faces import CROP_SIDE
from arcface_cli.gallery.synthetic import random_vectors, stored_bytes
from arcface_cli.gallery.vectors import VectorType
from arcface_cli.inputs.photo import Photo
from arcface_cli.runtime.arithmetic import operations
from arcface_cli.runtime.cards import cards
from arcface_cli.runtime.ceilings import copy_runs, product_runs
from arcface_cli.runtime.devices import choose_device
from arcface_cli.runtime.networks import Precision
from arcface_cli.settings import Settings, available_cores
from arcface_cli.weights.store import ResolvedModel
from arcface_cli.workflows.bench import ROUNDS, Parts, Speeds, StageSpeed, bench
from arcface_cli.workflows.bench_samples import Samples, drawn_samples, named_samples

SCHEMA = 1
CPU_PRODUCT_SIDE = 1024
"""Rows and columns of the matrices there: as fast as larger ones, and done within a turn."""
CPU_COPIED = 128 * 2**20
DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu", "numpy", "opencv-python", "faiss-cpu", "faiss-gpu")
_SEED = 20261126
_LINE_BEGINS = "\r\x1b[K"


def measure_machine(params: dict[str, Any]) -> int:
    """Measure, and tell. Status 3 when one of the named photographs couldn't be read."""
    build.require_runtime()
    settings = build.settings_from(params).values
    if math.isnan(params["seconds"]):
        raise UsageError("--seconds nan: this is no time", hint="give a number")
    named = params["paths"] or params["files_from"] is not None or params["null"]
    photos = build.photos(params) if named else None
    model = build.store(settings).resolve(settings.model, settings.detector)
    _require_memory(params["templates"], model.recogniser.entry.dimension, settings)
    with opened(settings, params["output"]) as write:
        shop = _workshop(settings, params["verbose"])
        samples = drawn_samples() if photos is None else named_samples(photos, shop.stages.detector)
        parts = _parts(shop, model, settings, params["templates"], params["verbose"])
        with _progress(settings) as tell:
            speeds = bench(parts, samples, params["seconds"], tell=tell)
        write(
            {
                "schema": SCHEMA,
                "command": "bench",
                "machine": _machine(shop.run.device),
                "versions": _versions(),
                **_conditions(shop, parts, settings, model),
                "seconds": params["seconds"],
                "photographs": _of(samples),
                "ceilings": _ceilings(speeds),
                "stages": [_of_stage(stage) for stage in speeds.stages],
            }
        )
    return _status(samples, settings)


def _workshop(settings: Settings, verbosity: int) -> build.Workshop:
    """As for photographs without end, none of which is read: so all workers that --jobs allows are there."""
    endless = repeat(Photo(None))
    return build.workshop("bench", settings, endless, recognise=True, faces="all", verbosity=verbosity)


def _require_memory(templates: int, dimension: int, settings: Settings) -> None:
    needed, free = stored_bytes(templates, dimension, VectorType(settings.index_type)), _free_memory()
    if free is not None and needed > free:
        raise UsageError(
            f"--templates {templates}: they take {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} are free",
            hint="use fewer, or --index-type int8",
        )


def _free_memory(path: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that can be had without swapping, None where the system doesn't tell."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    told = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(told[0][1]) * 1024 if told else None


def _parts(
    shop: build.Workshop, model: ResolvedModel, settings: Settings, templates: int, verbosity: int
) -> Parts:
    """Everything that is measured, the ceilings with the very options that the networks run with."""
    recogniser = build.require_recogniser(shop.stages)
    # Nothing is left to be remarked, and ceilings go through no TensorRT.
    same = replace(settings, device=shop.run.device, tensorrt=False, quiet=True)
    options = build.session_options(same, workers=shop.workers, verbosity=0)
    on_cpu = options.device.cuda_index is None
    callers = shop.workers if on_cpu else 1
    precision = Precision.FP32 if on_cpu else Precision(settings.precision)
    vectors = random_vectors(
        templates, recogniser.fingerprint.dimension, VectorType(settings.index_type), _SEED
    )
    return Parts(
        shop.stages,
        recogniser,
        shop.workers,
        build.index_factory(shop.run.device, verbosity)(vectors, np.arange(templates, dtype=np.int64)),
        stored_bytes(templates, vectors.dimension, vectors.type),
        product_runs(options, precision, side=CPU_PRODUCT_SIDE if on_cpu else None, callers=callers),
        copy_runs(options, size=CPU_COPIED if on_cpu else None, callers=callers),
        _operations(model, flip=settings.flip),
    )


def _operations(model: ResolvedModel, *, flip: bool) -> int | None:
    try:
        return operations(model.recogniser.path, CROP_SIDE, CROP_SIDE) * (2 if flip else 1)
    except ModelUnusable:  # it runs all the same: its share can't be told, and the answer says null
        return None


# --- what is told -------------------------------------------------------------------------------------


@contextlib.contextmanager
def _progress(settings: Settings) -> Iterator[Callable[[int, str], None]]:
    """Says on a terminal what is being measured, on one line that goes again."""
    if settings.quiet or settings.no_progress or not sys.stderr.isatty():
        yield lambda number, name: None
        return

    def tell(number: int, name: str) -> None:
        what = "warming up" if number == 0 else f"round {number} of {ROUNDS}"
        sys.stderr.write(f"{_LINE_BEGINS}{what}: {name.replace('_', ' ')}")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        sys.stderr.write(_LINE_BEGINS)
        sys.stderr.flush()


def _machine(device: str) -> dict[str, Any]:
    """What the figures depend on and no flag changes."""
    used = choose_device(device).device.cards
    names = [card.name for card in cards()] if used else []
    return {
        "processor": processor_name(),
        "cores": available_cores(),
        "gpu": ", ".join(names[number] for number in used) or None,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _versions() -> dict[str, str]:
    found = {"arcface": __version__, "python": platform.python_version()}
    for name in DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _conditions(
    shop: build.Workshop, parts: Parts, settings: Settings, model: ResolvedModel
) -> dict[str, Any]:
    """What was chosen."""
    operations_a_face = parts.operations
    return {
        "device": shop.run.device,
        "model": model.name,
        "detector": shop.run.detector,
        "recogniser": model.recogniser.entry.name,
        "recogniser_sha256": model.recogniser.sha256,
        "recogniser_gflop": None if operations_a_face is None else round(operations_a_face / 1e9, 4),
        "precision": settings.precision,
        "tensorrt": shop.run.tensorrt,
        "flip": settings.flip,
        "batch": parts.recogniser.batch,
        "jobs": parts.workers,
        "templates": len(parts.index),
        "dimension": parts.recogniser.fingerprint.dimension,
        "index_type": settings.index_type,
    }


def _of(samples: Samples) -> dict[str, Any]:
    return {
        "source": "drawn" if samples.drawn else "named",
        "count": len(samples.photographs),
        "megapixels": round(samples.megapixels, 3),
        "faces": samples.face_count if samples.faces != "placed" else 0,
        "unreadable": len(samples.unreadable),
    }


def _ceilings(speeds: Speeds) -> dict[str, Any]:
    return {
        "matrix_gflop_per_second": _rounded(speeds.operations_per_second / 1e9),
        "copy_gb_per_second": _rounded(speeds.bytes_per_second / 1e9),
    }


def _of_stage(speed: StageSpeed) -> dict[str, Any]:
    return {
        "stage": speed.stage,
        "unit": speed.unit,
        "per_second": _rounded(speed.per_second),
        "milliseconds": _rounded(speed.milliseconds),
        "at_once": speed.at_once,
        "ceiling": speed.ceiling,
        "share": None if speed.share is None else _rounded(speed.share),
        "faces_per_second": None if speed.faces_per_second is None else _rounded(speed.faces_per_second),
    }


def _rounded(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}")


def _status(samples: Samples, settings: Settings) -> int:
    if samples.faces == "placed" and not settings.quiet:
        say("no face was found: align and embed were measured on the middle of each photograph")
    if not samples.unreadable:
        return 0
    if not settings.quiet:
        say(f"{len(samples.unreadable)} left out; the first: {samples.unreadable[0].message}")
    return InputError.exit_status
