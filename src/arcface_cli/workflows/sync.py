"""`enroll --sync`: make the gallery say what a folder of people says, and touch nothing that says it already.

Photographs are compared by the hash of their content. Only new and changed ones go through the networks.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Protocol

from arcface_cli.errors import (
    ArcfaceError,
    DuplicatePhoto,
    EnrolledAsAnother,
    FaceError,
    ImageTooLarge,
    ImageTooSmall,
    InvalidSubjectName,
    NoSubject,
    RefusedBefore,
    UnreadableImage,
)
from arcface_cli.faces import Done, Failed, Outcome, Skipped
from arcface_cli.gallery.entries import AddResult, Enrolled, NewTemplate, Refusal
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import EnrolledPhoto
from arcface_cli.workflows.enroll import BATCH, entry_of, told


class Action(StrEnum):
    """What has to be done about a photograph, or about a template whose photograph is gone."""

    NEW = "new"
    CHANGED = "changed"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    REFUSED = "refused before"
    VANISHED = "vanished"
    UNNAMED = "nobody's"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Step:
    """One photograph of the folder. templates: those that stand for it, or that its content replaces.

    was: where a moved photograph was.  owner: whose it was, if it has changed hands.  failure: why it can't
    be read.  content: SHA-256 of the file.  refusal: what is remembered of one that was refused before.
    """

    action: Action
    photo: Photo
    templates: tuple[int, ...] = ()
    was: bytes | None = None
    owner: str | None = None
    failure: ArcfaceError | None = None
    content: str | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a synchronisation will do.

    vanished: templates whose photograph is gone.  stale: paths of which a refusal is remembered that says
    nothing any more.
    """

    steps: tuple[Step, ...]
    vanished: tuple[Enrolled, ...]
    stale: tuple[bytes, ...] = ()

    @property
    def counts(self) -> Counter[Action]:
        """How many steps of each kind."""
        counts = Counter(step.action for step in self.steps)
        counts[Action.VANISHED] = len(self.vanished)
        return counts

    @property
    def to_embed(self) -> list[Photo]:
        """Photographs that have to go through the networks, in order."""
        return [step.photo for step in self.steps if step.action in (Action.NEW, Action.CHANGED)]

    @property
    def is_whole(self) -> bool:
        """Whether everything could be read: only then may what is missing be taken for deleted."""
        return not any(step.action is Action.UNREADABLE for step in self.steps)


class Known(Protocol):
    """What is asked of a gallery before anything is done to it."""

    def enrolled_below(self, folder: Path) -> list[Enrolled]:
        """Templates of photographs below a folder."""
        ...

    def enrolled_from(self, content_sha256: str) -> list[Enrolled]:
        """Templates of photographs with this content."""
        ...

    def refused_below(self, folder: Path) -> list[Refusal]:
        """What is remembered of unusable photographs below a folder."""
        ...

    def refused_from(self, content_sha256: str) -> list[Refusal]:
        """What is remembered of unusable photographs with this content."""
        ...


class NobodyKnown:
    """A gallery that is yet to be made."""

    def enrolled_below(self, folder: Path) -> list[Enrolled]:
        """None."""
        return []

    def enrolled_from(self, content_sha256: str) -> list[Enrolled]:
        """None."""
        return []

    def refused_below(self, folder: Path) -> list[Refusal]:
        """None."""
        return []

    def refused_from(self, content_sha256: str) -> list[Refusal]:
        """None."""
        return []


@dataclass(slots=True)
class _Comparison:
    known: Known
    present: frozenset[bytes]
    below: dict[bytes, list[Enrolled]]
    decided_by: str | None
    settled: set[int] = field(default_factory=set)

    def step(self, photo: Photo) -> Step:
        try:
            content = hashlib.sha256(photo.read()).hexdigest()
        except ArcfaceError as failure:
            self.settled.update(each.template_id for each in self.below.get(place_of(photo), ()))
            unnamed = isinstance(failure, NoSubject | InvalidSubjectName)
            return Step(Action.UNNAMED if unnamed else Action.UNREADABLE, photo, failure=failure)
        same = [
            each for each in self.known.enrolled_from(content) if each.template_id not in self.settled
        ] or self.known.enrolled_from(content)
        step = self._of_known(photo, same) if same else None
        if step is None:
            old = tuple(each.template_id for each in self.below.get(place_of(photo), ()))
            refusal = self._refusal(photo, content, enrolled=bool(same))
            looked_at = Action.CHANGED if old else Action.NEW
            action = looked_at if refusal is None else Action.REFUSED
            step = Step(action, photo, old, content=content, refusal=refusal)
        self.settled.update(step.templates)
        return step

    def _refusal(self, photo: Photo, content: str, *, enrolled: bool) -> Refusal | None:
        """What is remembered of this content, if the same would be decided again; its own path's first."""
        remembered = [
            each
            for each in self.known.refused_from(content)
            if each.decided_by == self.decided_by and (enrolled or each.reason != EnrolledAsAnother.code)
        ]
        return min(remembered, key=lambda each: each.source_path != place_of(photo), default=None)

    def _is_gone(self, path: bytes) -> bool:
        """Whether no photograph lies there any more: neither in these folders nor anywhere."""
        return path not in self.present and not os.path.lexists(path)

    def _of_known(self, photo: Photo, same: list[Enrolled]) -> Step | None:
        """A photograph whose content is enrolled; None when that is somebody else's and still there."""
        own = [each for each in same if each.subject == photo.subject]
        here = [each for each in own if each.source_path == place_of(photo)]
        if here:
            return Step(Action.UNCHANGED, photo, tuple(each.template_id for each in here))
        gone = [each for each in own or same if self._is_gone(each.source_path)]
        if gone:
            ids = tuple(each.template_id for each in gone)
            owner = None if own else gone[0].subject
            return Step(Action.MOVED, photo, ids, was=gone[0].source_path, owner=owner)
        return Step(Action.UNCHANGED, photo) if own else None  # a copy of one that is enrolled


def compare(
    photos: Iterable[Photo], folders: Sequence[Path], known: Known, decided_by: str | None = None
) -> Plan:
    """What `folders` and their photographs would change in a gallery. Reads every file once.

    decided_by: what refusals are remembered with today (`Refusal.decided_by`); those of another kind, or
    with None all, are looked at again.
    """
    listed = list(photos)
    enrolled = {each.template_id: each for folder in folders for each in known.enrolled_below(folder)}
    below: dict[bytes, list[Enrolled]] = {}
    for each in enrolled.values():
        below.setdefault(each.source_path, []).append(each)
    comparison = _Comparison(known, frozenset(map(place_of, listed)), below, decided_by)
    steps = tuple(comparison.step(photo) for photo in listed)
    vanished = tuple(
        each
        for each in enrolled.values()
        if each.template_id not in comparison.settled and each.source_path not in comparison.present
    )
    plan = Plan(steps, vanished)
    return replace(plan, stale=_stale(plan, folders, comparison))


def _stale(plan: Plan, folders: Sequence[Path], comparison: _Comparison) -> tuple[bytes, ...]:
    """Paths whose refusal no step goes by; of a missing photograph only if all others could be read."""
    valid = {
        step.refusal.source_path for step in plan.steps if step.refusal is not None and is_in_place(step)
    }
    remembered = {
        each.source_path for folder in folders for each in comparison.known.refused_below(folder)
    } - valid
    return tuple(sorted(path for path in remembered if plan.is_whole or path in comparison.present))


def is_in_place(step: Step) -> bool:
    """Whether a refusal is remembered of this very path and person."""
    refusal, photo = step.refusal, step.photo
    return refusal is not None and (refusal.source_path, refusal.subject) == (place_of(photo), photo.subject)


def place_of(photo: Photo) -> bytes:
    """The photograph's absolute path, which is how a gallery remembers it."""
    return photo.raw if photo.path is None else os.path.abspath(photo.raw)  # noqa: PTH100 - bytes


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
    steps = iter(plan.steps)
    while batch := list(islice(steps, BATCH)):
        yield from _batch(batch, results, store, keeping)


def _move(plan: Plan, store: Store) -> None:
    moved = [step for step in plan.steps if step.action is Action.MOVED]
    if moved:
        store.relabel(
            [
                (i, str(step.photo.subject))
                for step in moved
                if step.owner is not None
                for i in step.templates
            ],
            [(i, place_of(step.photo)) for step in moved for i in step.templates],
        )


def _has_moved(step: Step) -> bool:
    return step.refusal is not None and not is_in_place(step)


def _moved_along(step: Step) -> Refusal:
    if step.refusal is None:
        raise ValueError(f"{step.photo.display} was not refused")
    return replace(step.refusal, source_path=place_of(step.photo), subject=str(step.photo.subject))


def _batch(
    steps: list[Step], embedded: Iterator[PhotoOutcome], store: Store, keeping: Keeping
) -> Iterator[tuple[Photo, Outcome[EnrolledPhoto]]]:
    outcomes = [next(embedded) if step.action in (Action.NEW, Action.CHANGED) else None for step in steps]
    entries: list[NewTemplate] = []
    replaced: list[int] = []
    for step, result in zip(steps, outcomes, strict=True):
        if result is not None and isinstance(result[1], Done):
            entries.append(entry_of(result[0], result[1].value, keeping.detector, keep_crop=keeping.crops))
            replaced.extend(step.templates)
    added = iter(store.add(entries, replacing=replaced) if entries else [])
    results = [_outcome(step, result, added) for step, result in zip(steps, outcomes, strict=True)]
    refused = [_refusal(step, outcome, keeping) for step, outcome in zip(steps, results, strict=True)]
    store.remember_refusals([each for each in refused if each is not None])
    yield from zip((step.photo for step in steps), results, strict=True)


_LASTING = (FaceError, EnrolledAsAnother, UnreadableImage, ImageTooLarge, ImageTooSmall)
"""Reasons that the same bytes will meet again. No such reason: a package that isn't there yet."""


def _refusal(step: Step, outcome: Outcome[EnrolledPhoto], keeping: Keeping) -> Refusal | None:
    """What to remember of a photograph that was looked at and not enrolled; None: nothing."""
    if step.action not in (Action.NEW, Action.CHANGED) or step.content is None or isinstance(outcome, Done):
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
        said = f"was refused before ({step.refusal.reason}), and nothing that decided so has changed"
        return Skipped(RefusedBefore(f"{step.photo.display}: {said}"))
    if result is None:
        return Skipped(DuplicatePhoto(f"{step.photo.display}: enrolled for {step.photo.subject} already"))
    photo, outcome = result
    return told(photo, outcome.value, next(added)) if isinstance(outcome, Done) else outcome
