"""Galleries opened for a verb, with the parts of its workshop."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from arcface_cli.cli.build import Workshop, index_factory, require_recogniser
from arcface_cli.cli.console import say
from arcface_cli.decision import OperatingPoint
from arcface_cli.faces import Outcome
from arcface_cli.gallery.search import Fusion, SubjectSearch
from arcface_cli.gallery.store import Gallery
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import EnrolledPhoto, IdentifiedPhoto
from arcface_cli.settings import Settings
from arcface_cli.workflows.enroll import enroll, plan
from arcface_cli.workflows.identify import Question, identify

Enrolled = Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]


@contextlib.contextmanager
def enrolment(settings: Settings, shop: Workshop, *, dry_run: bool) -> Iterator[Enrolled]:
    """Outcomes of enrolling into the settings' gallery, which is made when there is none."""
    recogniser = require_recogniser(shop.stages)
    if dry_run:
        yield plan(shop.results())
        return
    with Gallery.open_or_create(
        settings.gallery, recogniser.fingerprint, model=shop.run.model, detector=shop.run.detector
    ) as gallery:
        _mention_other_detector(gallery, shop, settings)
        yield enroll(shop.results(), gallery.add, shop.run.detector)


def identification(
    settings: Settings, shop: Workshop, point: OperatingPoint
) -> Iterator[tuple[Photo, Outcome[IdentifiedPhoto]]]:
    """Outcomes of searching the settings' gallery. Opens it at once, so that a bad one is told first."""
    with Gallery.open(settings.gallery) as gallery:
        gallery.require(require_recogniser(shop.stages).fingerprint)
        _mention_other_detector(gallery, shop, settings)
        snapshot = gallery.snapshot()
    search = SubjectSearch(snapshot, index_factory(shop.run.device))
    question = Question(point, settings.margin, settings.top, Fusion(settings.fusion))
    return identify(shop.results(), search, question)


def _mention_other_detector(gallery: Gallery, shop: Workshop, settings: Settings) -> None:
    if gallery.detector not in (None, shop.run.detector) and not settings.quiet:
        say(
            f"{settings.gallery}: was made with detector {gallery.detector}, not {shop.run.detector}: "
            "similarities are some hundredths lower than with one detector throughout"
        )
