"""`enroll --sync`: make the gallery say what a folder of people says, and touch nothing that says it already.

Photographs are compared by the hash of their content. Only new and changed ones go through the networks.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Protocol

from arcface_cli.errors import ArcfaceError, DuplicatePhoto
from arcface_cli.faces import Done, Failed, Outcome, Skipped
from arcface_cli.gallery.entries import AddResult, Enrolled, NewTemplate
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
    VANISHED = "vanished"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Step:
    """One photograph of the folder. templates: those that stand for it, or that its content replaces.

    was: where a moved photograph was.  owner: whose it was, if it has changed hands.  failure: why it can't
    be read.
    """

    action: Action
    photo: Photo
    templates: tuple[int, ...] = ()
    was: bytes | None = None
    owner: str | None = None
    failure: ArcfaceError | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a synchronisation will do. vanished: templates whose photograph is gone."""

    steps: tuple[Step, ...]
    vanished: tuple[Enrolled, ...]

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


class NobodyKnown:
    """A gallery that is yet to be made."""

    def enrolled_below(self, folder: Path) -> list[Enrolled]:
        """None."""
        return []

    def enrolled_from(self, content_sha256: str) -> list[Enrolled]:
        """None."""
        return []


@dataclass(slots=True)
class _Comparison:
    known: Known
    present: frozenset[bytes]
    below: dict[bytes, list[Enrolled]]
    settled: set[int] = field(default_factory=set)

    def step(self, photo: Photo) -> Step:
        try:
            content = hashlib.sha256(photo.read()).hexdigest()
        except ArcfaceError as failure:
            self.settled.update(each.template_id for each in self.below.get(place_of(photo), ()))
            return Step(Action.UNREADABLE, photo, failure=failure)
        same = [
            each for each in self.known.enrolled_from(content) if each.template_id not in self.settled
        ] or self.known.enrolled_from(content)
        step = self._of_known(photo, same) if same else None
        if step is None:
            old = tuple(each.template_id for each in self.below.get(place_of(photo), ()))
            step = Step(Action.CHANGED if old else Action.NEW, photo, old)
        self.settled.update(step.templates)
        return step

    def _of_known(self, photo: Photo, same: list[Enrolled]) -> Step | None:
        """A photograph whose content is enrolled; None when that is somebody else's and still there."""
        own = [each for each in same if each.subject == photo.subject]
        here = [each for each in own if each.source_path == place_of(photo)]
        if here:
            return Step(Action.UNCHANGED, photo, tuple(each.template_id for each in here))
        gone = [each for each in own or same if each.source_path not in self.present]
        if gone:
            ids = tuple(each.template_id for each in gone)
            owner = None if own else gone[0].subject
            return Step(Action.MOVED, photo, ids, was=gone[0].source_path, owner=owner)
        return Step(Action.UNCHANGED, photo) if own else None  # a copy of one that is enrolled


def compare(photos: Iterable[Photo], folders: Sequence[Path], known: Known) -> Plan:
    """What `folders` and their photographs would change in a gallery. Reads every file once."""
    listed = list(photos)
    enrolled = {each.template_id: each for folder in folders for each in known.enrolled_below(folder)}
    below: dict[bytes, list[Enrolled]] = {}
    for each in enrolled.values():
        below.setdefault(each.source_path, []).append(each)
    comparison = _Comparison(known, frozenset(map(place_of, listed)), below)
    steps = tuple(comparison.step(photo) for photo in listed)
    vanished = tuple(
        each
        for each in enrolled.values()
        if each.template_id not in comparison.settled and each.source_path not in comparison.present
    )
    return Plan(steps, vanished)


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


@dataclass(frozen=True, slots=True)
class Keeping:
    """How templates are stored: the detector's name, and whether their crops go with them."""

    detector: str
    crops: bool


def carry_out(
    plan: Plan, results: Iterator[PhotoOutcome], store: Store, keeping: Keeping, *, prune: bool
) -> Generator[tuple[Photo, Outcome[EnrolledPhoto]], None, None]:
    """Do it, one outcome a photograph, in order; each is told only once it is on disk.

    results: of `plan.to_embed`, in order. A changed photograph that gives no face leaves the old template.
    """
    _move(plan, store)
    if prune and plan.is_whole:
        store.remove_templates([each.template_id for each in plan.vanished])
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
    for step, result in zip(steps, outcomes, strict=True):
        yield step.photo, _outcome(step, result, added)


def _outcome(step: Step, result: PhotoOutcome | None, added: Iterator[AddResult]) -> Outcome[EnrolledPhoto]:
    if step.failure is not None:
        return Failed(step.failure)
    if result is None:
        return Skipped(DuplicatePhoto(f"{step.photo.display}: enrolled for {step.photo.subject} already"))
    photo, outcome = result
    return told(photo, outcome.value, next(added)) if isinstance(outcome, Done) else outcome
