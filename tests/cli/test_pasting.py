"""A command that is proposed does what it was proposed for when it is pasted, in the gallery at hand."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import pytest
from command_line import Arcface

from arcface_cli.gallery import checksums
from arcface_cli.gallery.store import FILE_NAME

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]

GALLERY = "my gallery's"
ADA = "Ada O'Neil"


@pytest.fixture
def people(arcface: Arcface, album: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ada and Bob, enrolled into a gallery that is not the usual one, whose name a shell would take apart."""
    monkeypatch.delenv("ARCFACE_GALLERY")
    folder = album.parent / "people"
    for name, subject in (("ada.jpg", ADA), ("ada2.jpg", ADA), ("bob.jpg", "Bob")):
        (folder / subject).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(album / name, folder / subject / name)
    assert arcface("enroll", folder, "--sync", "-g", GALLERY).status == 0
    return folder


def proposed(text: str) -> list[str]:
    """The words of the command, which ends with the line or a semicolon."""
    found = re.search(r"arcface ((?:gallery \w+|enroll|calibrate|identify)[^;\n]*)", text)
    assert found is not None, text
    return shlex.split(found[1])


CASES = [
    (
        ["gallery", "rename", ADA, "Bob", "-g", GALLERY],
        ["gallery", "merge", "-g", GALLERY, ADA, "--into", "Bob"],
    ),
    (["gallery", "show", "Eve", "-g", GALLERY], ["gallery", "list", "-g", GALLERY]),
    (
        ["enroll", "--name", "Bob", f"people/{ADA}/ada.jpg", "-g", GALLERY],
        ["gallery", "show", "-g", GALLERY, ADA],
    ),
    (["identify", f"people/{ADA}/ada.jpg", "-g", "new"], ["enroll", "-g", "new", "./people/"]),
    (
        ["identify", f"people/{ADA}/ada.jpg", "-g", GALLERY, "-m", "mobilefacenet_192", "--threshold", "0.4"],
        ["gallery", "reembed", "-g", GALLERY, "-m", "mobilefacenet_192"],
    ),
]


@pytest.mark.parametrize("by_variable", [False, True])
@pytest.mark.parametrize(("words", "expected"), CASES)
def test_a_hint_names_the_gallery_that_was_named(
    arcface: Arcface,
    people: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    expected: list[str],
    by_variable: bool,
) -> None:
    if by_variable:
        place = words.index("-g")
        monkeypatch.setenv("ARCFACE_GALLERY", words[place + 1])
        words = words[:place] + words[place + 2 :]
    answer = arcface(*words)
    monkeypatch.delenv("ARCFACE_GALLERY", raising=False)
    assert proposed(answer.err) == expected
    more = ["--threshold", "0.4"] if "reembed" in expected else []
    assert arcface(*expected, *more).status in (0, 3)


def test_a_record_carries_the_same_hint(arcface: Arcface, people: Path) -> None:
    (record,) = arcface("enroll", "--name", "Bob", people / ADA / "ada.jpg", "-g", GALLERY).records
    assert proposed(record["error"]["hint"]) == ["gallery", "show", "-g", GALLERY, ADA]


def test_the_usual_gallery_goes_without_saying(
    arcface: Arcface, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(f'gallery = "{GALLERY}"\n')
    monkeypatch.setenv("ARCFACE_CONFIG", "config.toml")
    assert proposed(arcface("gallery", "show", "Eve").err) == ["gallery", "list"]


def test_an_emptied_folder_is_told_with_a_command_that_removes_the_person(
    arcface: Arcface, people: Path
) -> None:
    for photograph in (people / ADA).iterdir():
        photograph.unlink()
    answer = arcface("enroll", people, "--sync", "--prune", "-g", GALLERY)
    assert arcface(*proposed(answer.err), "-y").status == 0  # nobody sits there to be asked
    assert [row["subject"] for row in arcface("gallery", "list", "-g", GALLERY).records] == ["Bob"]


def test_the_audit_proposes_commands_that_mend(arcface: Arcface, people: Path) -> None:
    shutil.copyfile(people / ADA / "ada.jpg", people / "Bob" / "not bob.jpg")
    with (people / "Bob" / "not bob.jpg").open("ab") as photograph:
        photograph.write(b"other bytes")
    arcface("enroll", people, "--sync", "-g", GALLERY)
    answer = arcface("gallery", "audit", "-g", GALLERY, "--html", "audit.html", "--threshold", "0.4")
    commands = [command for row in answer.records for command in row["commands"]]
    assert commands
    assert all(f"-g {shlex.quote(GALLERY)}" in command for command in commands)
    page = Path("audit.html").read_text()
    assert "-g &#x27;my gallery" in page
    for command in commands:
        assert arcface(*shlex.split(command)[1:]).status == 0
    left = arcface("gallery", "audit", "-g", GALLERY, "--threshold", "0.4").records
    assert [row["kind"] for row in left] == ["duplicate"]  # hers now, but she had it already


def test_check_proposes_a_command_that_removes_a_person_without_templates(
    arcface: Arcface, people: Path
) -> None:
    with sqlite3.connect(Path(GALLERY, FILE_NAME)) as damaged:
        number, name, created = 99, "O'Nobody", "2026-01-01T00:00:00.000Z"
        row = (number, name, created, checksums.of_subject(number, name, created))
        damaged.execute("INSERT INTO subjects VALUES (?, ?, ?, ?)", row)
    (found,) = arcface("gallery", "check", "-g", GALLERY).records
    assert shlex.split(found["mend"]) == ["arcface", "gallery", "remove", "-g", GALLERY, name]
    assert arcface(*shlex.split(found["mend"])[1:], "-y").status == 0
    assert arcface("gallery", "check", "-g", GALLERY).status == 0
    doctor = json.loads(arcface("doctor", "--json").out)
    assert all(GALLERY not in str(finding) for finding in doctor)
