"""The gallery verbs from the command line: sync, remove, export, check, reembed, and their statuses."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from command_line import Answer, Arcface

from arcface_cli.gallery.store import Gallery

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]


@pytest.fixture
def people(album: Path) -> Path:
    folder = album / "people"
    for name, photographs in {"Ada": ("ada.jpg", "ada2.jpg"), "Bob": ("bob.jpg",)}.items():
        (folder / name).mkdir(parents=True)
        for photograph in photographs:
            shutil.copyfile(album / photograph, folder / name / photograph)
    return folder


def actions(arcface: Arcface, people: Path, *more: str) -> list[tuple[str, str, str]]:
    answer = arcface("enroll", people, "--sync", "--dry-run", *more)
    return [(row["action"], row["subject"], Path(row["photo"]).name) for row in answer.records]


def subjects(arcface: Arcface) -> dict[str, int]:
    return {row["subject"]: row["templates"] for row in arcface("gallery", "list").records}


def test_a_second_sync_finds_nothing_to_do(arcface: Arcface, people: Path) -> None:
    assert [action for action, _, _ in actions(arcface, people)] == ["new"] * 3
    assert arcface("enroll", people, "--sync").status == 0
    assert actions(arcface, people) == []
    again = arcface("enroll", people, "--sync")
    assert (again.status, again.said[-1]) == (0, "arcface: sync: 3 unchanged")


def test_a_sync_takes_back_no_name_that_was_given_in_the_gallery(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people, "--sync")
    arcface("gallery", "rename", "Ada", "Ada Lovelace")
    enrolled = arcface("gallery", "list").records
    planned = arcface("enroll", people, "--sync", "--prune", "--dry-run")
    told = [(row["action"], row["subject"], row["was"]) for row in planned.records]
    assert told == [
        ("another's", "Ada", f"{people / 'Ada' / name} (Ada Lovelace)") for name in ("ada.jpg", "ada2.jpg")
    ]
    assert (planned.status, planned.said) == (3, ["arcface: sync: 1 unchanged, 2 another's"])
    answer = arcface("enroll", people, "--sync", "--prune")
    assert answer.status == 3
    assert set(codes(answer)) == {"enrolled_as_another"}
    assert arcface("gallery", "list").records == enrolled
    (people / "Ada").rename(people / "Ada Lovelace")
    assert arcface("enroll", people, "--sync", "--prune").status == 0
    assert arcface("gallery", "list").records == enrolled


def test_a_sync_takes_back_no_name_when_a_photograph_moves_within_its_folder(
    arcface: Arcface, people: Path
) -> None:
    shutil.copyfile(people / "Ada" / "ada2.jpg", people / "Ada" / "copy.jpg")
    arcface("enroll", people, "--sync")
    arcface("gallery", "rename", "Ada", "Ada Lovelace")
    arcface("gallery", "merge", "Bob", "--into", "Ada Lovelace")
    (people / "Ada" / "ada.jpg").rename(people / "Ada" / "z.jpg")
    (people / "Ada" / "ada2.jpg").unlink()
    (people / "Bob" / "bob.jpg").rename(people / "Bob" / "z.jpg")
    for summary in ("3 another's", "3 refused before"):
        answer = arcface("enroll", people, "--sync", "--prune")
        assert answer.status == 3
        assert f"arcface: sync: {summary}" in answer.said
        assert subjects(arcface) == {"Ada Lovelace": 3}
    shown = arcface("gallery", "show", "Ada Lovelace").records
    assert {Path(row["source"]).name for row in shown} == {"z.jpg", "copy.jpg"}


def test_a_sync_follows_what_was_moved_changed_and_deleted(
    arcface: Arcface, people: Path, album: Path
) -> None:
    arcface("enroll", people, "--sync")
    (people / "Eve").mkdir()
    (people / "Bob" / "bob.jpg").rename(people / "Eve" / "it was eve.jpg")
    with (people / "Ada" / "ada2.jpg").open("ab") as photograph:
        photograph.write(b"edited")
    (people / "Ada" / "ada.jpg").unlink()
    assert actions(arcface, people, "--prune") == [
        ("changed", "Ada", "ada2.jpg"),
        ("moved", "Eve", "it was eve.jpg"),
        ("removed", "Ada", "ada.jpg"),
    ]


def test_a_folder_is_the_same_however_it_is_typed(
    arcface: Arcface, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(people / "Bob")
    arcface("enroll", "../../people", "--sync")
    (people / "Ada" / "ada.jpg").unlink()
    with (people / "Ada" / "ada2.jpg").open("ab") as photograph:
        photograph.write(b"edited")
    expected = [("changed", "Ada", "ada2.jpg"), ("vanished", "Ada", "ada.jpg")]
    for typed in ("../../people", "./../../people/", str(people)):
        assert actions(arcface, Path(typed)) == expected


def test_only_prune_removes_what_is_gone(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people, "--sync")
    (people / "Ada" / "ada.jpg").unlink()
    kept = arcface("enroll", people, "--sync")
    assert "--prune removes" in kept.err
    assert subjects(arcface) == {"Ada": 2, "Bob": 1}
    arcface("enroll", people, "--sync", "--prune")
    assert subjects(arcface) == {"Ada": 1, "Bob": 1}


def test_prune_removes_nobody_whose_folder_is_there_and_empty(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people, "--sync")
    (people / "Ada" / "ada.jpg").unlink()
    (people / "Bob" / "bob.jpg").unlink()
    expected = [("removed", "Ada", "ada.jpg"), ("kept", "Bob", "bob.jpg")]
    assert actions(arcface, people, "--prune") == expected
    answer = arcface("enroll", people, "--sync", "--prune")
    assert (answer.status, answer.said) == (
        3,
        [
            "arcface: sync: 1 unchanged, 1 vanished, 1 kept; templates of vanished photographs were removed",
            "arcface: the folder of Bob is there and holds no photograph, so nothing of theirs is removed; "
            f"if it is to go: arcface gallery remove -g {people.parents[1] / 'gallery'} Bob",
        ],
    )
    assert subjects(arcface) == {"Ada": 1, "Bob": 1}
    (people / "Bob").rmdir()
    assert arcface("enroll", people, "--sync", "--prune").status == 0
    assert subjects(arcface) == {"Ada": 1}


def test_prune_removes_nobody_when_no_folder_holds_a_photograph(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people, "--sync")
    for photograph in people.rglob("*.jpg"):
        photograph.unlink()
    for whom in (people, people / "Ada"):
        answer = arcface("enroll", whom, "--sync", "--prune")
        assert (answer.status, "holds no photographs" in answer.err) == (2, True)
    assert subjects(arcface) == {"Ada": 2, "Bob": 1}


def test_a_folder_that_cannot_be_read_whole_prunes_nothing(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people, "--sync")
    (people / "Ada" / "ada.jpg").unlink()
    (people / "Bob" / "bob.jpg").write_bytes(b"")
    answer = arcface("enroll", people, "--sync", "--prune")
    assert "nothing is pruned" in answer.err
    assert subjects(arcface) == {"Ada": 2, "Bob": 1}


@pytest.fixture
def with_refused(people: Path, album: Path) -> Path:
    """Also a landscape, a group, a truncated photograph, and one of Ada's under Bob's name."""
    shutil.copyfile(album / "coffee.png", people / "Ada" / "landscape.png")
    shutil.copyfile(album / "eight.jpg", people / "Bob" / "party.jpg")
    (people / "Bob" / "truncated.jpg").write_bytes((album / "bob.jpg").read_bytes()[:2000])
    shutil.copyfile(album / "ada.jpg", people / "Bob" / "not bob.jpg")
    return people


REFUSED = ["enrolled_as_another", "no_face", "several_faces", "unreadable_image"]


def codes(answer: Answer) -> list[str]:
    errors = [record["error"]["code"] for record in answer.records if "error" in record]
    return sorted(code for code in errors if code != "duplicate")


def test_a_second_sync_does_not_look_at_refused_photographs_again(
    arcface: Arcface, with_refused: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codes(arcface("enroll", with_refused, "--sync")) == REFUSED
    assert actions(arcface, with_refused) == []
    monkeypatch.setattr("arcface_cli.cli.build.workshop", None)  # no network is loaded
    again = arcface("enroll", with_refused, "--sync")
    assert (again.status, codes(again)) == (3, ["refused_before"] * 4)
    assert again.said == ["arcface: sync: 3 unchanged, 4 refused before"]
    assert json.loads(arcface("gallery", "stats", "--json").out)["refusals"] == 4


def test_a_refused_photograph_is_tried_again_when_what_decided_changes(
    arcface: Arcface, with_refused: Path, album: Path
) -> None:
    arcface("enroll", with_refused, "--sync")
    assert len(actions(arcface, with_refused, "--max-yaw", "50")) == 4
    assert len(actions(arcface, with_refused, "--faces", "largest")) == 4
    assert len(actions(arcface, with_refused, "--retry-refused")) == 4
    shutil.copyfile(album / "ada2.jpg", with_refused / "Ada" / "landscape.png")
    (with_refused / "Bob" / "truncated.jpg").write_bytes((album / "bob.jpg").read_bytes())
    assert actions(arcface, with_refused) == []  # both are copies of enrolled ones now
    arcface("enroll", with_refused, "--sync")
    assert json.loads(arcface("gallery", "stats", "--json").out)["refusals"] == 2


def test_what_is_remembered_of_somebody_is_shown_and_removed(
    arcface: Arcface, with_refused: Path, own_place: Path
) -> None:
    arcface("enroll", with_refused, "--sync")
    shown = arcface("gallery", "show", "Bob").records
    assert [(row["template"] is None, row["refused"]) for row in shown] == [
        (False, None), (True, "enrolled_as_another"), (True, "several_faces"), (True, "unreadable_image"),
    ]  # fmt: skip
    arcface("gallery", "export", own_place / "faces")
    assert (
        arcface("gallery", "import", own_place / "faces", "-g", own_place / "other").records[0]["refusals"]
        == 4
    )
    gone = arcface("gallery", "remove", "Bob", "--verify", "-y")
    assert (gone.status, "removed 1 template and 3 refused photographs: " in gone.err) == (0, True)
    assert arcface("gallery", "show", "Bob").status == 6
    assert json.loads(arcface("gallery", "stats", "--json").out)["refusals"] == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--sync",),
        ("--prune", "."),
        ("--retry-refused", "."),
        ("--sync", "--name", "x", "."),
        ("--sync", "no-such-folder"),
    ],
)
def test_a_sync_that_makes_no_sense_is_2(arcface: Arcface, words: tuple[str, ...]) -> None:
    answer = arcface("enroll", *words)
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)


def test_kept_crops_are_shown_and_written(arcface: Arcface, people: Path, own_place: Path) -> None:
    arcface("enroll", people, "--keep-crops")
    arcface("gallery", "rename", "Ada", "../A/d\\a")
    assert [row["crop"] for row in arcface("gallery", "show", "Bob").records] == [True]
    shown = arcface("gallery", "show", "../A/d\\a", "--crops", own_place / "faces")
    assert (shown.status, shown.said) == (
        0,
        [f"arcface: {own_place / 'faces'}: 2 crops of 2 templates"],
    )
    files = sorted((own_place / "faces").iterdir())
    assert [file.name for file in files] == ["_A_d_a-1.png", "_A_d_a-2.png"]
    assert [row["crop_file"] for row in shown.records] == list(map(str, files))
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert (own_place / "faces").stat().st_mode & 0o077 == 0


def test_crops_that_nobody_kept_or_that_have_no_place_are_one_line(
    arcface: Arcface, people: Path, own_place: Path
) -> None:
    arcface("enroll", people)
    none = arcface("gallery", "show", "Bob", "--crops", own_place / "faces")
    assert (none.status, none.out, len(none.said)) == (6, "", 1)
    arcface("enroll", people, "--keep-crops", "-g", own_place / "with")
    (own_place / "file").write_text("")
    blocked = arcface("gallery", "show", "Bob", "-g", own_place / "with", "--crops", own_place / "file")
    assert (blocked.status, blocked.out, len(blocked.said)) == (7, "", 1)


def test_removed_people_are_proven_gone(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people, "--keep-crops")
    preview = arcface("gallery", "remove", "Ada", "-n")
    assert (preview.status, subjects(arcface)["Ada"]) == (0, 2)
    gone = arcface("gallery", "remove", "Ada", "--verify", "-y")
    assert gone.status == 0
    assert "verified: none of" in gone.err
    assert subjects(arcface) == {"Bob": 1}
    again = arcface("gallery", "remove", "Ada")
    assert (again.status, len(again.said)) == (6, 1)


def test_nobody_is_removed_unasked(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people)
    for words in (("Ada",), ("--template", "1"), ("Ada", "--verify", "-q")):
        refused = arcface("gallery", "remove", *words)
        assert (refused.status, refused.out, len(refused.said)) == (2, "", 1)
        assert "without a terminal nobody can be asked; add --yes" in refused.err
    assert subjects(arcface) == {"Ada": 2, "Bob": 1}


def test_blanks_around_a_name_are_nobodys(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people)
    assert arcface("gallery", "rename", "Bob ", " Eve ").said == ["arcface: Bob is called Eve now"]
    assert len(arcface("gallery", "show", " Ada").records) == 2
    assert arcface("gallery", "merge", " Eve", "--into", "Ada ").status == 0
    assert subjects(arcface) == {"Ada": 3}


def test_a_name_that_was_stored_with_blanks_can_still_be_said(
    arcface: Arcface, people: Path, own_place: Path
) -> None:
    arcface("enroll", people)
    with Gallery.open(own_place / "gallery", writable=True) as gallery:
        gallery.rename("Bob", " Ada")
    assert subjects(arcface) == {"Ada": 2, " Ada": 1}
    assert arcface("gallery", "rename", " Ada", "Bob").status == 0
    assert subjects(arcface) == {"Ada": 2, "Bob": 1}


def test_rename_and_merge_say_what_they_did(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people)
    assert arcface("gallery", "rename", "Ada", "Bob").status == 6
    assert arcface("gallery", "rename", "Ada", "Eve").said == ["arcface: Ada is called Eve now"]
    assert arcface("gallery", "merge", "Eve", "--into", "Bob").status == 0
    assert subjects(arcface) == {"Bob": 3}


def test_an_export_is_imported_whole_and_once(arcface: Arcface, people: Path, own_place: Path) -> None:
    arcface("enroll", people)
    assert arcface("gallery", "export", own_place / "faces").status == 0
    first = arcface("gallery", "import", own_place / "faces", "-g", own_place / "other").records
    again = arcface("gallery", "import", own_place / "faces", "-g", own_place / "other").records
    assert (first[0]["added"], again[0]["added"], again[0]["duplicate"]) == (3, 0, 3)


def test_check_is_0_for_a_sound_gallery_and_1_with_findings(
    arcface: Arcface, people: Path, own_place: Path
) -> None:
    arcface("enroll", people)
    assert (arcface("gallery", "check").status, arcface("gallery", "check").out) == (0, "")
    with sqlite3.connect(own_place / "gallery" / "gallery.sqlite3") as connection:
        connection.execute("UPDATE features SET checksum = 1 WHERE template_id = 2")
    connection.close()
    answer = arcface("gallery", "check")
    (finding,) = answer.records
    assert (answer.status, finding["code"], finding["template_id"]) == (1, "feature", 2)
    (own_place / "gallery").chmod(0o755)
    rows = csv.DictReader(arcface("gallery", "check", "-f", "csv").out.splitlines())
    assert [(row["code"], row["template_id"]) for row in rows] == [
        ("readable_by_others", ""),
        ("feature", "2"),
    ]
    (own_place / "gallery").chmod(0o700)
    assert arcface("identify", people / "Bob" / "bob.jpg").status == 6
    assert arcface("gallery", "remove", "--template", "2", "-y").status == 0
    assert arcface("gallery", "check").status == 0
    assert arcface("gallery", "check", "-g", own_place / "none").status == 6


def test_a_gallery_moves_to_another_model(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people)
    words = ("gallery", "reembed", "-m", "mobilefacenet_192", "-t", "0.4")
    assert arcface(*words, "-n").status == 0
    assert json.loads(arcface("gallery", "stats", "--json").out)["model"] != "mobilefacenet_192"
    assert arcface(*words).status == 0
    answer = arcface("identify", people / "Bob" / "bob.jpg", "-m", "mobilefacenet_192", "-t", "0.4")
    assert answer.records[0]["faces"][0]["subject"] == "Bob"


def test_a_photograph_that_is_gone_stops_a_reembed_unless_its_template_may_go(
    arcface: Arcface, people: Path
) -> None:
    arcface("enroll", people)
    (people / "Bob" / "bob.jpg").unlink()
    words = ("gallery", "reembed", "-m", "mobilefacenet_192", "-t", "0.4")
    assert arcface(*words).status == 6
    assert subjects(arcface) == {"Ada": 2, "Bob": 1}
    assert arcface(*words, "--drop-missing").status == 3
    assert subjects(arcface) == {"Ada": 2}


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_rounded_vectors_name_the_same_people(arcface: Arcface, people: Path, kind: str) -> None:
    arcface("enroll", people)
    answer = arcface("identify", people / "Bob" / "bob.jpg", "--index-type", kind)
    assert answer.records[0]["faces"][0]["subject"] == "Bob"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("show", ""), 2, "can't be blank"),
        (("show", "a\nb"), 2, "gallery list"),
        (("show", "Nobody"), 6, "gallery list"),
        (("rename", "Ada", "a\nb"), 2, "choose another name"),
        (("rename", "Ada", "x" * 300), 2, "255 is the most"),
        (("rename", "Ada", "Bob"), 6, "gallery merge"),
        (("rename", "Nobody", "Eve"), 6, "nobody is enrolled as 'Nobody'"),
        (("merge", "Ada", "--into", "Ada"), 2, "is one person already"),
        (("merge", "Ada", "--into", "Nobody"), 6, "nobody is enrolled as 'Nobody'"),
        (("remove",), 2, "nobody was named"),
        (("remove", "Nobody"), 6, "nobody is enrolled as 'Nobody'"),
        (("remove", "--template", "99"), 6, "no template 99"),
        (("remove", "--template", "9" * 30), 6, "no template 999"),
        (("export", "people"), 7, "doesn't exist yet"),
        (("export", "no/folder/x"), 7, "choose another place"),
        (("export", "-"), 2, "name a file"),
        (("import", "gone"), 2, "no such file"),
        (("import", "people"), 2, "gallery export wrote"),
        (("import", "people/Bob/bob.jpg"), 6, "gallery export wrote"),
    ],
)
def test_what_a_gallery_cannot_do_is_one_line_with_a_next_step(
    arcface: Arcface,
    people: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    status: int,
    said: str,
) -> None:
    arcface("enroll", people)
    monkeypatch.chdir(people.parent)
    answer = arcface("gallery", *words)
    assert (answer.status, answer.out, len(answer.said)) == (status, "", 1)
    assert said in answer.err
    assert "; " in answer.err
    assert subjects(arcface) == {"Ada": 2, "Bob": 1}


def test_an_import_of_another_model_adds_nothing(arcface: Arcface, people: Path, own_place: Path) -> None:
    arcface("enroll", people)
    arcface("gallery", "export", own_place / "faces")
    arcface("enroll", people / "Bob", "-m", "mobilefacenet_192", "-g", own_place / "other")
    answer = arcface("gallery", "import", own_place / "faces", "-g", own_place / "other")
    assert (answer.status, answer.out, len(answer.said)) == (6, "", 1)
    assert "can't be compared" in answer.err


def test_a_link_that_leads_nowhere_is_no_gallery(arcface: Arcface, people: Path, own_place: Path) -> None:
    (own_place / "gallery").mkdir(mode=0o700)
    (own_place / "gallery" / "gallery.sqlite3").symlink_to("nowhere")
    for words in (("gallery", "list"), ("gallery", "check"), ("enroll", people)):
        answer = arcface(*words)
        assert (answer.status, answer.out, len(answer.said)) == (6, "", 1)
        assert "leads nowhere" in answer.err


@pytest.mark.parametrize(("form", "mark"), [("csv", ","), ("tsv", "\t")])
def test_a_list_without_a_row_has_its_header(arcface: Arcface, people: Path, form: str, mark: str) -> None:
    arcface("enroll", people)
    arcface("gallery", "remove", "Ada", "Bob", "-y")
    for words, header in (
        (("list",), ["subject", "templates", "first_enrolled", "last_enrolled"]),
        (("check",), ["code", "where", "problem", "mend"]),
        (("audit",), ["kind", "templates", "subjects", "similarity", "own", "reason", "commands"]),
        (
            ("reembed", "-m", "mobilefacenet_192", "-t", "0.4", "-n"),
            ["template", "subject", "before", "before_similarity", "after", "after_similarity"],
        ),
    ):
        assert arcface("gallery", *words, "-f", form).out == mark.join(header) + "\n", words


def test_the_page_of_an_audit_is_a_file(arcface: Arcface, people: Path, own_place: Path) -> None:
    arcface("enroll", people)
    answer = arcface("gallery", "audit", "--html", "-")
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert not (own_place / "-").exists()
