"""Annotated photographs and contact sheets as files."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arcface_cli.decision import Candidate, OperatingPoint, decide
from arcface_cli.errors import FaceBlurred, OutputError, UsageError
from arcface_cli.faces import RefusedFace
from arcface_cli.imaging.draw import Tone
from arcface_cli.imaging.typeface import Typeface
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.crops import file_stem
from arcface_cli.output.pictures import COLUMNS, ROWS, AnnotatedFolder, ContactSheets, label_of, marks_of
from arcface_cli.results import IdentifiedPhoto
from fakes import face_at, picture_bytes, seen_faces

TYPEFACE = Typeface(iter(()))
POINT = OperatingPoint(0.4, "option")
PAGE = COLUMNS * ROWS


def answer(content: bytes | None, *similarities: float) -> IdentifiedPhoto:
    people = ["ada", "bob\u202e", "eve"]
    found = [Candidate(i + 1, people[i], s, i + 1) for i, s in enumerate(similarities)]
    seen = replace(seen_faces([face_at(40, 40, 60)]), content=content)
    return IdentifiedPhoto(seen, (decide(found, POINT, 0.05),))


def test_labels_say_who_the_decision_and_the_similarity() -> None:
    labels = [label_of(answer(None, *s).decisions[0]) for s in ((0.714, 0.2), (0.5, 0.48), (-0.004,), ())]
    assert labels == [
        ("ada", "match 0.71"),
        ("ada", "or bob\\u202e", "ambiguous 0.50"),
        ("unknown 0.00",),
        ("unknown",),
    ]


def test_refused_faces_are_marked_with_the_reason_under_the_others() -> None:
    refused = RefusedFace(face_at(), FaceBlurred("a.jpg: the face is blurred"))
    seen = replace(answer(None, 0.9).photo, refused=(refused,))
    marks = marks_of(replace(answer(None, 0.9), photo=seen))
    assert [(mark.lines[0], mark.tone) for mark in marks] == [("blurred", Tone.REFUSED), ("ada", Tone.MATCH)]


def test_a_photograph_is_drawn_upright_whatever_its_exif_says(tmp_path: Path) -> None:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (600, 500), (9, 9, 9)).save(buffer, "JPEG", exif=exif)
    path = AnnotatedFolder(tmp_path / "drawn", TYPEFACE).draw(
        Photo(Path("a.jpg")), answer(buffer.getvalue(), 0.9)
    )
    with Image.open(path) as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (500, 600))
        assert not drawn.getexif()


def test_photographs_of_one_name_don_t_overwrite_each_other_and_a_second_run_does(tmp_path: Path) -> None:
    folder = AnnotatedFolder(tmp_path, TYPEFACE)
    names = ("x/a.jpg", "y/a.jpg", "y/a.png", "x/a.jpg")
    paths = [folder.draw(Photo(Path(name)), answer(picture_bytes(), 0.9)) for name in names]
    assert len(set(paths)) == 3
    assert sorted(tmp_path.iterdir()) == sorted(set(paths))


@pytest.mark.parametrize(
    "name", ["x" * 250 + ".jpg", "王" * 83 + ".jpg", "a\nb\udcff\\.jpg", ".jpg", "..jpg"]
)
def test_any_file_name_gives_a_name_that_a_file_can_have(tmp_path: Path, name: str) -> None:
    path = AnnotatedFolder(tmp_path, TYPEFACE).draw(Photo(Path(name)), answer(picture_bytes(), 0.9))
    assert path.parent == tmp_path
    assert path.is_file()
    assert len(file_stem(Photo(Path(name))).encode()) < 200


def test_what_cant_be_written_is_one_clear_line_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    photo, seen = Photo(Path("a.jpg")), answer(picture_bytes(), 0.9)
    folder = AnnotatedFolder(tmp_path / "drawn", TYPEFACE)
    path = folder.draw(photo, seen)
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(OutputError, match=rf"{path.name} can't be written: No such file"):
        folder.draw(photo, seen)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file can't be written"):
        AnnotatedFolder(tmp_path / "file", TYPEFACE)


def test_no_drawing_replaces_a_photograph(tmp_path: Path) -> None:
    folder = AnnotatedFolder(tmp_path, TYPEFACE)
    path = folder.draw(Photo(Path("a.jpg")), answer(picture_bytes(), 0.9))
    path.write_bytes(picture_bytes())
    with pytest.raises(UsageError, match=f"{path.name} is a picture that arcface didn't draw"):
        folder.draw(Photo(Path("a.jpg")), answer(picture_bytes(), 0.9))
    assert path.read_bytes() == picture_bytes()


# --- contact sheets -------------------------------------------------------------------------------


def crops(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.zeros((count, 112, 112, 3), np.uint8)


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (0, []),
        (1, ["s.png"]),
        (PAGE, ["s.png"]),
        (PAGE + 1, ["s-001.png", "s-002.png"]),
        (3 * PAGE, ["s-001.png", "s-002.png", "s-003.png"]),
    ],
)
def test_one_page_has_the_name_that_was_given_and_more_are_numbered(
    tmp_path: Path, count: int, names: list[str]
) -> None:
    with ContactSheets(tmp_path / "new" / "s.png", TYPEFACE) as sheets:
        for index in range(0, count, 40):
            sheets.add(Photo(Path("ada/a.jpg")), crops(min(40, count - index)))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names
    assert [path.name for path in sheets.files] == names


def test_a_run_that_breaks_off_leaves_no_page_that_was_not_full(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), ContactSheets(tmp_path / "s.jpg", TYPEFACE) as sheets:
        sheets.add(Photo(Path("a.jpg")), crops(PAGE + 1))
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["s-001.jpg"]


def test_the_suffix_says_the_format_and_another_one_is_refused(tmp_path: Path) -> None:
    for name, kind in (("s.png", "PNG"), ("s.JPG", "JPEG"), ("s.jpeg", "JPEG")):
        with ContactSheets(tmp_path / name, TYPEFACE) as sheets:
            sheets.add(Photo(None), crops(1))
        with Image.open(tmp_path / name) as sheet:
            assert sheet.format == kind
    with pytest.raises(UsageError, match=r"--sheet s\.pdf: a contact sheet is a PNG or JPEG file"):
        ContactSheets(Path("s.pdf"), TYPEFACE)


def test_a_sheet_that_would_replace_a_photograph_is_refused_before_any_work(tmp_path: Path) -> None:
    path = tmp_path / "me.png"
    path.write_bytes(picture_bytes())
    with pytest.raises(UsageError, match=r"me\.png is a picture that arcface didn't draw"):
        ContactSheets(path, TYPEFACE).__enter__()
    assert path.read_bytes() == picture_bytes()


def test_a_further_page_replaces_no_photograph_but_the_sheets_of_an_earlier_run(tmp_path: Path) -> None:
    for _ in range(2):
        with ContactSheets(tmp_path / "s.png", TYPEFACE) as sheets:
            sheets.add(Photo(Path("a.jpg")), crops(PAGE + 1))
    (tmp_path / "s-001.png").write_bytes(picture_bytes())
    with (
        pytest.raises(UsageError, match=r"s-001\.png is"),
        ContactSheets(tmp_path / "s.png", TYPEFACE) as sheets,
    ):
        sheets.add(Photo(Path("a.jpg")), crops(PAGE + 1))
    assert (tmp_path / "s-001.png").read_bytes() == picture_bytes()
