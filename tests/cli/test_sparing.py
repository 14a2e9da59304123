"""Nothing that is written replaces a photograph or what the run reads, which is told before any work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Arcface, arcface_process

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]


@pytest.fixture
def place(album: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The album and lists of its photographs, in the working folder."""
    monkeypatch.chdir(album.parent)
    (album.parent / "list.txt").write_text("album/ada.jpg\nalbum/bob.jpg\n")
    (album.parent / "pairs.csv").write_text("file_a,file_b\nalbum/ada.jpg,album/ada2.jpg\n")
    (album.parent / "people.csv").write_text("file,person\nalbum/ada.jpg,Ada\nalbum/bob.jpg,Bob\n")
    (album.parent / "link.png").symlink_to("album/ada.jpg")
    shutil.copy("album/ada.jpg", "found.png")
    return album.parent


WORDS = [
    "embed album/ada.jpg -o album/ada.jpg",
    "embed album -o album/ada.jpg",
    "identify album/ada.jpg -o album/ada.jpg",
    "identify --files-from list.txt -o list.txt",
    "embed --files-from list.txt -o album/../list.txt",
    "enroll --manifest people.csv -o people.csv",
    "enroll album --sync -o album/ada.jpg",
    "verify album/ada.jpg album/ada2.jpg -o album/ada2.jpg",
    "verify --pairs pairs.csv -o pairs.csv",
    "align album/ada.jpg -o crops --sheet album/ada.jpg",
    "align album -o crops --sheet album/ada.jpg",
    "align album -o crops --sheet link.png",
    "align album/ada.jpg -o crops --sheet found.png",
    "evaluate --pairs pairs.csv . -o pairs.csv",
    "evaluate --pairs pairs.csv . --save album/ada.jpg",
    "evaluate --pairs pairs.csv . --report album/ada.jpg",
    "gallery audit --html album/ada.jpg",
]


def contents(place: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in place.rglob("*") if path.is_file() and "cache" not in path.parts
    }


@pytest.mark.parametrize("words", WORDS)
def test_an_output_in_the_place_of_an_input_is_2_and_nothing_is_done(
    arcface: Arcface, place: Path, words: str
) -> None:
    before = contents(place)
    answer = arcface(*words.split())
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1), answer
    assert "would replace it" in answer.err or "would be replaced" in answer.err
    assert contents(place) == before


@pytest.mark.parametrize(
    ("words", "into"),
    [
        ("embed album/ada.jpg", "album/ada.jpg"),
        ("embed album", "album/bob.jpg"),
        ("identify --files-from list.txt", "album/bob.jpg"),
        ("embed --files-from list.txt", "list.txt"),
        ("verify album/ada.jpg album/ada2.jpg", "album/ada2.jpg"),
        ("verify --pairs pairs.csv", "pairs.csv"),
    ],
)
def test_nothing_is_appended_to_an_input(place: Path, words: str, into: str) -> None:
    before = contents(place)
    with Path(into).open("ab") as stdout:
        ran = arcface_process(*words.split(), stdout=stdout)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
    assert ran.stderr.startswith("arcface: standard output")
    assert contents(place) == before


@pytest.mark.parametrize(
    ("words", "table"),
    [
        ("embed --files-from - -o list.txt", "list.txt"),
        ("align --files-from - -o crops --sheet list.txt", "list.txt"),
        ("enroll --manifest - -o people.csv", "people.csv"),
        ("verify --pairs - -o pairs.csv", "pairs.csv"),
        ("enroll --from-embeddings - -o list.txt", "list.txt"),
        ("embed - -o album/ada.jpg", "album/ada.jpg"),
    ],
)
def test_what_comes_through_standard_input_is_not_replaced(place: Path, words: str, table: str) -> None:
    before = contents(place)
    with Path(table).open("rb") as stdin:
        ran = arcface_process(*words.split(), stdin=stdin)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
    assert "this run reads that file" in ran.stderr
    assert contents(place) == before


def test_a_list_on_standard_input_is_not_appended_to(place: Path) -> None:
    before = contents(place)
    with Path("list.txt").open("rb") as stdin, Path("list.txt").open("ab") as stdout:
        ran = arcface_process("embed", "--files-from", "-", stdin=stdin, stdout=stdout)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr
    assert contents(place) == before


def test_records_may_be_appended_to_records(place: Path) -> None:
    for count in (1, 2):
        with Path("records.jsonl").open("ab") as stdout:
            assert arcface_process("embed", "album/ada.jpg", stdout=stdout).returncode == 0
        assert len(Path("records.jsonl").read_text().splitlines()) == count


FOREIGN = '{"file": "ada.jpg", "person": "Ada"}\n'


@pytest.mark.parametrize(
    "content", [FOREIGN, "a list of mine", '{"schema": 1, "command": "embed", "input": "']
)
def test_a_manifest_that_align_didnt_write_is_not_replaced(
    arcface: Arcface, place: Path, content: str
) -> None:
    (place / "crops").mkdir()
    (place / "crops" / "manifest.jsonl").write_text(content)
    before = contents(place)
    answer = arcface("align", "album/ada.jpg", "-o", "crops")
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1), answer
    assert "crops/manifest.jsonl is not of arcface align, and would be replaced" in answer.err
    assert contents(place) == before


def test_a_manifest_of_features_replaces_only_its_like(arcface: Arcface, place: Path) -> None:
    (place / "x.manifest.jsonl").write_text(FOREIGN)
    before = contents(place)
    answer = arcface("embed", "album/ada.jpg", "-o", "x.npy")
    assert (answer.status, len(answer.said)) == (2, 1), answer
    assert "x.manifest.jsonl is no manifest of arcface embed" in answer.err
    assert contents(place) == before
    (place / "x.manifest.jsonl").unlink()
    assert [arcface("embed", "album/ada.jpg", "-o", "x.npy").status for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (FOREIGN, "line 1 has no 'run', as records have"),
        ("mine\n", "line 1 is not JSON"),
        ("mine", "line 1 is no"),
    ],
)
def test_a_foreign_manifest_that_would_be_continued_is_told_by_its_line(
    arcface: Arcface, place: Path, content: str, told: str
) -> None:
    (place / "crops").mkdir()
    (place / "crops" / "manifest.jsonl").write_text(content)
    answer = arcface("align", "album/ada.jpg", "-o", "crops", "--resume")
    assert (answer.status, len(answer.said), told in answer.err) == (2, 1, True), answer


def test_a_manifest_of_align_is_replaced_also_where_a_killed_run_left_a_part(
    arcface: Arcface, place: Path
) -> None:
    whole = None
    for left in (
        "",
        '{"sch',
        '{"schema": 1, "command": "al',
        '{"schema": 1, "command": "align", "input": "x',
    ):
        (place / "crops").mkdir(exist_ok=True)
        (place / "crops" / "manifest.jsonl").write_text(left)
        assert arcface("align", "album/ada.jpg", "-o", "crops", "-q").status == 0
        manifest = (place / "crops" / "manifest.jsonl").read_text()
        assert manifest == (manifest if whole is None else whole)
        whole = manifest


@pytest.mark.parametrize("words", ["align album -o album", "align -r . -o .", "identify album --draw album/"])
def test_pictures_dont_go_into_a_folder_of_photographs(arcface: Arcface, place: Path, words: str) -> None:
    before = contents(place)
    answer = arcface(*words.split())
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1), answer
    assert "holds the photographs" in answer.err
    assert contents(place) == before


@pytest.mark.parametrize("inputs", [["-r", "."], ["album/*"], ["-r", "**/*.[jp][pn]g"]])
def test_pictures_below_the_photographs_are_no_inputs_of_a_second_run(
    arcface: Arcface, place: Path, inputs: list[str]
) -> None:
    runs = [arcface("align", *inputs, "-o", "album/crops", "-q", "-f", "jsonl") for _ in range(2)]
    assert list(Path("album/crops").glob("*.png"))
    assert runs[0].out == runs[1].out
    assert {record["command"] for record in runs[0].records} == {"align"}


def test_a_photograph_in_the_folder_for_pictures_is_an_input_all_the_same(
    arcface: Arcface, place: Path
) -> None:
    shutil.copy("album/bob.jpg", "crops.jpg")
    Path("album/crops").mkdir()
    Path("crops.jpg").rename("album/crops/bob.jpg")
    for _ in range(2):
        answer = arcface("align", "-r", "album", "-o", "album/crops", "-q")
        assert "album/crops/bob.jpg" in [record["input"] for record in answer.records]
        assert not any(record["input"].endswith("-0.png") for record in answer.records)


def test_a_sheet_replaces_the_sheet_of_an_earlier_run(arcface: Arcface, place: Path) -> None:
    for photograph in ("album/ada.jpg", "album/bob.jpg"):
        before = contents(place)
        assert arcface("align", photograph, "-o", "crops", "--sheet", "sheet.png", "-q").status == 0
        assert contents(place)[place / "sheet.png"] != before.get(place / "sheet.png")


def test_a_sheet_that_is_an_input_itself_is_no_exception(arcface: Arcface, place: Path) -> None:
    assert arcface("align", "album/ada.jpg", "-o", "crops", "--sheet", "sheet.png").status == 0
    answer = arcface("align", "sheet.png", "-o", "crops", "--sheet", "sheet.png")
    assert (answer.status, "would replace it" in answer.err) == (2, True)


def test_a_second_run_over_crops_and_all_writes_the_same_crops_again(arcface: Arcface, place: Path) -> None:
    assert arcface("align", "album/ada.jpg", "-o", "album", "-q").status == 0
    before = contents(place)
    assert arcface("align", "album/ada.jpg", "-o", "album", "-q").status == 0
    assert contents(place) == before
