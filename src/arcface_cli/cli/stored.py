"""`enroll --from-embeddings`: a file of features into a gallery, without weights or a runtime."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arcface_cli import __version__
from arcface_cli.cli.batch import Batch, Target, open_sink
from arcface_cli.cli.build import fingerprint_of, quality_gates, settings_from, store
from arcface_cli.cli.galleries import Enrolled, already_enrolled, mention_other_detector
from arcface_cli.detection.selection import FaceChoice
from arcface_cli.errors import GalleryModelMismatch, UsageError
from arcface_cli.gallery.entries import new_name
from arcface_cli.gallery.store import Gallery
from arcface_cli.inputs.embeddings import StoredFeatures, stored_features
from arcface_cli.inputs.names import printable
from arcface_cli.output import records
from arcface_cli.output.records import Run
from arcface_cli.settings import Settings
from arcface_cli.workflows.enroll import enroll, plan
from arcface_cli.workflows.stored import Acceptance, stored_outcomes

if TYPE_CHECKING:
    from arcface_cli.faces import ModelFingerprint


def enroll_stored(path: Path, params: dict[str, Any]) -> int:
    """Enroll every face of a file of features; the exit status."""
    settings = settings_from(params).values
    name = None if params["name"] is None else new_name(params["name"])
    stored = opened_features(path, params, settings)
    run = run_of(stored)
    work = Batch(settings, params["fail_fast"], params["verbose"])
    with (
        open_sink(Target("enroll", settings, params["output"])) as sink,
        stored_enrolment(settings, stored, name, dry_run=params["dry_run"]) as results,
    ):
        work.run(sink, results, lambda *result: records.enrolled(run, *result))
    work.finish("enroll")
    return work.tally.status()


def opened_features(path: Path, params: dict[str, Any], settings: Settings) -> StoredFeatures:
    """The file of features; GalleryModelMismatch when -m asks for another model than made them."""
    if params.get("paths") or params.get("manifest") is not None:
        raise UsageError("--from-embeddings goes with no PATH and no --manifest", hint="give one")
    stored = stored_features(path, sys.stdin.buffer)
    if settings.model is not None and stored.fingerprint is not None:
        wanted = fingerprint_of(store(settings).resolve(settings.model, settings.detector), settings)
        _require(wanted, stored.fingerprint, path)
    return stored


def _require(wanted: ModelFingerprint, found: ModelFingerprint, path: Path) -> None:
    if wanted != found:
        raise GalleryModelMismatch(
            f"{printable(str(path))}: made with model {found.short}, not with {wanted.short}, which -m names",
            hint="leave -m out, or embed the photographs with it",
        )


def run_of(stored: StoredFeatures) -> Run:
    """What records say of the features: nothing runs here, so the device is none."""
    return Run("enroll", __version__, stored.model or "unknown", stored.detector, "none", "fp32")


@contextlib.contextmanager
def stored_enrolment(
    settings: Settings, stored: StoredFeatures, name: str | None, *, dry_run: bool
) -> Iterator[Enrolled]:
    """Outcomes of enrolling the features into the settings' gallery, which is made when there is none.

    Raises GalleryModelMismatch for a gallery that another model made.
    """
    choice = FaceChoice("one" if settings.faces is None else settings.faces)
    acceptance = Acceptance(name, choice, quality_gates(settings, enrolling=True))
    results = stored_outcomes(stored.rows, stored.fingerprint, acceptance)
    if stored.fingerprint is None:
        yield plan(results)
        return
    if dry_run:
        uncropped = replace(settings, keep_crops=None)  # features have no crops to ask for
        with already_enrolled(uncropped, stored.fingerprint, stored.detector) as known:
            yield plan(results, known)
        return
    with Gallery.open_or_create(
        settings.gallery,
        stored.fingerprint,
        model=stored.model,
        detector=stored.detector,
        origin="the file of features",
    ) as gallery:
        mention_other_detector(gallery.detector, stored.detector, settings)
        yield enroll(results, gallery.add, stored.detector)
