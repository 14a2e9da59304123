"""What a folder and a gallery have to say to each other, without either."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from arcface_cli.gallery.entries import Enrolled
from arcface_cli.inputs.photo import Photo
from arcface_cli.workflows.sync import Action, NobodyKnown, Plan, compare


class FakeGallery:
    """Remembers what it is told at its making: (subject, path, content) of template 1, 2, ..."""

    def __init__(self, *known: tuple[str, Path, str]) -> None:
        self.enrolled = [
            Enrolled(number, subject, os.fsencode(path), hashlib.sha256(content.encode()).hexdigest())
            for number, (subject, path, content) in enumerate(known, start=1)
        ]

    def enrolled_below(self, folder: Path) -> list[Enrolled]:
        start = os.fsencode(folder) + b"/"
        return [each for each in self.enrolled if each.source_path.startswith(start)]

    def enrolled_from(self, content_sha256: str) -> list[Enrolled]:
        return [each for each in self.enrolled if each.content_sha256 == content_sha256]


def photo(folder: Path, name: str, content: str) -> Photo:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return Photo(path, subject=path.parent.name)


def told(plan: Plan) -> list[tuple[Action, tuple[int, ...]]]:
    return [(step.action, step.templates) for step in plan.steps]


def test_everything_is_new_to_a_gallery_that_is_yet_to_be_made(tmp_path: Path) -> None:
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], NobodyKnown())
    assert told(plan) == [(Action.NEW, ())]
    assert [each.display for each in plan.to_embed] == [str(tmp_path / "ada/1")]


def test_what_is_enrolled_already_goes_through_no_network(tmp_path: Path) -> None:
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], FakeGallery(("ada", tmp_path / "ada/1", "A")))
    assert (told(plan), plan.to_embed, plan.vanished) == ([(Action.UNCHANGED, (1,))], [], ())


def test_another_content_replaces_the_template_of_its_path(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"))
    assert told(compare([photo(tmp_path, "ada/1", "B")], [tmp_path], known)) == [(Action.CHANGED, (1,))]


def test_a_moved_photograph_is_known_by_its_content(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/old", "A"))
    plan = compare([photo(tmp_path, "ada/new", "A")], [tmp_path], known)
    assert told(plan) == [(Action.MOVED, (1,))]
    assert (plan.steps[0].was, plan.steps[0].owner) == (os.fsencode(tmp_path / "ada/old"), None)
    assert plan.vanished == ()


def test_a_photograph_in_another_persons_folder_changes_hands(tmp_path: Path) -> None:
    known = FakeGallery(("bob", tmp_path / "bob/1", "A"))
    (step,) = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], known).steps
    assert (step.action, step.templates, step.owner) == (Action.MOVED, (1,), "bob")


def test_a_photograph_in_both_folders_is_left_to_be_refused(tmp_path: Path) -> None:
    known = FakeGallery(("bob", tmp_path / "bob/1", "A"))
    plan = compare([photo(tmp_path, "ada/1", "A"), photo(tmp_path, "bob/1", "A")], [tmp_path], known)
    assert told(plan) == [(Action.NEW, ()), (Action.UNCHANGED, (1,))]


def test_a_copy_in_the_same_folder_is_nothing_new(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"))
    plan = compare([photo(tmp_path, "ada/1", "A"), photo(tmp_path, "ada/2", "A")], [tmp_path], known)
    assert told(plan) == [(Action.UNCHANGED, (1,)), (Action.UNCHANGED, ())]


def test_two_photographs_that_change_places_stay_with_their_templates(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"), ("ada", tmp_path / "ada/2", "B"))
    plan = compare([photo(tmp_path, "ada/1", "B"), photo(tmp_path, "ada/2", "A")], [tmp_path], known)
    assert plan.vanished == ()
    assert Action.CHANGED not in plan.counts


@pytest.mark.parametrize("elsewhere", [True, False])
def test_only_what_lay_below_the_folder_can_vanish(tmp_path: Path, elsewhere: bool) -> None:
    path = Path("/elsewhere/ada/1") if elsewhere else tmp_path / "ada/gone"
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], FakeGallery(("ada", path, "B")))
    assert [each.template_id for each in plan.vanished] == ([] if elsewhere else [1])


def test_what_cannot_be_read_is_told_and_not_taken_for_deleted(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"), ("ada", tmp_path / "ada/2", "B"))
    plan = compare([photo(tmp_path, "ada/1", "")], [tmp_path], known)
    assert told(plan) == [(Action.UNREADABLE, ())]
    assert not plan.is_whole
    assert [each.template_id for each in plan.vanished] == [2]
