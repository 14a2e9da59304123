"""The scripts under examples/ do on real photographs what their first lines say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from help_pages import CHECKOUT
from shell_sandbox import Sandbox

EXAMPLES = CHECKOUT / "examples"
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def photos(
    sandbox: Sandbox, import_pack: Callable[[Path], None], shared_data: Path, shared_models: Path
) -> Path:
    """A folder with people/ (two people, one bad file) and inbox/; the compact pack is installed."""
    import_pack(shared_models)
    people, inbox = sandbox.folder / "people", sandbox.folder / "inbox"
    for name in ("L001", "L002"):
        (people / name).mkdir(parents=True)
        shutil.copyfile(shared_data / "people" / name / f"{name}_0001.jpg", people / name / "front.jpg")
    (people / "L002" / "notes.jpg").write_text("not a picture")
    (inbox / "a b").mkdir(parents=True)
    shutil.copyfile(shared_data / "people" / "L001" / "L001_0002.jpg", inbox / "a b" / "one\ntwo.jpg")
    shutil.copyfile(shared_data / "people" / "L002" / "L002_0002.jpg", inbox / "two.jpg")
    stranger = sorted((shared_data / "strangers").rglob("*.jpg"))[0]
    shutil.copyfile(stranger, inbox / "stranger.jpg")
    landscape = sorted((shared_data / "hard" / "no_face").glob("*.jpg"))[0]
    shutil.copyfile(landscape, inbox / "landscape.jpg")
    return sandbox.folder


@pytest.fixture(scope="module")
def enrolled(sandbox: Sandbox, photos: Path) -> str:
    """What the nightly script prints on its first night."""
    ran = sandbox.run(f"{EXAMPLES}/nightly_enroll.sh people log.jsonl")
    assert ran.status == 0, ran.output
    return ran.stdout


def test_the_nightly_enrolment_names_what_it_could_not_use(enrolled: str, photos: Path) -> None:
    assert enrolled.startswith("people/L002/notes.jpg: un")
    records = [json.loads(line) for line in (photos / "log.jsonl").read_text().splitlines()]
    assert [record["status"] for record in records].count("done") == 2


def test_a_second_night_adds_nothing_and_tells_nothing_anew(
    sandbox: Sandbox, enrolled: str, photos: Path
) -> None:
    again = sandbox.run(f"{EXAMPLES}/nightly_enroll.sh people log.jsonl")
    assert (again.status, again.stdout) == (0, "")
    records = [json.loads(line) for line in (photos / "log.jsonl").read_text().splitlines()]
    assert {record["error"]["code"] for record in records} == {"duplicate", "refused_before"}
    listed = sandbox.run("arcface gallery list").stdout.splitlines()
    assert [(json.loads(line)["subject"], json.loads(line)["templates"]) for line in listed] == [
        ("L001", 1),
        ("L002", 1),
    ]


def test_the_list_names_people_and_their_photographs(sandbox: Sandbox, enrolled: str, photos: Path) -> None:
    ran = sandbox.run(f"{EXAMPLES}/who_is_where.sh inbox")
    assert ran.status == 0, ran.output
    assert ran.stdout == "L001\tinbox/a b/one\\ntwo.jpg\nL002\tinbox/two.jpg\n"


def test_photographs_are_sorted_into_folders(sandbox: Sandbox, enrolled: str, photos: Path) -> None:
    ran = sandbox.run(f"{EXAMPLES}/sort_by_person.sh inbox sorted")
    assert ran.status == 0, ran.output
    copied = {str(path.relative_to(photos / "sorted")) for path in (photos / "sorted").rglob("*.jpg")}
    assert copied == {"L001/one\ntwo.jpg", "L002/two.jpg", "unknown/stranger.jpg"}


def test_the_watch_list_tells_who_is_on_it(sandbox: Sandbox, enrolled: str, photos: Path) -> None:
    watch = f"{EXAMPLES}/watch_list.sh ../data/arcface/gallery"
    quiet = sandbox.run(f"{watch} inbox/stranger.jpg inbox/landscape.jpg")
    assert (quiet.status, quiet.stdout) == (0, "")
    seen = sandbox.run(f"{watch} inbox/stranger.jpg inbox/two.jpg")
    assert (seen.status, seen.stdout) == (10, "on the watch list: inbox/two.jpg\n")


def test_a_watch_that_cannot_look_does_not_say_nobody(sandbox: Sandbox, enrolled: str, photos: Path) -> None:
    assert sandbox.run(f"{EXAMPLES}/watch_list.sh nowhere inbox/two.jpg").status == 6
    assert sandbox.run(f"{EXAMPLES}/watch_list.sh ../data/arcface/gallery missing.jpg").status == 2


def test_two_galleries_are_searched_at_once_and_a_second_run_does_nothing_twice(
    sandbox: Sandbox, photos: Path
) -> None:
    for name, gallery in (("Ann", "staff"), ("Eve", "visitors")):
        made = sandbox.run(f"arcface enroll -q --name {name} -g {gallery} people/L002/front.jpg")
        assert made.status == 0, made.output
    line = f"{EXAMPLES}/two_galleries.sh staff visitors found inbox/two.jpg inbox/stranger.jpg"
    ran = sandbox.run(line)
    assert ran.status == 0, ran.output

    def subjects(name: str) -> list[str | None]:
        records = [json.loads(text) for text in (photos / "found" / name).read_text().splitlines()]
        return [record["faces"][0]["subject"] for record in records]

    assert subjects("first.jsonl") == ["Ann", None]
    assert subjects("second.jsonl") == ["Eve", None]
    before = (photos / "found" / "first.jsonl").read_bytes()
    assert sandbox.run(line).status == 0
    assert (photos / "found" / "first.jsonl").read_bytes() == before
