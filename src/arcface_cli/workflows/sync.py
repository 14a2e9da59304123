"""`enroll --sync`, carried out: the gallery says what the folder says; what says it already isn't touched."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from arcface_cli.errors import (
    ArcfaceError,
    DuplicatePhoto,
    EnrolledAsAnother,
    FaceError,
    ImageTooLarge,
    ImageTooSmall,
    RefusedBefore,
    UnreadableImage,
)
from arcface_cli.faces import Done, Failed, Outcome, Skipped
from arcface_cli.gallery.entries import AddResult, NewTemplate, Refusal
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import EnrolledPhoto
from arcface_cli.workflows.enroll import BATCH, BATCH_S, entry_of, hint_to_two_names, told
from arcface_cli.workflows.gathering import by_the_handful
from arcface_cli.workflows.sync_plan import LOOKED_AT, Action, Plan, Step, is_in_place, place_of


class Store(Protocol):
    """What a synchronisation asks of an open gallery."""

    def add(self, entries: Sequence[NewTemplate], *, replacing: Sequence[int] = ()) -> list[AddResult]:
        """Enrol in one transaction, in place of some templates."""
        ...

    def relabel(self, moves: Sequence[tuple[int, str]], paths: Sequence[tuple[int, bytes]] = ()) -> None:
        """Give templates to other subjects, and note where their photographs are."""
        ...

    def remove_templates(self, template_ids: Sequence[int]) -> None:
        """Remove templates."""
        ...

    def remember_refusals(self, noted: Sequence[Refusal], forgotten: Sequence[bytes] = ()) -> None:
        """Remember photographs as unusable, and forget others."""
        ...


@dataclass(frozen=True, slots=True)
class Keeping:
    """How templates are stored: the detector's name, and whether their crops go with them.

    decided_by: what refusals are remembered with.
    """

    detector: str
    crops: bool
    decided_by: str


def carry_out(
    plan: Plan, results: Iterator[PhotoOutcome], store: Store, keeping: Keeping, *, prune: bool
) -> Generator[tuple[Photo, Outcome[EnrolledPhoto]], None, None]:
    """Do it, one outcome a photograph, in order; each is told only once it is on disk.

    results: of `plan.to_embed`, in order. A changed photograph that gives no face leaves the old template.
    """
    _move(plan, store)
    if prune and plan.is_whole:
        store.remove_templates([each.template_id for each in plan.vanished])
    store.remember_refusals([_moved_along(step) for step in plan.steps if _has_moved(step)], plan.stale)
    looked_at = ((step, next(results) if step.action in LOOKED_AT else None) for step in plan.steps)
    for batch in by_the_handful(looked_at, BATCH, BATCH_S):
        yield from _batch(batch, store, keeping)


def _move(plan: Plan, store: Store) -> None:
    moved = [step for step in plan.steps if step.action is Action.MOVED]
    people = [
        (i, str(each.photo.subject)) for each in moved if each.owner is not None for i in each.templates
    ]
    paths = [(i, place_of(each.photo)) for each in moved for i in each.templates]
    paths += [(i, place_of(each.photo)) for each in plan.steps for i in each.followed]
    if paths:
        store.relabel(people, paths)


def _has_moved(step: Step) -> bool:
    return step.refusal is not None and not is_in_place(step)


def _moved_along(step: Step) -> Refusal:
    if step.refusal is None:
        raise ValueError(f"{step.photo.display} was not refused")
    return replace(step.refusal, source_path=place_of(step.photo), subject=str(step.photo.subject))


def _batch(
    looked_at: list[tuple[Step, PhotoOutcome | None]], store: Store, keeping: Keeping
) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    entries: list[NewTemplate] = []
    replaced: list[int] = []
    for step, result in looked_at:
        if result is not None and isinstance(result[1], Done):
            entries.append(entry_of(result[0], result[1].value, keeping.detector, keep_crop=keeping.crops))
            replaced.extend(step.templates)
    added = iter(store.add(entries, replacing=replaced) if entries else [])
    told_of = [(step, _outcome(step, result, added)) for step, result in looked_at]
    refused = [_refusal(step, outcome, keeping) for step, outcome in told_of]
    store.remember_refusals([each for each in refused if each is not None])
    yield from ((step.photo, outcome) for step, outcome in told_of)


_LASTING = (FaceError, EnrolledAsAnother, UnreadableImage, ImageTooLarge, ImageTooSmall)
"""Reasons that the same bytes will meet again. No such reason: a package that isn't there yet."""


def _refusal(step: Step, outcome: Outcome[EnrolledPhoto], keeping: Keeping) -> Refusal | None:
    """What to remember of a photograph that was looked at and not enrolled; None: nothing."""
    if step.action not in LOOKED_AT or step.content is None or isinstance(outcome, Done):
        return None
    reason = outcome.reason if isinstance(outcome, Skipped) else outcome.error
    ran_short = isinstance(reason.__cause__, MemoryError)
    if not isinstance(reason, _LASTING) or ran_short or _content_of(step.photo) != step.content:
        return None
    return Refusal(
        str(step.photo.subject), place_of(step.photo), step.content, reason.code, keeping.decided_by
    )


def _content_of(photo: Photo) -> str | None:
    """SHA-256 of the file as it is now; None when it can't be read any more."""
    try:
        return hashlib.sha256(photo.read()).hexdigest()
    except ArcfaceError:
        return None


def _outcome(step: Step, result: PhotoOutcome | None, added: Iterator[AddResult]) -> Outcome[EnrolledPhoto]:
    if step.failure is not None:
        return Failed(step.failure)
    if step.refusal is not None:
        return Skipped(_refused_before(step, step.refusal))
    if result is None:
        return Skipped(DuplicatePhoto(f"{step.photo.display}: enrolled for {step.photo.subject} already"))
    photo, outcome = result
    return told(photo, outcome.value, next(added)) if isinstance(outcome, Done) else outcome


def _refused_before(step: Step, refusal: Refusal) -> RefusedBefore:
    """Says again what the first refusal said, where the code alone would not tell whom it is about."""
    said = f"was refused before ({refusal.reason}), and nothing that decided so has changed"
    if step.owner is None:
        return RefusedBefore(f"{step.photo.display}: {said}")
    return RefusedBefore(
        f"{step.photo.display}: {said}: this face is enrolled as {step.owner}, not {step.photo.subject}",
        hint=f"{hint_to_two_names(step.photo, step.owner)}; {RefusedBefore.default_hint}",
    )
