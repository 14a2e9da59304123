"""Enrolling and searching from the command line: nothing twice, nothing mixed, nothing made in vain."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from command_line import Arcface, command_line, environment

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]


def stats(arcface: Arcface) -> dict[str, object]:
    return json.loads(arcface("gallery", "stats", "--json").out)


@pytest.fixture
def people(album: Path) -> Path:
    """A folder a person, one of them with a folder inside."""
    folder = album / "people"
    (folder / "Ada" / "holidays").mkdir(parents=True)
    (folder / "Bob").mkdir()
    shutil.copyfile(album / "ada.jpg", folder / "Ada" / "1.jpg")
    shutil.copyfile(album / "ada2.jpg", folder / "Ada" / "holidays" / "2.jpg")
    shutil.copyfile(album / "bob.jpg", folder / "Bob" / "1.jpg")
    return folder


def test_a_folder_of_people_is_enrolled_and_found_without_any_flag(
    arcface: Arcface, people: Path, album: Path
) -> None:
    assert arcface("enroll", people).status == 0
    assert (stats(arcface)["subjects"], stats(arcface)["templates"]) == (2, 3)
    found = arcface("identify", album / "ada2.jpg", album / "bob.jpg").records
    assert [record["faces"][0]["subject"] for record in found] == ["Ada", "Bob"]
    (row,) = [json.loads(line) for line in arcface("gallery", "show", "Bob").out.splitlines()]
    assert row["source"] == str(people / "Bob" / "1.jpg")


def test_what_holds_several_values_is_json_in_a_field_of_csv(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people)
    (row,) = csv.DictReader(arcface("gallery", "stats", "-f", "csv").out.splitlines())
    told = stats(arcface)
    assert json.loads(row["detectors"]) == told["detectors"] == ["yunet"]
    assert json.loads(row["threshold"]) == told["threshold"]


def test_a_second_enrolment_adds_nothing_and_is_a_success(arcface: Arcface, people: Path) -> None:
    arcface("enroll", people)
    before = stats(arcface)
    again = arcface("enroll", people)
    assert again.status == 0
    assert [record["error"]["code"] for record in again.records] == ["duplicate"] * 3
    assert stats(arcface) == before


def test_one_face_under_two_names_is_told_and_not_done(arcface: Arcface, people: Path, album: Path) -> None:
    arcface("enroll", people)
    answer = arcface("enroll", "--name", "Eve", album / "ada.jpg")
    assert answer.status == 3
    assert answer.records[0]["error"]["code"] == "enrolled_as_another"
    assert stats(arcface)["subjects"] == 2


def test_a_dry_run_says_everything_and_creates_nothing(
    arcface: Arcface, people: Path, own_place: Path
) -> None:
    answer = arcface("enroll", "--dry-run", people)
    assert answer.status == 0
    assert [record["subject"] for record in answer.records] == ["Ada", "Ada", "Bob"]
    assert {record["template"] for record in answer.records} == {None}
    assert not (own_place / "gallery").exists()


@pytest.mark.parametrize("stored", [False, True])
def test_a_dry_run_foretells_the_run_and_leaves_the_gallery_alone(
    arcface: Arcface, people: Path, album: Path, own_place: Path, stored: bool
) -> None:
    arcface("enroll", "--name", "Ada", "-r", people / "Ada")
    shutil.copyfile(album / "ada.jpg", people / "Bob" / "2.jpg")
    shutil.copyfile(album / "bob.jpg", people / "Bob" / "copy.jpg")
    words = ["enroll", people]
    if stored:
        arcface("embed", "-r", people, "-o", own_place / "features.npz")
        words = ["enroll", "--from-embeddings", own_place / "features.npz"]
    before = {path.name: path.read_bytes() for path in (own_place / "gallery").iterdir()}
    foretold = arcface(*words, "--dry-run")
    assert {path.name: path.read_bytes() for path in (own_place / "gallery").iterdir()} == before
    came_true = arcface(*words)
    assert foretold.status == came_true.status == 3
    for told, true in zip(foretold.records, came_true.records, strict=True):
        assert told | {"template": None, "device": None} == true | {"template": None, "device": None}
    counts = {line.partition(";")[0] for line in (foretold.said[-1], came_true.said[-1])}
    assert len(counts) == 1
    assert "5 photographs: 1 done, 4 skipped (duplicate" in counts.pop()


def test_a_dry_run_into_a_gallery_of_another_model_or_other_files_is_6_as_the_run_is(
    arcface: Arcface, people: Path, own_place: Path
) -> None:
    arcface("enroll", people)
    (own_place / "full").mkdir()
    (own_place / "full" / "letter.txt").write_text("dear")
    for words in (
        ("enroll", people, "-m", "mobilefacenet_192"),
        ("enroll", people, "--keep-crops"),
        ("enroll", people, "-g", own_place / "full"),
        ("enroll", people, "-g", own_place / "full", "--sync"),
    ):
        assert (arcface(*words, "--dry-run").status, arcface(*words).status) == (6, 6)


def test_a_manifest_says_who_is_where(arcface: Arcface, album: Path) -> None:
    (album / "people.csv").write_text("file,person\nada.jpg,Ada\ncoffee.png,Eve\nbob.jpg,\n")
    answer = arcface("enroll", "--manifest", album / "people.csv")
    assert answer.status == 3
    codes = [record.get("error", {}).get("code") for record in answer.records]
    assert codes == [None, "no_face", "no_subject"]
    assert answer.records[2]["error"]["hint"] == "write the person into its row of the manifest"
    assert [record["subject"] for record in answer.records] == ["Ada", "Eve", None]


def test_a_gallery_of_another_model_is_6_and_stays_as_it_is(
    arcface: Arcface, people: Path, album: Path
) -> None:
    arcface("enroll", people)
    before = stats(arcface)
    for words in (
        ("identify", album / "ada.jpg", "-t", "0.4"),
        ("identify", album / "ada.jpg"),
        ("enroll", "--name", "Eve", album / "ada2.jpg"),
    ):
        answer = arcface(*words, "-m", "mobilefacenet_192")
        assert (answer.status, answer.out, len(answer.said)) == (6, "", 1)
        assert "can't be compared" in answer.err
    assert stats(arcface) == before


def test_a_missing_and_a_damaged_gallery_are_6(arcface: Arcface, album: Path, own_place: Path) -> None:
    missing = arcface("identify", album / "ada.jpg")
    assert (missing.status, missing.out, len(missing.said)) == (6, "", 1)
    assert "arcface enroll" in missing.err
    (own_place / "gallery").mkdir()
    (own_place / "gallery" / "gallery.sqlite3").write_bytes(b"no database at all" * 100)
    for words in (
        ("identify", album / "ada.jpg"),
        ("enroll", "--name", "Ada", album / "ada.jpg"),
        ("gallery", "list"),
    ):
        damaged = arcface(*words)
        assert (damaged.status, damaged.out, len(damaged.said)) == (6, "", 1)


def test_is_anybody_known_can_be_asked_with_the_status_alone(
    arcface: Arcface, people: Path, album: Path
) -> None:
    arcface("enroll", people)
    assert arcface("identify", "-e", album / "ada.jpg").status == 0
    assert arcface("identify", "-e", album / "eight.jpg").status == 1
    assert arcface("identify", "-e", album / "coffee.png").status == 4
    assert arcface("identify", "-e", album / "coffee.png", album / "eight.jpg").status == 3
    assert arcface("identify", "-e", album / "coffee.png", album / "ada.jpg").status == 0


def test_a_model_without_a_measured_threshold_needs_one_from_the_user(arcface: Arcface, album: Path) -> None:
    pair = (album / "ada.jpg", album / "ada2.jpg")
    answer = arcface("verify", *pair, "-m", "mobilefacenet_192")
    assert (answer.status, answer.out, len(answer.said)) == (5, "", 1)
    assert "--threshold" in answer.err
    assert arcface("verify", *pair, "-m", "mobilefacenet_192", "-t", "0.4").status == 0


def test_fail_fast_stops_at_the_first_failure(arcface: Arcface, album: Path) -> None:
    answer = arcface("embed", "--fail-fast", album / "ada.jpg", album / "gone.jpg", album / "bob.jpg")
    assert [record["status"] for record in answer.records] == ["done", "failed"]
    assert answer.status == 2


def test_what_was_committed_before_ctrl_c_stays_and_the_next_run_goes_on(
    arcface: Arcface, shared_data: Path, album: Path
) -> None:
    folder = album / "many"
    folder.mkdir()
    photos = sorted((shared_data / "people").glob("*/*_000[1-6].jpg"))[:150]
    for photo in photos:
        (folder / photo.parent.name).mkdir(exist_ok=True)
        (folder / photo.parent.name / photo.name).symlink_to(photo)
    with subprocess.Popen(
        command_line("enroll", folder, "-j", "1"),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["status"] == "done"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.count("\n") == 1
    kept = int(str(stats(arcface)["templates"]))
    assert 1 <= kept < len(photos)
    again = arcface("enroll", folder, "-q")
    codes = [record.get("error", {}).get("code") for record in again.records]
    assert codes.count("duplicate") == kept
    assert int(str(stats(arcface)["templates"])) == len(photos) - codes.count("no_face")


def test_a_flat_folder_of_several_people_is_told_before_and_after(
    arcface: Arcface, shared_data: Path, own_place: Path
) -> None:
    flat = own_place / "photos"
    flat.mkdir()
    for number in ("1", "2", "3"):
        shutil.copyfile(
            shared_data / "people" / f"L00{number}" / f"L00{number}_0001.jpg", flat / f"{number}.jpg"
        )
    answer = arcface("enroll", flat)
    assert answer.status == 0
    assert answer.said[0].startswith(
        f"arcface: 3 photographs directly in {flat} are enrolled as one person, photos;"
    )
    assert "photos looks like several people: of 3 photographs, no more than 1 are alike" in answer.said[-1]
    assert len(answer.said) == 3
    quiet = arcface("enroll", flat, "-g", own_place / "other", "-q")
    assert (quiet.status, quiet.said) == (0, [])


def test_one_persons_photographs_raise_no_doubt(arcface: Arcface, people: Path) -> None:
    assert len(arcface("enroll", people).said) == 1
    assert arcface("enroll", people, "--sync").said == ["arcface: sync: 3 unchanged"]
