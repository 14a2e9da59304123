"""Nothing that is written replaces a photograph or what the run reads, which is told before any work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Arcface

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
