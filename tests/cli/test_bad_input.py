"""Every kind of bad input, for every verb: one line, the documented status, a record, nothing lost."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Answer, Arcface
from PIL import Image

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]


def _text(folder: Path) -> Path:
    path = folder / "text.jpg"
    path.write_text("this is no picture\n")
    return path


def _truncated(folder: Path) -> Path:
    path = folder / "truncated.jpg"
    path.write_bytes((folder / "ada.jpg").read_bytes()[:5000])
    return path


def _empty(folder: Path) -> Path:
    path = folder / "empty.jpg"
    path.touch()
    return path


def _one_pixel(folder: Path) -> Path:
    path = folder / "pixel.png"
    Image.new("RGB", (1, 1)).save(path)
    return path


def _empty_folder(folder: Path) -> Path:
    path = folder / "nothing"
    path.mkdir()
    return path


def _broken_link(folder: Path) -> Path:
    path = folder / "link.jpg"
    path.symlink_to("nowhere.jpg")
    return path


def _pipe(folder: Path) -> Path:
    path = folder / "pipe.jpg"
    os.mkfifo(path)
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str, int]] = {
    "a missing file": (lambda folder: folder / "missing.jpg", "missing_file", 2),
    "a broken link": (_broken_link, "missing_file", 2),
    "a pipe": (_pipe, "not_a_file", 2),
    "a text file": (_text, "unreadable_image", 3),
    "a truncated JPEG": (_truncated, "unreadable_image", 3),
    "an empty file": (_empty, "empty_file", 3),
    "one pixel": (_one_pixel, "image_too_small", 3),
    "no face": (lambda folder: folder / "coffee.png", "no_face", 4),
}
IN_A_BATCH: dict[str, tuple[Callable[[Path], Path], str, int]] = {
    **BAD,
    "a folder without photographs": (_empty_folder, "no_inputs", 2),
}
VERBS: dict[str, tuple[str, ...]] = {
    "align": ("align", "-o", "crops"),
    "embed": ("embed",),
    "enroll": ("enroll", "--name", "Ada"),
    "identify": ("identify",),
}


@pytest.fixture
def enrolled(weights: Path, arcface: Arcface, album: Path) -> None:
    assert arcface("enroll", "--name", "Bob", album / "bob.jpg").status == 0


def check_words(answer: Answer, path: Path, *, lines: int = 1) -> None:
    """As many lines as told, the first with name, reason and next step; no traceback."""
    assert len(answer.said) == lines
    assert answer.said[0].startswith("arcface: ")
    assert path.name in answer.said[0]
    assert "; " in answer.said[0]
    assert "Traceback" not in answer.err


@pytest.mark.usefixtures("enrolled")
@pytest.mark.parametrize("kind", list(IN_A_BATCH))
@pytest.mark.parametrize("verb", list(VERBS))
def test_a_bad_input_by_itself_ends_with_its_own_status(
    arcface: Arcface, album: Path, verb: str, kind: str
) -> None:
    make, code, status = IN_A_BATCH[kind]
    path = make(album)
    answer = arcface(*VERBS[verb], path)
    check_words(answer, path)
    assert answer.status == status
    (record,) = answer.records
    assert (record["input"], record["error"]["code"]) == (str(path), code)
    assert record["status"] in ("skipped", "failed")


@pytest.mark.usefixtures("enrolled")
@pytest.mark.parametrize("verb", list(VERBS))
def test_bad_inputs_among_good_ones_cost_themselves_only(arcface: Arcface, album: Path, verb: str) -> None:
    made = [(make(album), code, status) for make, code, status in IN_A_BATCH.values()]
    unreadable = [(path, code) for path, code, status in made if status != 2]
    good, last = album / "ada.jpg", album / "ada2.jpg"
    answer = arcface(*VERBS[verb], good, *(path for path, _ in unreadable), last)
    assert answer.status == 3
    assert [record["input"] for record in answer.records] == [
        str(good),
        *(str(path) for path, _ in unreadable),
        str(last),
    ]
    codes = [record.get("error", {}).get("code") for record in answer.records]
    assert codes == [None, *(code for _, code in unreadable), None]
    assert len(answer.said) == len(unreadable) + 1
    assert f"{len(unreadable) + 2} photographs: 2 done" in answer.said[-1]


@pytest.mark.usefixtures("enrolled")
@pytest.mark.parametrize("kind", ["a missing file", "a broken link", "a folder without photographs"])
def test_a_path_named_in_vain_ends_with_2_after_everything_else_is_done(
    arcface: Arcface, album: Path, kind: str
) -> None:
    path = IN_A_BATCH[kind][0](album)
    answer = arcface("identify", album / "ada.jpg", path, album / "text.jpg", album / "bob.jpg")
    assert answer.status == 2
    assert [record["status"] for record in answer.records] == ["done", "failed", "failed", "done"]


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("kind", list(BAD))
def test_verify_gives_no_answer_without_two_faces(
    arcface: Arcface, album: Path, kind: str, place: int
) -> None:
    make, code, status = BAD[kind]
    path = make(album)
    pair = [album / "ada.jpg", album / "ada2.jpg"]
    pair[place] = path
    answer = arcface("verify", *pair)
    check_words(answer, path)
    assert answer.status == status
    (record,) = answer.records
    assert "same_person" not in record
    assert record["error"]["code"] == code


def test_verify_takes_no_folder(arcface: Arcface, album: Path) -> None:
    folder = _empty_folder(album)
    answer = arcface("verify", album / "ada.jpg", folder)
    check_words(answer, folder)
    assert (answer.status, answer.records[0]["error"]["code"]) == (2, "not_a_file")


@pytest.mark.usefixtures("enrolled")
def test_of_eight_faces_enroll_takes_none_identify_all_and_verify_says_which(
    arcface: Arcface, album: Path
) -> None:
    group = album / "eight.jpg"
    refused = arcface("enroll", "--name", "Ada", group)
    check_words(refused, group)
    assert (refused.status, refused.records[0]["error"]["code"]) == (4, "several_faces")
    (seen,) = arcface("identify", group).records
    assert len(seen["faces"]) == seen["faces_found"] == 8
    (largest,) = arcface("identify", "--faces", "largest", group).records
    assert (len(largest["faces"]), largest["faces_found"]) == (1, 8)
    pair = arcface("verify", album / "ada.jpg", group)
    assert pair.status == 1
    assert "8 faces; took the one at" in pair.err
    assert arcface("verify", "--faces", "one", album / "ada.jpg", group).status == 4


@pytest.mark.parametrize("name", ["new\nline.jpg", "bad \udcff.jpg", "escape \x1b[31m.jpg", "größe 顔.jpg"])
def test_any_name_is_read_and_told_on_one_line(arcface: Arcface, album: Path, name: str) -> None:
    photo = album / name
    shutil.copyfile(album / "ada.jpg", photo)
    (record,) = arcface("embed", photo).records
    assert record["status"] == "done"
    assert record["input"].isprintable()
    assert ("input_b64" in record) == (record["input"] != str(photo))
    if "input_b64" in record:
        assert base64.b64decode(record["input_b64"]) == os.fsencode(photo)
    pair = arcface("verify", album / "ada2.jpg", photo)
    assert pair.status == 0
    photo.write_bytes(b"")
    answer = arcface("embed", photo)
    assert (answer.status, len(answer.said)) == (3, 1)
    assert "\x1b" not in answer.err


IMPOSSIBLE_THRESHOLDS = [
    ("-t", "nan"), ("-t", "1.5"), ("-t", "inf"), ("--max-distance", "-0.1"), ("--max-distance", "nan"),
    ("-t", "0.4", "--max-distance", "1"), ("--max-distance", "1", "--metric", "cosine"),
    ("-t", "200", "--metric", "angle"), ("-t", "high"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "words"),
    [(verb, words) for verb in ("identify", "verify") for words in IMPOSSIBLE_THRESHOLDS]
    + [("identify", ("--margin", "nan"))],
)
def test_a_threshold_that_cant_be_is_refused_before_anything_is_done(
    arcface: Arcface, album: Path, verb: str, words: tuple[str, ...]
) -> None:
    photos = [album / "ada.jpg", album / "ada2.jpg"]
    answer = arcface(verb, *photos, *words)
    assert (answer.status, answer.out) == (2, "")
    assert len(answer.said) == 1
    assert "; " in answer.said[0]


@pytest.mark.parametrize("verb", ["embed", "identify"])
def test_naming_no_photograph_is_wrong_usage(arcface: Arcface, verb: str) -> None:
    answer = arcface(verb)
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)


def test_a_list_that_isnt_there_and_a_list_with_missing_files_are_told(arcface: Arcface, album: Path) -> None:
    assert arcface("embed", "--files-from", "none.txt").status == 2
    (album / "list.txt").write_text(f"{album}/ada.jpg\n{album}/gone.jpg\n{album}/bob.jpg\n")
    answer = arcface("embed", "--files-from", album / "list.txt")
    assert answer.status == 3
    assert [record["status"] for record in answer.records] == ["done", "failed", "done"]


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 300])
def test_a_name_that_nobody_can_have_is_wrong_usage_and_makes_no_gallery(
    arcface: Arcface, album: Path, own_place: Path, name: str
) -> None:
    answer = arcface("enroll", "--name", name, album / "ada.jpg")
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert not (own_place / "gallery").exists()


def test_a_file_that_begins_with_a_dash_is_named_with_its_folder(arcface: Arcface, own_place: Path) -> None:
    (own_place / "-dash.jpg").touch()
    answer = arcface("embed", "-dash.jpg")
    assert (answer.status, len(answer.said)) == (2, 1)
    assert "./-dash.jpg" in answer.err
    (own_place / "-q.jpg").touch()
    assert "./-q.jpg" in arcface("embed", "-q.jpg").err
    assert "./" not in arcface("embed", "-dont.jpg").err
