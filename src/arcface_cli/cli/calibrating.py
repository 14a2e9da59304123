"""What `calibrate` does once its flags are read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arcface_cli.cli import build
from arcface_cli.cli.console import say
from arcface_cli.cli.embedding import Embedder, people_of
from arcface_cli.cli.listing import show_facts
from arcface_cli.decision import Metric
from arcface_cli.errors import GalleryMissing, NoInputs, UsageError
from arcface_cli.evaluation.calibration import FORESEEN
from arcface_cli.evaluation.tails import GOOD_FIT
from arcface_cli.gallery.store import Gallery
from arcface_cli.inputs.names import printable
from arcface_cli.output.evaluation_tables import between, percent
from arcface_cli.settings import Settings
from arcface_cli.wording import counted
from arcface_cli.workflows.calibrate import Enrolled, Found, Labelled, Origin, calibrate, enrolled_from


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
    counts = f"{counted(len(set(names)), 'person', 'people')}, {counted(len(names), 'photograph')}"
    data = f"{counts} of {printable(str(folder))}"
    if strangers is not None:
        others = people_of(strangers)
        paths += others.paths
        names += [f"stranger {name}" for name in others.names]
        data += f"; {counted(len(set(others.names)), 'stranger')} of {printable(str(strangers))}"
    templates = embedder.photos(paths)
    _check_apart(paths, names, templates.contents)
    usable = ~templates.failed
    if not usable.any():
        raise NoInputs(f"{printable(str(folder))}: no photograph shows a face that can be used")
    kept = tuple(name for name, good in zip(names, usable, strict=True) if good)
    return Labelled(templates.features[usable], kept), data


def _check_apart(paths: Sequence[Path], names: Sequence[str], contents: Sequence[str | None]) -> None:
    """One file under two names would count as the most alike impostors there can be. Raises UsageError."""
    seen: dict[str, int] = {}
    for place, content in enumerate(contents):
        other = seen.setdefault(content, place) if content is not None else place
        if names[other] != names[place]:
            raise UsageError(
                f"{printable(str(paths[place]))} is the same file as {printable(str(paths[other]))}, "
                f"and they are two people: {printable(names[other])} and {printable(names[place])}",
                hint="nobody may have two names, nor be among the strangers too: remove one",
            )


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
        told += f"; FPIR among {counted(point.subjects, 'subject')} {_told(point.fpir, point.fpir_interval)}"
    say(told)
    if point.fpir_expected is not None:
        low, high = (f"{end * FORESEEN:.0f}" for end in point.fpir_expected)
        say(
            f"of the next {FORESEEN} searches for people who aren't enrolled, expect {low} to {high} to name "
            "somebody (in 95 of 100 cases, if their photographs are like these)"
        )
    if point.extrapolated:
        fits = "" if point.p_value is None else f" (fit: p = {point.p_value:.2f})"
        say(f"the FPIR extrapolates by a fitted tail{fits}: the searches are too few to measure it")
        if point.p_value is not None and point.p_value < GOOD_FIT:
            say("the tail fits badly: bring more strangers before you rely on this")
    a, b, similarity = found.alike
    say(f"most alike under two names: {printable(a)} and {printable(b)}, {similarity:.3f}; are they two?")
    say("dry run: nothing was stored" if dry else f"stored in {gallery}: identify goes by it from now on")


def _told(rate: float | None, ends: tuple[float, float] | None) -> str:
    if rate is None:
        return "not known"
    return percent(rate) + ("" if ends is None else f" ({between(*ends)})")
