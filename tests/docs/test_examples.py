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


def test_two_photographs_of_one_name_become_two_copies_and_a_second_run_adds_none(
    sandbox: Sandbox, enrolled: str, photos: Path, shared_data: Path
) -> None:
    for number, folder in ((1, "a"), (2, "b"), (3, "c")):
        (photos / "twice" / folder).mkdir(parents=True)
        name = f"L001_000{1 if number == 3 else number}.jpg"
        shutil.copyfile(shared_data / "people" / "L001" / name, photos / "twice" / folder / "-1.jpg")
    for _ in range(2):
        ran = sandbox.run(f"{EXAMPLES}/sort_by_person.sh twice twice-sorted")
        assert ran.status == 0, ran.output
        copies = sorted((photos / "twice-sorted").rglob("*"))
        assert [path.name for path in copies] == ["L001", "-1-2.jpg", "-1.jpg"]
        kept = {path.read_bytes() for path in copies[1:]}
        assert kept == {(photos / "twice" / each / "-1.jpg").read_bytes() for each in ("a", "b")}


def test_a_new_photograph_under_an_old_name_replaces_no_copy(
    sandbox: Sandbox, enrolled: str, photos: Path, shared_data: Path
) -> None:
    (photos / "weekly").mkdir()
    for number in (1, 2):
        source = shared_data / "people" / "L001" / f"L001_000{number}.jpg"
        shutil.copyfile(source, photos / "weekly" / "IMG_0001.jpg")
        assert sandbox.run(f"{EXAMPLES}/sort_by_person.sh weekly weekly-sorted").status == 0
    assert len(list((photos / "weekly-sorted" / "L001").iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "folder"), [("unknown", "%75nknown"), ("a/b", "a%2Fb"), ("..", "%2E."), ("50% off", "50%25 off")]
)
def test_nobodys_name_leads_out_of_the_folder_or_into_anothers(
    sandbox: Sandbox, photos: Path, name: str, folder: str
) -> None:
    gallery = f"gallery-of-{folder}"
    made = sandbox.run(f"arcface enroll -q --name '{name}' -g '{gallery}' people/L002/front.jpg")
    assert made.status == 0, made.output
    line = f"ARCFACE_GALLERY='{gallery}' {EXAMPLES}/sort_by_person.sh inbox '{gallery}-sorted'"
    assert sandbox.run(line).status == 0
    sorted_into = {path.parent.name for path in (photos / f"{gallery}-sorted").rglob("*.jpg")}
    assert sorted_into == {folder, "unknown"}


def test_copies_into_the_inbox_itself_are_refused(sandbox: Sandbox, enrolled: str, photos: Path) -> None:
    before = sorted((photos / "inbox").rglob("*"))
    assert sandbox.run(f"{EXAMPLES}/sort_by_person.sh inbox inbox/sorted").status == 2
    assert sorted((photos / "inbox").rglob("*")) == before


def test_folders_whose_names_look_like_options_are_taken_for_folders(
    sandbox: Sandbox, enrolled: str, photos: Path
) -> None:
    for folder in ("-r", "!"):
        (photos / folder / "-q").mkdir(parents=True)
        shutil.copyfile(photos / "inbox" / "two.jpg", photos / folder / "-q" / "-e.jpg")
        listed = sandbox.run(f"{EXAMPLES}/who_is_where.sh {folder}")
        assert (listed.status, listed.stdout.split("\t")[0]) == (0, "L002"), listed.output
        assert sandbox.run(f"{EXAMPLES}/sort_by_person.sh {folder} {folder}-sorted").status == 0
        assert (photos / f"{folder}-sorted" / "L002" / "-e.jpg").is_file()
    shutil.copyfile(photos / "inbox" / "two.jpg", photos / "-e.jpg")
    seen = sandbox.run(f"{EXAMPLES}/watch_list.sh ../data/arcface/gallery -e.jpg")
    assert (seen.status, seen.stdout) == (10, "on the watch list: -e.jpg\n")
    assert sandbox.run(f"ARCFACE_GALLERY=dashed {EXAMPLES}/nightly_enroll.sh -r dashed.jsonl").status == 0


def test_an_empty_folder_is_told_by_its_status(sandbox: Sandbox, enrolled: str, photos: Path) -> None:
    (photos / "empty").mkdir()
    listed = sandbox.run(f"{EXAMPLES}/who_is_where.sh empty")
    assert (listed.status, listed.stdout) == (0, "")
    for script in ("sort_by_person.sh empty empty-sorted", "nightly_enroll.sh empty empty.jsonl"):
        assert sandbox.run(f"{EXAMPLES}/{script}").status == 2


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.sh")), ids=lambda path: path.name)
def test_a_script_without_its_words_says_how_it_is_used(sandbox: Sandbox, script: Path) -> None:
    ran = sandbox.run(str(script))
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.output.startswith(f"usage: {script.name} ")


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


@pytest.mark.parametrize(
    ("galleries", "status"), [("one missing", 6), ("missing one", 6), ("one one", 3), ("missing missing", 6)]
)
def test_the_worse_status_of_two_searches_counts_whichever_it_is(
    sandbox: Sandbox, photos: Path, galleries: str, status: int
) -> None:
    sandbox.run("arcface enroll -q --name Ann -g one people/L002/front.jpg")
    output = f"found-{galleries.replace(' ', '-')}"
    line = f"{EXAMPLES}/two_galleries.sh {galleries} {output} inbox/two.jpg people/L002/notes.jpg"
    assert sandbox.run(line).status == status
