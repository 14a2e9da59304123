"""`enroll --sync`, before anything is done: what a folder of people and a gallery have to say to each other.

Photographs are compared by the hash of their content. Only new and changed ones go through the networks.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from arcface_cli.errors import (
    ArcfaceError,
    EnrolledAsAnother,
    InvalidSubjectName,
    NoSubject,
)
from arcface_cli.gallery.entries import Enrolled, Refusal
from arcface_cli.inputs.names import folder_subject
from arcface_cli.inputs.photo import Photo


class Action(StrEnum):
    """What has to be done about a photograph, or about a template whose photograph is gone."""

    NEW = "new"
    COPY = "copy"
    CHANGED = "changed"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    ANOTHERS = "another's"
    REFUSED = "refused before"
    VANISHED = "vanished"
    KEPT = "kept"
    UNNAMED = "nobody's"
    UNREADABLE = "unreadable"


LOOKED_AT = (Action.NEW, Action.COPY, Action.CHANGED, Action.ANOTHERS)
"""Photographs that go through the networks: also another's, as there may be a second face on it, and a copy
of one that may turn out to have no face."""


@dataclass(frozen=True, slots=True)
class Step:
    """One photograph of the folder. templates: those that stand for it, or that its content replaces.

    was: where a moved photograph was, or where the other's is.  owner: whose it was, if it has changed hands,
    or whose it is.  failure: why it can't be read.  content: SHA-256 of the file.  refusal: what is
    remembered of one that was refused before.  followed: templates of somebody else's whose photograph lies
    here now, in the same person's folder as before: their owner was named in the gallery, and stays.
    """

    action: Action
    photo: Photo
    templates: tuple[int, ...] = ()
    was: bytes | None = None
    owner: str | None = None
    failure: ArcfaceError | None = None
    content: str | None = None
    refusal: Refusal | None = None
    followed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a synchronisation will do.

    vanished: templates whose photograph is gone.  kept: those whose photograph is gone with all others of the
    person's folder, which is there: a share that isn't mounted looks so.  stale: paths of which a refusal is
    remembered that says nothing any more.
    """

    steps: tuple[Step, ...]
    vanished: tuple[Enrolled, ...]
    kept: tuple[Enrolled, ...] = ()
    stale: tuple[bytes, ...] = ()

    @property
    def counts(self) -> Counter[Action]:
        """How many steps of each kind."""
        counts = Counter(step.action for step in self.steps)
        counts[Action.VANISHED], counts[Action.KEPT] = len(self.vanished), len(self.kept)
        return counts

    @property
    def to_embed(self) -> list[Photo]:
        """Photographs that have to go through the networks, in order."""
        return [step.photo for step in self.steps if step.action in LOOKED_AT]

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
    roots: tuple[bytes, ...] = ()
    settled: set[int] = field(default_factory=set)
    coming: dict[str, Photo] = field(default_factory=dict)

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
            step = self._to_look_at(photo, content, same)
        self.settled.update(step.templates)
        followed = [each.template_id for each in self._gone(same) if self._stood_for(photo.subject, each)]
        self.settled.update(followed)
        return replace(step, followed=tuple(followed))

    def _to_look_at(self, photo: Photo, content: str, same: list[Enrolled]) -> Step:
        old = self._replaced(photo, content)
        refusal = self._refusal(photo, content, enrolled=bool(same))
        if refusal is not None:
            owner = None
            if refusal.reason == EnrolledAsAnother.code:
                owner = next((each.subject for each in same if each.subject != photo.subject), None)
            return Step(Action.REFUSED, photo, old, owner=owner, content=content, refusal=refusal)
        first = self.coming.setdefault(content, photo)
        others = [(each.subject, each.source_path) for each in same if self._stays(each)]
        if first.subject != photo.subject:
            others.append((str(first.subject), place_of(first)))
        if others:
            owner, was = others[0]
            return Step(Action.ANOTHERS, photo, old, was=was, owner=owner, content=content)
        if old:
            return Step(Action.CHANGED, photo, old, content=content)
        if first is not photo:  # whichever of the two is read first is enrolled, and the other adds nothing
            return Step(Action.COPY, photo, was=place_of(first), content=content)
        return Step(Action.NEW, photo, content=content)

    def _stays(self, template: Enrolled) -> bool:
        """Whether a template outlives this run: no other content of its photograph's path replaces it."""
        if template.source_path not in self.present:
            return True
        try:
            now = Photo(Path(os.fsdecode(template.source_path))).read()
        except ArcfaceError:  # its own step says why, and leaves the template
            return True
        return hashlib.sha256(now).hexdigest() == template.content_sha256

    def _replaced(self, photo: Photo, content: str) -> tuple[int, ...]:
        """Templates that other content of this photograph's path takes the place of.

        The same content there is enrolled for somebody else: renamed, merged or enrolled by name. Which of
        the two names is right is the user's to say, so it is left to be refused.
        """
        here = self.below.get(place_of(photo), ())
        return tuple(each.template_id for each in here if each.content_sha256 != content)

    def _refusal(self, photo: Photo, content: str, *, enrolled: bool) -> Refusal | None:
        """What is remembered of this content, if the same would be decided again; its own path's first."""
        remembered = [
            each
            for each in self.known.refused_from(content)
            if each.decided_by == self.decided_by and (enrolled or each.reason != EnrolledAsAnother.code)
        ]
        return min(remembered, key=lambda each: each.source_path != place_of(photo), default=None)

    def _gone(self, same: list[Enrolled]) -> list[Enrolled]:
        """Those whose photograph lies nowhere any more, in these folders or not, and was not found yet."""
        return [
            each
            for each in same
            if each.template_id not in self.settled
            and each.source_path not in self.present
            and not os.path.lexists(each.source_path)
        ]

    def _of_known(self, photo: Photo, same: list[Enrolled]) -> Step | None:
        """A photograph whose content is enrolled; None when that is somebody else's and stays so.

        It changes hands with its folder alone: in the folder that it lay in before, an owner of another name
        is one that the gallery was told of.
        """
        own = [each for each in same if each.subject == photo.subject]
        here = [each for each in own if each.source_path == place_of(photo)]
        if here:
            return Step(Action.UNCHANGED, photo, tuple(each.template_id for each in here))
        gone = self._gone(own) or [
            each for each in self._gone(same) if not own and not self._stood_for(photo.subject, each)
        ]
        if gone:
            ids = tuple(each.template_id for each in gone)
            owner = None if own else gone[0].subject
            return Step(Action.MOVED, photo, ids, was=gone[0].source_path, owner=owner)
        return Step(Action.UNCHANGED, photo) if own else None  # a copy of one that is enrolled

    def _stood_for(self, subject: str | None, template: Enrolled) -> bool:
        """Whether a template's photograph lay in the folder of a person.

        That is the first one below a root, or a root of photographs. Of a root that isn't given any more
        nobody knows which that was: then it is any folder above the photograph.
        """
        path = template.source_path
        within = [(root, path[len(root) :].split(b"/")) for root in self.roots if path.startswith(root)]
        folders = [inside[0] if len(inside) > 1 else os.path.basename(root[:-1]) for root, inside in within]  # noqa: PTH119
        return subject in {folder_subject(os.fsdecode(each)) for each in folders or path.split(b"/")[:-1]}


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
    comparison = _Comparison(known, frozenset(map(place_of, listed)), below, decided_by, _beginnings(folders))
    steps = tuple(comparison.step(photo) for photo in listed)
    gone = [
        each
        for each in enrolled.values()
        if each.template_id not in comparison.settled and each.source_path not in comparison.present
    ]
    emptied = _Emptied(folders, comparison.present)
    kept = tuple(each for each in gone if emptied.holds(each.source_path))
    vanished = tuple(each for each in gone if not emptied.holds(each.source_path))
    plan = Plan(steps, vanished, kept)
    return replace(plan, stale=_stale(plan, folders, comparison, emptied))


def _beginnings(folders: Sequence[Path]) -> tuple[bytes, ...]:
    """What the paths of photographs below some folders begin with."""
    return tuple(os.path.abspath(os.fsencode(each)).rstrip(b"/") + b"/" for each in folders)  # noqa: PTH100


class _Emptied:
    """People's folders that are there, or a link to them is, and hold no photograph at all."""

    def __init__(self, roots: Sequence[Path], present: Iterable[bytes]) -> None:
        self._roots = _beginnings(roots)
        self._holding = {self._person(path) for path in present}

    def holds(self, path: bytes) -> bool:
        """Whether a photograph lay below one of them."""
        person = self._person(path)
        return person is not None and person not in self._holding and os.path.lexists(person)

    def _person(self, path: bytes) -> bytes | None:
        """The folder of the person whose photograph lies there; None right below a root, and elsewhere."""
        for root in self._roots:
            name, inside, _ = path[len(root) :].partition(b"/")
            if inside and path.startswith(root):
                return root + name
        return None


def _stale(
    plan: Plan, folders: Sequence[Path], comparison: _Comparison, emptied: _Emptied
) -> tuple[bytes, ...]:
    """Paths whose refusal no step goes by; of a missing photograph only if it is gone for certain."""
    valid = {
        step.refusal.source_path for step in plan.steps if step.refusal is not None and is_in_place(step)
    }
    remembered = {
        each.source_path for folder in folders for each in comparison.known.refused_below(folder)
    } - valid
    return tuple(
        sorted(
            path
            for path in remembered
            if path in comparison.present or (plan.is_whole and not emptied.holds(path))
        )
    )


def is_in_place(step: Step) -> bool:
    """Whether a refusal is remembered of this very path and person."""
    refusal, photo = step.refusal, step.photo
    return refusal is not None and (refusal.source_path, refusal.subject) == (place_of(photo), photo.subject)


def place_of(photo: Photo) -> bytes:
    """The photograph's absolute path, which is how a gallery remembers it."""
    return photo.raw if photo.path is None else os.path.abspath(photo.raw)  # noqa: PTH100 - bytes
