"""Galleries opened for a verb, with the parts of its workshop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from arcface_cli.cli.build import (
    Workshop,
    fingerprint_of,
    index_factory,
    operating_point,
    require_recogniser,
    said_point,
    store,
)
from arcface_cli.cli.calibrated import (
    gallery_point,
    mention_growth,
    stored_calibration,
    with_measured_fmr,
)
from arcface_cli.cli.console import say
from arcface_cli.cli.spoken import check_said
from arcface_cli.decision import OperatingPoint
from arcface_cli.evaluation.calibration import Calibration
from arcface_cli.faces import ModelFingerprint, Outcome
from arcface_cli.gallery import places
from arcface_cli.gallery.entries import Snapshot
from arcface_cli.gallery.search import Fusion, SubjectSearch
from arcface_cli.gallery.store import Gallery
from arcface_cli.gallery.vectors import VectorType
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import EnrolledPhoto, IdentifiedPhoto
from arcface_cli.settings import LoadedSettings, Settings
from arcface_cli.workflows.enroll import EnrolledFace, enroll, nobody, plan
from arcface_cli.workflows.identify import Question, identify

Enrolled = Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]


@contextlib.contextmanager
def enrolment(settings: Settings, shop: Workshop, *, dry_run: bool) -> Iterator[Enrolled]:
    """Outcomes of enrolling into the settings' gallery, which is made when there is none."""
    recogniser = require_recogniser(shop.stages)
    if dry_run:
        with already_enrolled(settings, recogniser.fingerprint, shop.run.detector) as known:
            yield plan(shop.results(), known)
        return
    with opened_for(settings, recogniser.fingerprint, shop) as gallery:
        yield enroll(
            shop.results_with_pauses(), gallery.add, shop.run.detector, keep_crops=gallery.keeps_crops
        )


@contextlib.contextmanager
def already_enrolled(
    settings: Settings, fingerprint: ModelFingerprint, detector: str
) -> Iterator[Callable[[str], Iterable[EnrolledFace]]]:
    """Looks up who is enrolled from a photograph, by its content, in the gallery that enrolling adds to.

    Writes nothing. Raises what opening that gallery for it would raise.
    """
    gallery = Gallery.look_into(settings.gallery, fingerprint, keep_crops=settings.keep_crops)
    if gallery is None:
        yield nobody
        return
    with gallery:
        mention_other_detector(gallery.detector, detector, settings)
        yield gallery.faces_from


@contextlib.contextmanager
def opened_for(settings: Settings, fingerprint: ModelFingerprint, shop: Workshop) -> Iterator[Gallery]:
    """The settings' gallery, made if there is none, to enrol into with a workshop's networks."""
    with Gallery.open_or_create(
        settings.gallery,
        fingerprint,
        model=shop.run.model,
        detector=shop.run.detector,
        keep_crops=settings.keep_crops,
    ) as gallery:
        mention_network(settings)
        mention_other_detector(gallery.detector, shop.run.detector, settings)
        yield gallery


def mention_network(settings: Settings) -> None:
    """Tell of a gallery whose locks may not hold."""
    system = places.network_file_system(settings.gallery)
    if system is not None and not settings.quiet:
        say(places.warning(settings.gallery, system))


@dataclass(frozen=True, slots=True)
class ReadGallery:
    """A gallery as it stood when it was read; `detector` made its templates."""

    snapshot: Snapshot
    detector: str | None
    calibration: Calibration | None = None


def read_gallery(settings: Settings) -> ReadGallery:
    """The settings' gallery, if templates of the settings' model can be compared with it.

    Loads no network, so that a wrong gallery is told of first. Raises GalleryError.
    """
    fingerprint = fingerprint_of(store(settings).resolve(settings.model, settings.detector), settings)
    with Gallery.open(settings.gallery) as gallery:
        gallery.require(fingerprint)
        snapshot = gallery.snapshot(VectorType(settings.index_type), hurried=True)
        return ReadGallery(snapshot, gallery.detector, stored_calibration(gallery))


def known_people(loaded: LoadedSettings, *, yes: bool = False) -> tuple[ReadGallery, OperatingPoint]:
    """The gallery and the threshold to search it with.

    Told in this order: a threshold that can't be, a gallery that can't be searched, a model for which
    nobody has measured a threshold. Raises InvalidThreshold, GalleryError and NoOperatingPoint.
    """
    said_point(loaded)
    people = read_gallery(loaded.values)
    known = people.calibration
    check_said(loaded, yes=yes, known=known)
    point = operating_point(loaded, None if known is None else gallery_point(known))
    if known is not None and point.origin == "gallery" and not loaded.values.quiet:
        mention_growth(known, len(people.snapshot.subjects), loaded.values.gallery)
    elif known is not None and point.fmr is None:
        point = with_measured_fmr(point, known)
    return people, point


def identification(
    settings: Settings, gallery: ReadGallery, shop: Workshop, point: OperatingPoint
) -> Iterator[tuple[Photo, Outcome[IdentifiedPhoto]] | None]:
    """Outcomes of searching a gallery for every face; None: there are no more for the moment."""
    mention_other_detector(gallery.detector, shop.run.detector, settings)
    search = SubjectSearch(gallery.snapshot, index_factory(shop.run.device, shop.verbosity))
    question = Question(point, settings.margin, settings.top, Fusion(settings.fusion))
    return identify(shop.results_with_pauses(), search, question)


def mention_other_detector(detector: str | None, used: str, settings: Settings) -> None:
    """Tell of templates that came through another detector than the one in use."""
    if detector not in (None, used) and not settings.quiet:
        say(
            f"{settings.gallery}: was made with detector {detector}, not {used}: "
            "similarities are some hundredths lower than with one detector throughout"
        )
