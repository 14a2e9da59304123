"""`enroll`: photographs of known people -> templates in the gallery, one transaction a batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from arcface_cli.errors import DuplicatePhoto, EnrolledAsAnother, NoSubject, UsageError
from arcface_cli.faces import BoundingBox, Done, Outcome, Skipped
from arcface_cli.gallery.entries import (
    Added,
    AddResult,
    Duplicate,
    EnrolledElsewhere,
    NewTemplate,
    new_name,
)
from arcface_cli.gallery.writing import enrolled_already
from arcface_cli.imaging.geometry import encode_png
from arcface_cli.inputs.names import folder_subject
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import EnrolledPhoto, PhotoFaces
from arcface_cli.wording import command, quoted
from arcface_cli.workflows.gathering import by_the_handful

BATCH, BATCH_S = 64, 2.0
"""Photographs in one transaction, and seconds until it is made: all that a power cut can cost."""

Add = Callable[[list[NewTemplate]], list[AddResult]]
"""Stores templates in one transaction and says for each, in order, what became of it."""

EnrolledFace = tuple[int, str, BoundingBox]
"""Template id, subject and box of a face that is enrolled from a photograph."""

NAME_HINT = "put it into a folder named after the person, or say who it is with --name"
MANIFEST_HINT = "write the person into its row of the manifest"


def with_subject(photos: Iterable[Photo], name: str | None, hint: str = NAME_HINT) -> Iterator[Photo]:
    """Photographs whose subject is `name`, or what the folder says; without either it can't be enrolled.

    hint: where to say whose such a photograph is. Raises InvalidSubjectName for a `name` that nobody can
    have; a folder's costs its photographs only.
    """
    given = None if name is None else new_name(name)
    for photo in photos:
        try:
            yield replace(photo, subject=_named(photo, hint) if given is None else given)
        except UsageError as reason:
            yield photo if photo.failure is not None else replace(photo, failure=reason)


def _named(photo: Photo, hint: str) -> str:
    if photo.subject is None:
        raise NoSubject(f"{photo.display}: no telling whose photograph this is", hint=hint)
    return new_name(photo.subject)


def enroll(
    results: Iterable[PhotoOutcome | None], add: Add, detector: str, *, keep_crops: bool = False
) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    """Enroll the face of every photograph; an outcome is told only once its batch is on disk.

    None among the results: there are no more for the moment.
    """
    for batch in by_the_handful(results, BATCH, BATCH_S):
        yield from _enroll_batch(batch, add, detector, keep_crops=keep_crops)


def nobody(content_sha256: str) -> list[EnrolledFace]:
    """The faces in a gallery that is yet to be made."""
    return []


def plan(
    results: Iterable[PhotoOutcome], known: Callable[[str], Iterable[EnrolledFace]] = nobody
) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    """What `enroll` would come to, with nothing written.

    known: the faces that are enrolled from a photograph, by the SHA-256 of its content. Those of this run
    are minded too: the second of two copies adds nothing.
    """
    coming: dict[str, list[EnrolledFace]] = {}
    for photo, outcome in results:
        if not isinstance(outcome, Done):
            yield photo, outcome
            continue
        seen, subject = outcome.value, _subject(photo)
        content, box = seen.picture.sha256, seen.faces[0].box
        there = enrolled_already([*known(content), *coming.get(content, ())], subject, box)
        if there is None:
            coming.setdefault(content, []).append((0, subject, box))  # it has no number yet
            yield photo, Done(EnrolledPhoto(seen, subject, None))
        else:
            yield photo, told(photo, seen, there)


def _enroll_batch(
    batch: list[PhotoOutcome], add: Add, detector: str, *, keep_crops: bool
) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    entries = [
        entry_of(photo, outcome.value, detector, keep_crop=keep_crops)
        for photo, outcome in batch
        if isinstance(outcome, Done)
    ]
    added = iter(add(entries) if entries else [])
    for photo, outcome in batch:
        yield photo, told(photo, outcome.value, next(added)) if isinstance(outcome, Done) else outcome


def entry_of(photo: Photo, seen: PhotoFaces, detector: str, *, keep_crop: bool) -> NewTemplate:
    """The template of a photograph's face. Its path is absolute, so that it is found again from anywhere."""
    if seen.templates is None:
        raise ValueError("enrolment needs templates: run the pipeline with a recogniser")
    return NewTemplate(
        subject=_subject(photo),
        feature=seen.templates.features[0],
        source_path=photo.raw if photo.path is None else os.path.abspath(photo.raw),  # noqa: PTH100 - bytes
        content_sha256=seen.picture.sha256,
        face=seen.faces[0],
        detector=detector,
        image_width=seen.picture.width,
        image_height=seen.picture.height,
        crop=encode_png(seen.aligned.crops[0]) if keep_crop else None,
    )


def told(photo: Photo, seen: PhotoFaces, result: AddResult) -> Outcome[EnrolledPhoto]:
    """What became of a photograph's face when it was to be stored."""
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
                    hint=hint_to_two_names(photo, other),
                )
            )


def hint_to_two_names(photo: Photo, other: str) -> str:
    """What to do about a face under two names: one of them is wrong, or older."""
    subject = _subject(photo)
    wrong = f"one of the two names is wrong: see {command('arcface gallery show', other)}"
    places = () if photo.path is None else Path(os.path.abspath(photo.path)).parents  # noqa: PTH100 - links stay
    if folder_subject(other) != other or not any(folder_subject(place) == subject for place in places):
        return wrong  # it isn't a folder that says so, or none can be called so
    rename = f"rename the folder {quoted(subject)} to {quoted(other)} too, or move its photographs there"
    return f"if the person was renamed or merged in the gallery, {rename}; else {wrong}"


def _subject(photo: Photo) -> str:
    if photo.subject is None:
        raise ValueError(f"{photo.display} has no subject")
    return photo.subject
