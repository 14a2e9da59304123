"""What `calibrate` does once its flags are read; and what a stored calibration means for other verbs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from arcface_cli.cli import build
from arcface_cli.cli.console import say
from arcface_cli.cli.embedding import Embedder, people_of
from arcface_cli.cli.listing import show_facts
from arcface_cli.decision import Metric, OperatingPoint
from arcface_cli.errors import GalleryDamaged, GalleryMissing, InvalidThreshold, NoInputs, UsageError
from arcface_cli.evaluation.calibration import Calibration, at_size
from arcface_cli.evaluation.tails import GOOD_FIT
from arcface_cli.gallery.store import Gallery
from arcface_cli.inputs.names import printable
from arcface_cli.output.evaluation_tables import percent
from arcface_cli.settings import LoadedSettings, Settings
from arcface_cli.workflows.calibrate import Enrolled, Found, Labelled, Origin, calibrate, enrolled_from

HARDLY_A_FACE = 0.0
"""Cosine similarity under which two faces are less alike than unrelated vectors: no threshold by accident."""


def run(params: Mapping[str, Any]) -> int:
    """Find the operating point, tell of it, and store it in the gallery unless it is a dry run."""
    loaded = build.settings_from(dict(params))
    settings = loaded.values
    fmr, fpir = _targets(params)
    dry = bool(params["dry_run"])
    with Embedder("calibrate", loaded, cached=params["cache"], verbosity=params["verbose"]) as embedder:
        gallery = _gallery(settings, embedder, required=not dry)
        people, data = _people(params["folder"], params["strangers"], embedder)
    enrolled = enrolled_from(people) if gallery is None else gallery
    size = enrolled.size if params["subjects"] is None else params["subjects"]
    origin = Origin(
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), data, embedder.fingerprint.short,
        embedder.model.name, embedder.detector,
    )  # fmt: skip
    found = calibrate(people, enrolled, fmr=fmr, fpir=fpir, size=size, origin=origin)
    if not dry:
        with Gallery.open(settings.gallery, writable=True) as opened:
            opened.require(embedder.fingerprint)
            opened.set_operating_point(found.calibration.to_json())
    show_facts(facts(found), settings)
    if not settings.quiet:
        _remark(found, dry=dry, gallery=settings.gallery)
    return 0


def _targets(params: Mapping[str, Any]) -> tuple[float | None, float | None]:
    fmr, fpir = params["target_fmr"], params["target_fpir"]
    if (fmr is None) == (fpir is None):
        raise UsageError(
            "name one target: --target-fmr for single comparisons, or --target-fpir for searches",
            hint="for identify: --target-fpir 0.01; see docs/thresholds.md",
        )
    for name, rate in (("--target-fmr", fmr), ("--target-fpir", fpir)):
        if rate is not None and not 0.0 < rate < 1.0:
            raise UsageError(f"{name} {rate:g}: a rate lies between 0 and 1")
    return fmr, fpir


def _gallery(settings: Settings, embedder: Embedder, *, required: bool) -> Enrolled | None:
    try:
        opened = Gallery.open(settings.gallery)
    except GalleryMissing:
        if required:
            raise
        return None
    with opened:
        opened.require(embedder.fingerprint)
        snapshot = opened.snapshot()
        if opened.detector not in (None, embedder.detector) and not settings.quiet:
            say(f"{settings.gallery}: made with detector {opened.detector}: give the same with --detector")
    if not len(snapshot):
        if required:
            raise NoInputs(f"{settings.gallery}: nobody is enrolled", hint="enroll people, then calibrate")
        return None
    return Enrolled(np.asarray(snapshot.features, np.float32), snapshot.subject_rows, snapshot.subjects)


def _people(folder: Path, strangers: Path | None, embedder: Embedder) -> tuple[Labelled, str]:
    """Templates of everybody, and words for what they are; photographs without a face can't calibrate."""
    people = people_of(folder)
    paths, names = list(people.paths), list(people.names)
    data = f"{len(set(names))} people, {len(names)} photographs of {printable(str(folder))}"
    if strangers is not None:
        others = people_of(strangers)
        paths += others.paths
        names += [f"stranger {name}" for name in others.names]
        data += f"; {len(set(others.names))} strangers of {printable(str(strangers))}"
    templates = embedder.photos(paths)
    usable = ~templates.failed
    if not usable.any():
        raise NoInputs(f"{printable(str(folder))}: no photograph shows a face that can be used")
    kept = tuple(name for name, good in zip(names, usable, strict=True) if good)
    return Labelled(templates.features[usable], kept), data


def facts(found: Found) -> dict[str, Any]:
    """The answer as one object."""
    point = found.calibration
    a, b, similarity = found.alike
    return {
        **point.facts(),
        "distance": round(Metric.EUCLIDEAN.from_similarity(point.threshold), 6),
        "most_alike": {"first": printable(a), "second": printable(b), "similarity": round(similarity, 6)},
    }


def _remark(found: Found, *, dry: bool, gallery: Path) -> None:
    point = found.calibration
    told = f"threshold {point.threshold:.4f}: FMR {_told(point.fmr, point.fmr_interval)}"
    if point.fpir is not None:
        told += f"; FPIR among {point.subjects:,} subjects {_told(point.fpir, point.fpir_interval)}"
    say(told)
    if point.extrapolated:
        fits = "" if point.p_value is None else f" (fit: p = {point.p_value:.2f})"
        say(f"the FPIR extrapolates by a fitted tail{fits}: the searches are too few to measure it")
        if point.p_value is not None and point.p_value < GOOD_FIT:
            say("the tail fits badly: bring more strangers before you rely on this")
    a, b, similarity = found.alike
    say(f"most alike under two names: {printable(a)} and {printable(b)}, {similarity:.3f}; are they two?")
    say("dry run: nothing was stored" if dry else f"stored in {gallery}: identify goes by it from now on")


def _told(rate: float | None, between: tuple[float, float] | None) -> str:
    if rate is None:
        return "not known"
    return percent(rate) + ("" if between is None else f" ({percent(between[0])} to {percent(between[1])})")


# --- for other verbs -----------------------------------------------------------------------------------


def stored_calibration(gallery: Gallery) -> Calibration | None:
    """What is stored, if it can be read and is of the gallery's own model; else None, and a word why."""
    text = gallery.operating_point
    if text is None:
        return None
    try:
        found = Calibration.from_json(text)
    except GalleryDamaged as error:
        say(
            f"{gallery.directory}: {error.message}; {error.hint}; until then the catalogue's threshold counts"
        )
        return None
    if found.model != gallery.fingerprint.short:
        say(
            f"{gallery.directory}: was calibrated with model {found.model} and is of "
            f"{gallery.fingerprint.short} now: that threshold is void; run arcface calibrate again"
        )
        return None
    return found


def gallery_point(found: Calibration) -> OperatingPoint:
    """The stored threshold as an operating point."""
    return OperatingPoint(
        found.threshold, "gallery", fmr=found.fmr, fpir=found.fpir, gallery_size=found.subjects,
        impostor_comparisons=found.impostor_comparisons, data=found.data, model=found.model_name,
    )  # fmt: skip


def with_measured_fmr(point: OperatingPoint, found: Calibration) -> OperatingPoint:
    """The user's threshold with the FMR that the gallery's calibration measured at it."""
    rate, _ = found.fmr_at(point.threshold)
    return OperatingPoint(
        point.threshold, point.origin, fmr=rate, impostor_comparisons=found.impostor_comparisons,
        data=found.data, model=found.model_name,
    )  # fmt: skip


def mention_growth(found: Calibration, subjects: int, gallery: Path) -> None:
    """Say so when a gallery has outgrown the threshold that it goes by."""
    if found.has_outgrown(subjects) and found.fpir is not None:
        now = at_size(found.fpir, found.subjects, subjects)
        say(
            f"{gallery}: holds {subjects:,} subjects and was calibrated for {found.subjects:,}: "
            f"FPIR is now about {percent(now)}; run arcface calibrate again"
        )


def check_said(loaded: LoadedSettings, *, yes: bool, known: Calibration | None = None) -> None:
    """Say what a distance means as a similarity; refuse one that hardly any stranger fails to reach.

    Raises InvalidThreshold for a similarity below 0, unless `yes`.
    """
    said, values = build.said_point(loaded), loaded.values
    if said is None:
        return
    words, metric = _spoken(values)
    rate = None if known is None else known.fmr_at(said.threshold)[0]
    share = (
        ""
        if rate is None
        else f", which {percent(rate)} of impostor comparisons reach (the gallery's calibration)"
    )
    if said.threshold < HARDLY_A_FACE and not yes:
        squared = ""
        if (
            metric is Metric.EUCLIDEAN
            and words.startswith("--max-distance")
            and values.max_distance is not None
        ):
            squared = (
                f"as a squared distance {values.max_distance:g} is cosine "
                f"{Metric.SQEUCLIDEAN.to_similarity(values.max_distance):g}: add --metric sqeuclidean; "
            )
        raise InvalidThreshold(
            f"{words} is cosine {said.threshold:g}, less alike than unrelated faces are{share}: "
            "it would name nearly every stranger",
            hint=f"{squared}add --yes to use it all the same",
        )
    if metric is not Metric.COSINE and not values.quiet:
        say(f"{words} is cosine {said.threshold:g}{share}")


def _spoken(values: Settings) -> tuple[str, Metric]:
    if values.threshold is not None:
        metric = Metric.COSINE if values.metric is None else Metric(values.metric)
        return f"--threshold {values.threshold:g} ({metric.value})", metric
    metric = Metric.EUCLIDEAN if values.metric is None else Metric(values.metric)
    return f"--max-distance {values.max_distance:g} ({metric.value})", metric
