"""`enroll`: photographs of known people -> templates in the gallery, one transaction a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from arcface_cli.errors import DuplicatePhoto, EnrolledAsAnother, NoSubject, UsageError
from arcface_cli.faces import Done, Outcome, Skipped
from arcface_cli.gallery.entries import (
    Added,
    AddResult,
    Duplicate,
    EnrolledElsewhere,
    NewTemplate,
    subject_name,
)
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import EnrolledPhoto, PhotoFaces

BATCH = 64
"""Photographs in one transaction: all that a power cut can cost, and they are simply enrolled again."""

Add = Callable[[list[NewTemplate]], list[AddResult]]
"""Stores templates in one transaction and says for each, in order, what became of it."""

NAME_HINT = "put it into a folder named after the person, or say who it is with --name"


def with_subject(photos: Iterable[Photo], name: str | None) -> Iterator[Photo]:
    """Photographs whose subject is `name`, or what the folder says; without either it can't be enrolled.

    Raises InvalidSubjectName for a `name` that nobody can have; a folder's costs its photographs only.
    """
    given = None if name is None else subject_name(name)
    for photo in photos:
        try:
            yield replace(photo, subject=_named(photo) if given is None else given)
        except UsageError as reason:
            yield photo if photo.failure is not None else replace(photo, failure=reason)


def _named(photo: Photo) -> str:
    if photo.subject is None:
        raise NoSubject(f"{photo.display}: no telling whose photograph this is", hint=NAME_HINT)
    return subject_name(photo.subject)


def enroll(
    results: Iterable[PhotoOutcome], add: Add, detector: str
) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    """Enroll the face of every photograph; an outcome is told only once its batch is on disk."""
    stream = iter(results)
    while batch := list(islice(stream, BATCH)):
        yield from _enroll_batch(batch, add, detector)


def plan(results: Iterable[PhotoOutcome]) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    """What `enroll` would enroll, without a gallery to do it in."""
    for photo, outcome in results:
        if isinstance(outcome, Done):
            yield photo, Done(EnrolledPhoto(outcome.value, _subject(photo), None))
        else:
            yield photo, outcome


def _enroll_batch(
    batch: list[PhotoOutcome], add: Add, detector: str
) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    entries = [
        _entry(photo, outcome.value, detector) for photo, outcome in batch if isinstance(outcome, Done)
    ]
    added = iter(add(entries) if entries else [])
    for photo, outcome in batch:
        yield photo, _told(photo, outcome.value, next(added)) if isinstance(outcome, Done) else outcome


def _entry(photo: Photo, seen: PhotoFaces, detector: str) -> NewTemplate:
    if seen.templates is None:
        raise ValueError("enrolment needs templates: run the pipeline with a recogniser")
    return NewTemplate(
        subject=_subject(photo),
        feature=seen.templates.features[0],
        source_path=photo.raw,
        content_sha256=seen.picture.sha256,
        face=seen.faces[0],
        detector=detector,
        image_width=seen.picture.width,
        image_height=seen.picture.height,
    )


def _told(photo: Photo, seen: PhotoFaces, result: AddResult) -> Outcome[EnrolledPhoto]:
    subject = _subject(photo)
    match result:
        case Added(template_id):
            return Done(EnrolledPhoto(seen, subject, template_id))
        case Duplicate():
            return Skipped(DuplicatePhoto(f"{photo.display}: enrolled for {subject} already"))
        case EnrolledElsewhere(other):
            return Skipped(
                EnrolledAsAnother(
                    f"{photo.display}: this face is enrolled as {other}, not {subject}",
                    hint="one of the two names is wrong: see arcface gallery show",
                )
            )


def _subject(photo: Photo) -> str:
    if photo.subject is None:
        raise ValueError(f"{photo.display} has no subject")
    return photo.subject
