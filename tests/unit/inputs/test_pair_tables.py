"""A table of pairs is read row by row, and what is wrong with it is said with its line."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from arcface_cli.errors import InvalidList, MissingFile
from arcface_cli.inputs.pairs import pairs


def table(folder: Path, content: str | bytes, name: str = "pairs.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def named(path: Path) -> list[tuple[str, str]]:
    return [(os.fspath(first.path or ""), os.fspath(second.path or "")) for first, second in pairs(path)]


@pytest.mark.parametrize("header", ["file_a,file_b", "A,B,same", "same,file_x,file_y", " file1 , file2 "])
def test_columns_are_told_by_their_names(tmp_path: Path, header: str) -> None:
    cells = {"a": "x.jpg", "b": "y.jpg", "same": "1", "1": "x.jpg", "2": "y.jpg", "x": "x.jpg", "y": "y.jpg"}
    row = ",".join(cells.get(name.strip().lower()[-1], "1") for name in header.split(","))
    assert named(table(tmp_path, f"{header}\n{row}\n")) == [
        (str(tmp_path / "x.jpg"), str(tmp_path / "y.jpg"))
    ]


def test_a_tsv_is_separated_by_tabs_and_names_may_hold_commas_and_any_bytes(tmp_path: Path) -> None:
    content = b"file_a\tfile_b\nx, 1.jpg\t\xff.jpg\n"
    expected = (str(tmp_path / "x, 1.jpg"), os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    assert named(table(tmp_path, content, "pairs.tsv")) == [expected]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_names_in_a_table_on_standard_input_count_from_the_current_folder(mark: str) -> None:
    content = f"file_a{mark}file_b\nx.jpg{mark}y.jpg\nx.jpg\n".encode()
    (first, second), (broken, _) = pairs(Path("-"), io.BytesIO(content))
    assert (first.raw, second.raw) == (b"x.jpg", b"y.jpg")
    with pytest.raises(InvalidList, match="standard input, line 3"):
        broken.read()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_table_in_utf_16_is_told_to_be_saved_anew(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InvalidList, match="is UTF-16 text") as caught:
        pairs(table(tmp_path, "\ufefffile_a,file_b\nx,y\n".encode(encoding)))
    assert caught.value.hint == "save it as UTF-8"


def test_rows_are_read_only_as_they_are_needed(tmp_path: Path) -> None:
    rows = pairs(table(tmp_path, 'file_a,file_b\nx,y\nx,"'))
    next(rows)  # the quote that nothing closes comes after it


def test_a_row_without_two_files_is_a_pair_that_says_so(tmp_path: Path) -> None:
    first, broken, last = pairs(table(tmp_path, "file_a,file_b\nx,y\nx,\nx,z\n"))
    for photo in broken:
        with pytest.raises(InvalidList, match="line 3 names no two files"):
            photo.read()
    assert [photo.failure for photo in (*first, *last)] == [None] * 4


@pytest.mark.parametrize("content", ["", "one,two\nx,y\n", "x.jpg,y.jpg\n"])
def test_a_table_without_a_known_header_is_refused_at_once(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidList, match="its first line is"):
        pairs(table(tmp_path, content))


def test_a_table_with_a_header_alone_says_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(InvalidList, match="lists no pairs"):
        pairs(table(tmp_path, "file_a,file_b\n"))


def test_a_missing_table_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        pairs(tmp_path / "nope.csv")


def test_where_a_table_stops_being_csv_is_its_last_pair(tmp_path: Path) -> None:
    good, broken = pairs(table(tmp_path, 'file_a,file_b\nx,y\n"x,y\nx,z\n'))
    assert good[0].failure is None
    with pytest.raises(InvalidList, match="is no CSV"):
        broken[0].read()


def test_a_cell_that_is_too_long_for_a_name_costs_its_own_pair(tmp_path: Path) -> None:
    (_, long), (_, last) = pairs(table(tmp_path, f"file_a,file_b\nx,{'y' * 200_000}\nx,z\n"))
    with pytest.raises(MissingFile):
        long.read()
    assert last.path == tmp_path / "z"
