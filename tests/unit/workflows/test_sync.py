"""What a folder and a gallery have to say to each other, without either."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from arcface_cli.errors import EmptyFile, FaceBlurred, NoFace, NoSubject, UnreadableImage, UnsupportedFormat
from arcface_cli.faces import Failed, Outcome, Skipped
from arcface_cli.gallery.entries import AddResult, Enrolled, NewTemplate, Refusal
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import PhotoFaces
from arcface_cli.workflows.sync import Keeping, carry_out
from arcface_cli.workflows.sync_plan import Action, NobodyKnown, Plan, compare

JUDGES, OTHER_JUDGES = "ab" * 32, "cd" * 32


class FakeGallery:
    """Remembers what it is told at its making: (subject, path, content) of template 1, 2, ..."""

    def __init__(self, *known: tuple[str, Path, str]) -> None:
        self.enrolled = [
            Enrolled(number, subject, os.fsencode(path), hashlib.sha256(content.encode()).hexdigest())
            for number, (subject, path, content) in enumerate(known, start=1)
        ]
        self.refused: list[Refusal] = []

    def enrolled_below(self, folder: Path) -> list[Enrolled]:
        start = os.fsencode(folder) + b"/"
        return [each for each in self.enrolled if each.source_path.startswith(start)]

    def enrolled_from(self, content_sha256: str) -> list[Enrolled]:
        return [each for each in self.enrolled if each.content_sha256 == content_sha256]

    def refused_below(self, folder: Path) -> list[Refusal]:
        return [each for each in self.refused if each.source_path.startswith(os.fsencode(folder) + b"/")]

    def refused_from(self, content_sha256: str) -> list[Refusal]:
        return [each for each in self.refused if each.content_sha256 == content_sha256]

    def that_refused(self, subject: str, path: Path, content: str, reason: str = "no_face") -> FakeGallery:
        digest = hashlib.sha256(content.encode()).hexdigest()
        self.refused.append(Refusal(subject, os.fsencode(path), digest, reason, JUDGES))
        return self


def photo(folder: Path, name: str, content: str) -> Photo:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
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
    assert told(plan) == [(Action.ANOTHERS, ()), (Action.UNCHANGED, (1,))]


def test_a_name_given_in_the_gallery_is_not_taken_back_by_the_folder(tmp_path: Path) -> None:
    known = FakeGallery(("Ada Lovelace", tmp_path / "ada/1", "A"))
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], known)
    (step,) = plan.steps
    assert (step.action, step.templates, step.owner) == (Action.ANOTHERS, (), "Ada Lovelace")
    assert (step.was, plan.vanished) == (os.fsencode(tmp_path / "ada/1"), ())
    assert plan.to_embed == [step.photo]  # there may be another face on it


@pytest.mark.parametrize(("before", "now"), [("ada/1", "ada/2"), ("ada/2023/1", "ada/2024/1")])
def test_a_name_given_in_the_gallery_stays_when_its_photograph_moves_within_the_folder(
    tmp_path: Path, before: str, now: str
) -> None:
    known = FakeGallery(("Ada Lovelace", tmp_path / before, "A"))
    here = replace(photo(tmp_path, now, "A"), subject="ada")
    plan = compare([here], [tmp_path], known)
    (step,) = plan.steps
    assert (step.action, step.templates, step.followed) == (Action.ANOTHERS, (), (1,))
    assert (step.owner, step.was, plan.vanished) == ("Ada Lovelace", os.fsencode(tmp_path / before), ())


def test_people_that_were_merged_stay_one_when_a_photograph_moves_within_its_folder(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"), ("ada", tmp_path / "bob/1", "B"))
    plan = compare([photo(tmp_path, "ada/1", "A"), photo(tmp_path, "bob/2", "B")], [tmp_path], known)
    assert told(plan) == [(Action.UNCHANGED, (1,)), (Action.ANOTHERS, ())]
    assert (plan.steps[1].followed, plan.vanished) == ((2,), ())


def test_a_name_given_in_the_gallery_stays_when_one_of_two_copies_is_deleted(tmp_path: Path) -> None:
    known = FakeGallery(("Ada Lovelace", tmp_path / "ada/copy", "A"))
    known.that_refused("ada", tmp_path / "ada/1", "A", "enrolled_as_another")
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], known, JUDGES)
    (step,) = plan.steps
    assert (step.action, step.followed, step.owner) == (Action.REFUSED, (1,), "Ada Lovelace")
    store = FakeMover()
    assert len(list(carry_out(plan, iter(()), store, KEEPING, prune=True))) == 1
    assert (store.people, store.paths) == ([], [(1, os.fsencode(tmp_path / "ada/1"))])


def test_a_name_given_in_the_gallery_stays_when_the_whole_folder_of_people_moves(tmp_path: Path) -> None:
    known = FakeGallery(("Ada Lovelace", Path("/gone/ada/1"), "A"), ("bob", Path("/gone/bob/1"), "B"))
    plan = compare([photo(tmp_path, "ada/1", "A"), photo(tmp_path, "eve/1", "B")], [tmp_path], known)
    assert told(plan) == [(Action.ANOTHERS, ()), (Action.MOVED, (2,))]
    assert plan.steps[0].followed == (1,)


def test_two_people_on_one_photograph_both_go_where_it_moves(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"), ("Bob", tmp_path / "ada/1", "A"))
    plan = compare([photo(tmp_path, "ada/2", "A")], [tmp_path], known)
    assert (told(plan), plan.steps[0].followed) == ([(Action.MOVED, (1,))], (2,))
    assert plan.vanished == ()


def test_a_photograph_that_moved_into_two_peoples_folders_is_the_firsts(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/old", "A"))
    photos = [photo(tmp_path, name, "A") for name in ("ada/1", "ada/2", "bob/1")]
    plan = compare(photos, [tmp_path], known)
    assert told(plan) == [(Action.MOVED, (1,)), (Action.UNCHANGED, ()), (Action.ANOTHERS, ())]


def test_one_photograph_in_two_peoples_folders_is_the_firsts(tmp_path: Path) -> None:
    photos = [photo(tmp_path, name, "A") for name in ("ada/1", "bob/1", "ada/2")]
    plan = compare(photos, [tmp_path], NobodyKnown())
    assert told(plan) == [(Action.NEW, ()), (Action.ANOTHERS, ()), (Action.COPY, ())]
    assert (plan.steps[1].owner, plan.steps[1].was) == ("ada", os.fsencode(tmp_path / "ada/1"))
    assert plan.to_embed == photos


def test_a_second_copy_in_one_persons_folder_is_a_copy_and_looked_at_all_the_same(tmp_path: Path) -> None:
    photos = [photo(tmp_path, name, "A") for name in ("ada/1", "ada/2")]
    plan = compare(photos, [tmp_path], NobodyKnown())
    assert told(plan) == [(Action.NEW, ()), (Action.COPY, ())]
    assert plan.steps[1].was == os.fsencode(tmp_path / "ada/1")
    assert plan.to_embed == photos  # the first may turn out to have no face


def test_photographs_that_two_people_swap_are_changed_and_nobody_elses(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"), ("bob", tmp_path / "bob/1", "B"))
    plan = compare([photo(tmp_path, "ada/1", "B"), photo(tmp_path, "bob/1", "A")], [tmp_path], known)
    assert told(plan) == [(Action.CHANGED, (1,)), (Action.CHANGED, (2,))]


def test_a_folder_renamed_like_the_person_is_followed(tmp_path: Path) -> None:
    known = FakeGallery(("Ada Lovelace", tmp_path / "ada/1", "A"))
    (step,) = compare([photo(tmp_path, "Ada Lovelace/1", "A")], [tmp_path], known).steps
    assert (step.action, step.templates, step.owner) == (Action.MOVED, (1,), None)


@pytest.mark.parametrize(("subject", "action"), [("ada", Action.UNCHANGED), ("bob", Action.ANOTHERS)])
def test_a_photograph_that_is_still_in_another_folder_has_not_moved(
    tmp_path: Path, subject: str, action: Action
) -> None:
    elsewhere = photo(tmp_path, "ada/1", "A")
    (tmp_path / "more").mkdir()
    here = photo(tmp_path / "more", f"{subject}/2", "A")
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"))
    assert elsewhere.path is not None
    assert told(compare([here], [tmp_path / "more"], known)) == [(action, ())]


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


@pytest.mark.parametrize("there", ["a folder", "a link to what isn't mounted", "a folder in a folder"])
def test_a_person_whose_folder_is_there_and_empty_has_not_been_deleted(tmp_path: Path, there: str) -> None:
    here = photo(tmp_path, "bob/1", "B")
    if there == "a link to what isn't mounted":
        (tmp_path / "ada").symlink_to("/not/mounted")
    else:
        (tmp_path / "ada" / "2024" if there == "a folder in a folder" else tmp_path / "ada").mkdir(
            parents=True
        )
    known = FakeGallery(
        ("bob", tmp_path / "bob/1", "B"),
        ("bob", tmp_path / "bob/gone", "C"),
        ("ada", tmp_path / "ada/2024/1", "A"),
    ).that_refused("ada", tmp_path / "ada/2", "N")
    plan = compare([here], [tmp_path], known, JUDGES)
    assert [each.template_id for each in plan.vanished] == [2]
    assert [each.template_id for each in plan.kept] == [3]
    assert (plan.counts[Action.VANISHED], plan.counts[Action.KEPT], plan.stale) == (1, 1, ())


def test_a_person_whose_folder_is_gone_and_one_who_has_a_photograph_left_can_vanish(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"), ("bob", tmp_path / "bob/2024/1", "B"))
    plan = compare([photo(tmp_path, "bob/2", "C")], [tmp_path], known)
    assert ([each.template_id for each in plan.vanished], plan.kept) == ([1, 2], ())


def test_a_folder_that_was_left_empty_by_a_move_keeps_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"))
    plan = compare([photo(tmp_path, "Ada Lovelace/1", "A")], [tmp_path], known)
    assert (told(plan), plan.vanished, plan.kept) == ([(Action.MOVED, (1,))], (), ())


def test_what_cannot_be_read_is_told_and_not_taken_for_deleted(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A"), ("ada", tmp_path / "ada/2", "B"))
    plan = compare([photo(tmp_path, "ada/1", "")], [tmp_path], known)
    assert told(plan) == [(Action.UNREADABLE, ())]
    assert not plan.is_whole
    assert [each.template_id for each in plan.vanished] == [2]


def test_a_photograph_beside_peoples_folders_is_told_and_keeps_nobody_from_pruning(tmp_path: Path) -> None:
    stray = replace(photo(tmp_path, "x/stray", "S"), subject=None, failure=NoSubject("whose?"))
    plan = compare([stray], [tmp_path], FakeGallery(("ada", tmp_path / "ada/gone", "A")))
    assert told(plan) == [(Action.UNNAMED, ())]
    assert plan.is_whole
    assert [each.template_id for each in plan.vanished] == [1]


def test_what_was_refused_before_goes_through_no_network_again(tmp_path: Path) -> None:
    known = FakeGallery().that_refused("ada", tmp_path / "ada/1", "A")
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], known, JUDGES)
    assert (told(plan), plan.to_embed, plan.stale) == ([(Action.REFUSED, ())], [], ())


@pytest.mark.parametrize("judges", [None, OTHER_JUDGES])
def test_other_judges_look_at_a_refused_photograph_again(tmp_path: Path, judges: str | None) -> None:
    known = FakeGallery().that_refused("ada", tmp_path / "ada/1", "A")
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], known, judges)
    assert told(plan) == [(Action.NEW, ())]
    assert plan.stale == (os.fsencode(tmp_path / "ada/1"),)


def test_a_refused_photograph_that_was_edited_is_looked_at_again(tmp_path: Path) -> None:
    known = FakeGallery().that_refused("ada", tmp_path / "ada/1", "A")
    plan = compare([photo(tmp_path, "ada/1", "B")], [tmp_path], known, JUDGES)
    assert (told(plan), plan.stale) == ([(Action.NEW, ())], (os.fsencode(tmp_path / "ada/1"),))


def test_a_refused_photograph_is_known_wherever_it_was_moved(tmp_path: Path) -> None:
    known = FakeGallery().that_refused("ada", tmp_path / "ada/old", "A")
    plan = compare([photo(tmp_path, "bob/new", "A")], [tmp_path], known, JUDGES)
    assert (told(plan), plan.stale) == ([(Action.REFUSED, ())], (os.fsencode(tmp_path / "ada/old"),))
    store = FakeStore()
    assert [type(outcome) for _, outcome in carry_out(plan, iter(()), store, KEEPING, prune=False)] == [
        Skipped
    ]
    assert store.noted == [("bob", os.fsencode(tmp_path / "bob/new"))]
    assert store.forgotten == list(plan.stale)


def test_a_changed_photograph_that_was_refused_leaves_the_old_template(tmp_path: Path) -> None:
    known = FakeGallery(("ada", tmp_path / "ada/1", "A")).that_refused("ada", tmp_path / "ada/1", "B")
    plan = compare([photo(tmp_path, "ada/1", "B")], [tmp_path], known, JUDGES)
    assert (told(plan), plan.vanished) == ([(Action.REFUSED, (1,))], ())


def test_a_face_refused_as_anothers_is_looked_at_again_once_the_other_is_gone(tmp_path: Path) -> None:
    photos = [photo(tmp_path, "ada/1", "A"), photo(tmp_path, "bob/1", "A")]
    both = FakeGallery(("bob", tmp_path / "bob/1", "A"))
    both.that_refused("ada", tmp_path / "ada/1", "A", "enrolled_as_another")
    assert told(compare(photos, [tmp_path], both, JUDGES))[0] == (Action.REFUSED, ())
    alone = FakeGallery().that_refused("ada", tmp_path / "ada/1", "A", "enrolled_as_another")
    assert told(compare(photos[:1], [tmp_path], alone, JUDGES)) == [(Action.NEW, ())]


def test_a_face_refused_as_anothers_names_the_other_every_time(tmp_path: Path) -> None:
    known = FakeGallery(("bob", tmp_path / "bob/1", "A"))
    known.that_refused("ada", tmp_path / "ada/1", "A", "enrolled_as_another")
    photos = [photo(tmp_path, "ada/1", "A"), photo(tmp_path, "bob/1", "A")]
    plan = compare(photos, [tmp_path], known, JUDGES)
    (_, outcome), _ = carry_out(plan, iter(()), FakeStore(), KEEPING, prune=False)
    assert isinstance(outcome, Skipped)
    assert outcome.reason.code == "refused_before"
    assert "this face is enrolled as bob, not ada" in outcome.reason.message
    hint = str(outcome.reason.hint)
    assert "arcface gallery show bob" in hint
    assert "--retry-refused" in hint


def test_a_refusal_is_kept_while_its_photograph_may_only_be_out_of_reach(tmp_path: Path) -> None:
    known = FakeGallery().that_refused("ada", tmp_path / "ada/gone", "A")
    unreadable = compare([photo(tmp_path, "ada/1", "")], [tmp_path], known, JUDGES)
    assert unreadable.stale == ()
    whole = compare([photo(tmp_path, "ada/1", "B")], [tmp_path], known, JUDGES)
    assert whole.stale == (os.fsencode(tmp_path / "ada/gone"),)


class FakeStore:
    """Remembers what it is told to."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, bytes]] = []
        self.forgotten: list[bytes] = []

    def add(self, entries: Sequence[NewTemplate], *, replacing: Sequence[int] = ()) -> list[AddResult]:
        raise AssertionError("nobody is to be enrolled")

    def relabel(self, moves: Sequence[tuple[int, str]], paths: Sequence[tuple[int, bytes]] = ()) -> None:
        raise AssertionError("nobody is to be moved")

    def remove_templates(self, template_ids: Sequence[int]) -> None:
        raise AssertionError("nobody is to be removed")

    def remember_refusals(self, noted: Sequence[Refusal], forgotten: Sequence[bytes] = ()) -> None:
        self.noted += [(each.subject, each.source_path) for each in noted]
        self.forgotten += forgotten


class FakeMover(FakeStore):
    """Also remembers who and what was moved."""

    def __init__(self) -> None:
        super().__init__()
        self.people: list[tuple[int, str]] = []
        self.paths: list[tuple[int, bytes]] = []

    def relabel(self, moves: Sequence[tuple[int, str]], paths: Sequence[tuple[int, bytes]] = ()) -> None:
        self.people += moves
        self.paths += paths

    def remove_templates(self, template_ids: Sequence[int]) -> None:
        assert list(template_ids) == []


KEEPING = Keeping("scrfd_500m", crops=False, decided_by=JUDGES)


def out_of_memory(photo: Photo) -> UnreadableImage:
    reason = UnreadableImage(f"{photo.display}: not enough memory")
    reason.__cause__ = MemoryError()
    return reason


@pytest.mark.parametrize(
    ("outcome_of", "remembered"),
    [
        (lambda photo: Skipped(NoFace("none")), True),
        (lambda photo: Skipped(FaceBlurred("blurred")), True),
        (lambda photo: Failed(UnreadableImage("truncated")), True),
        (lambda photo: Failed(UnsupportedFormat("HEIC, and no package for it")), False),
        (lambda photo: Failed(out_of_memory(photo)), False),
        (lambda photo: Failed(EmptyFile("emptied meanwhile")), False),
    ],
)
def test_only_what_the_same_bytes_will_meet_again_is_remembered(
    tmp_path: Path, outcome_of: Callable[[Photo], Outcome[PhotoFaces]], remembered: bool
) -> None:
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], NobodyKnown(), JUDGES)
    store = FakeStore()
    results = ((each, outcome_of(each)) for each in plan.to_embed)
    assert len(list(carry_out(plan, results, store, KEEPING, prune=False))) == 1
    assert store.noted == [("ada", os.fsencode(tmp_path / "ada/1"))] * remembered


def test_a_photograph_that_changed_while_it_was_looked_at_is_not_remembered(tmp_path: Path) -> None:
    plan = compare([photo(tmp_path, "ada/1", "A")], [tmp_path], NobodyKnown(), JUDGES)
    (tmp_path / "ada/1").write_text("B")
    store = FakeStore()
    results = ((each, Skipped(NoFace("none"))) for each in plan.to_embed)
    assert len(list(carry_out(plan, results, store, KEEPING, prune=False))) == 1
    assert store.noted == []
