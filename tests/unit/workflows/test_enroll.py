"""Enrolment: who a photograph belongs to, one transaction a batch, nothing told before it is stored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from arcface_cli.errors import InvalidSubjectName, MissingFile, NoFace
from arcface_cli.faces import Done, Failed, Outcome, Skipped
from arcface_cli.gallery.entries import Added, AddResult, Duplicate, EnrolledElsewhere, NewTemplate
from arcface_cli.imaging.decode import decode
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import EnrolledPhoto
from arcface_cli.wording import command
from arcface_cli.workflows.enroll import BATCH, MANIFEST_HINT, enroll, plan, with_subject
from fakes import face_at, seen_faces, unit

SEEN = seen_faces([face_at()], unit(1, 2, 3, 4))
NOBODY = Skipped(NoFace("b.jpg: no face was found"))
GONE = Failed(MissingFile("c.jpg does not exist"))


def photo(name: str, subject: str | None = "ada") -> Photo:
    return Photo(Path(name), subject=subject)


class FakeGallery:
    """Numbers what it is given; refuses what `answers` says."""

    def __init__(self, answers: dict[bytes, AddResult] | None = None) -> None:
        self._answers = answers or {}
        self.batches: list[list[NewTemplate]] = []

    def add(self, entries: list[NewTemplate]) -> list[AddResult]:
        self.batches.append(entries)
        return [
            self._answers.get(Path(os.fsdecode(e.source_path)).name.encode(), Added(i + 1))
            for i, e in enumerate(entries)
        ]


def told(results: list[PhotoOutcome], gallery: FakeGallery) -> list[Outcome[EnrolledPhoto]]:
    return [outcome for _, outcome in enroll(results, gallery.add, "fake")]


def test_every_photograph_gets_its_outcome_in_order_whatever_became_of_it() -> None:
    gallery = FakeGallery(
        {b"d.jpg": Duplicate(3), b"e.jpg": EnrolledElsewhere("bob", 4)},
    )
    names = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")
    outcomes: list[Outcome[object]] = [Done(SEEN), NOBODY, GONE, Done(SEEN), Done(SEEN)]
    results = list(enroll(zip(map(photo, names), outcomes, strict=True), gallery.add, "fake"))  # type: ignore[arg-type]
    assert [p.display for p, _ in results] == list(names)
    kinds = [type(outcome) for _, outcome in results]
    assert kinds == [Done, Skipped, Failed, Skipped, Skipped]
    codes = [outcome.reason.code for _, outcome in results if isinstance(outcome, Skipped)]
    assert codes == ["no_face", "duplicate", "enrolled_as_another"]


@pytest.mark.parametrize(
    ("path", "owner", "told_to_rename"),
    [
        (
            "people/ada/deeper/a.jpg",
            "Ada L",
            "rename the folder ada to 'Ada L' too, or move its photographs there; else one of the two names",
        ),
        (
            "people/ada/a.jpg",
            "-a",
            "rename the folder ada to -a too, or move its photographs there; else one of the two names",
        ),
        ("elsewhere/a.jpg", "Ada L", None),  # named with --name: no folder says so
        ("people/ada/a.jpg", "a/l", None),  # no folder can be called that
    ],
)
def test_a_face_under_another_name_may_be_of_a_person_renamed_in_the_gallery(
    path: str, owner: str, told_to_rename: str | None
) -> None:
    gallery = FakeGallery({b"a.jpg": EnrolledElsewhere(owner, 4)})
    (outcome,) = told([(photo(path), Done(SEEN))], gallery)
    assert isinstance(outcome, Skipped)
    hint = str(outcome.reason.hint)
    assert command("arcface gallery show", owner) in hint
    assert told_to_rename in hint if told_to_rename is not None else hint.startswith("one of the two names")


def test_what_is_stored_is_the_face_that_was_chosen_with_where_it_comes_from() -> None:
    gallery = FakeGallery()
    (outcome,) = told([(photo("a.jpg"), Done(SEEN))], gallery)
    ((entry,),) = gallery.batches
    assert (entry.subject, entry.source_path) == ("ada", os.fsencode(Path("a.jpg").absolute()))
    assert (entry.detector, entry.crop) == ("fake", None)
    assert entry.content_sha256 == SEEN.picture.sha256
    assert entry.face is SEEN.faces[0]
    assert entry.feature.tolist() == SEEN.templates.features[0].tolist()  # type: ignore[union-attr]
    assert isinstance(outcome, Done)
    assert outcome.value.template_id == 1


def test_a_gallery_that_keeps_crops_gets_the_aligned_face_as_a_png() -> None:
    gallery = FakeGallery()
    list(enroll([(photo("a.jpg"), Done(SEEN))], gallery.add, "fake", keep_crops=True))
    ((entry,),) = gallery.batches
    assert entry.crop is not None
    assert np.array_equal(decode(entry.crop, name="crop", max_pixels=10**6), SEEN.aligned.crops[0])


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (BATCH, [BATCH]), (2 * BATCH + 1, [BATCH, BATCH, 1])]
)
def test_a_transaction_holds_a_batch_of_photographs(count: int, sizes: list[int]) -> None:
    gallery = FakeGallery()
    assert len(told([(photo(f"{i}.jpg"), Done(SEEN)) for i in range(count)], gallery)) == count
    assert [len(batch) for batch in gallery.batches] == sizes


def test_an_outcome_is_told_only_when_its_batch_is_stored() -> None:
    def failing(entries: list[NewTemplate]) -> list[AddResult]:
        raise OSError("the disk is full")

    stream = enroll([(photo("b.jpg"), NOBODY), (photo("a.jpg"), Done(SEEN))], failing, "fake")
    with pytest.raises(OSError, match="full"):
        next(stream)


def test_a_batch_without_a_face_asks_nothing_of_the_gallery() -> None:
    gallery = FakeGallery()
    told([(photo("b.jpg"), NOBODY)], gallery)
    assert gallery.batches == []


def test_a_dry_run_says_who_would_be_enrolled_and_needs_no_gallery() -> None:
    results = list(plan([(photo("a.jpg"), Done(SEEN)), (photo("b.jpg"), NOBODY)]))
    first = results[0][1]
    assert isinstance(first, Done)
    assert (first.value.subject, first.value.template_id) == ("ada", None)
    assert results[1][1] is NOBODY


def test_a_dry_run_minds_what_is_enrolled_and_what_the_run_itself_would_enroll() -> None:
    bob_s = seen_faces([face_at()], unit(1, 2, 3, 4), content="of bob")
    content = bob_s.picture.sha256
    enrolled = {content: [(7, "bob", face_at().box)]}
    results: list[PhotoOutcome] = [
        (photo("a.jpg"), Done(bob_s)),
        (photo("b.jpg", "bob"), Done(bob_s)),
        (photo("c.jpg"), Done(SEEN)),
        (photo("copy of c.jpg"), Done(SEEN)),
        (photo("c.jpg", "bob"), Done(SEEN)),
    ]
    outcomes = [outcome for _, outcome in plan(results, lambda sha256: enrolled.get(sha256, []))]
    codes = [outcome.reason.code if isinstance(outcome, Skipped) else "done" for outcome in outcomes]
    assert codes == ["enrolled_as_another", "duplicate", "done", "duplicate", "enrolled_as_another"]


def test_another_face_on_a_photograph_that_is_enrolled_is_new_to_a_dry_run() -> None:
    second = seen_faces([face_at(x=500.0)], unit(1, 2, 3, 4))
    known = [(7, "bob", face_at().box)]
    ((_, outcome),) = plan([(photo("a.jpg"), Done(second))], lambda _: known)
    assert isinstance(outcome, Done)


def test_a_name_given_counts_more_than_the_folders() -> None:
    assert [p.subject for p in with_subject([photo("a.jpg", "folder"), photo("b.jpg", None)], "Ada")] == [
        "Ada",
        "Ada",
    ]


def test_a_photograph_without_a_name_costs_itself_only() -> None:
    first, second = with_subject([photo("a.jpg", None), photo("b.jpg", "ada")], None)
    assert first.failure is not None
    assert (first.failure.code, first.failure.exit_status) == ("no_subject", 2)
    assert "--name" in str(first.failure.hint)
    assert (second.failure, second.subject) == (None, "ada")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "ada\n", "x" * 256, "\udcff", "a\u202eb"])
def test_a_name_that_nobody_can_have_ends_the_run_when_given_and_costs_a_folder_its_photographs(
    name: str,
) -> None:
    with pytest.raises(InvalidSubjectName):
        next(with_subject([photo("a.jpg")], name))
    (refused,) = with_subject([photo("a.jpg", name)], None)
    assert isinstance(refused.failure, InvalidSubjectName)


def test_blanks_around_a_name_make_nobody_else_wherever_it_comes_from() -> None:
    for found in (
        with_subject([photo("a.jpg")], " Ada\u3000"),
        with_subject([photo("a.jpg", " Ada ")], None),
    ):
        assert [each.subject for each in found] == ["Ada"]


def test_who_is_missing_is_asked_for_where_it_can_be_said() -> None:
    (nobody,) = with_subject([photo("a.jpg", None)], None, MANIFEST_HINT)
    assert nobody.failure is not None
    assert nobody.failure.hint == MANIFEST_HINT


def test_a_failure_of_a_photograph_is_not_hidden_by_its_missing_name() -> None:
    broken = Photo(Path("a"), failure=MissingFile("a does not exist"))
    (kept,) = with_subject([broken], None)
    assert kept.failure is broken.failure


def test_photographs_are_named_lazily() -> None:
    def endless() -> Iterator[Photo]:
        while True:
            yield photo("a.jpg")

    assert next(with_subject(endless(), "Ada")).subject == "Ada"
