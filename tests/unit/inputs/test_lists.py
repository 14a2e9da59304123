from __future__ import annotations

import io
import json
import os
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import ArcfaceError, InvalidList, MissingFile, UsageError
from arcface_cli.inputs.lists import MAX_ENTRY_BYTES, listed, manifest

_NAMES = st.lists(
    st.binary(min_size=1, max_size=30).filter(
        lambda raw: not {0, 10, 13, 47} & set(raw) and raw not in (b".", b"..")
    ),
    max_size=20,
)


def names(content: bytes, *, null: bool = False) -> list[bytes]:
    return [photo.raw for photo in listed(io.BytesIO(content), null)]


def write(folder: Path, content: str | bytes, name: str = "people.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(path: Path) -> list[tuple[str, str | None]]:
    return [(photo.display.removeprefix(f"{path.parent}/"), photo.subject) for photo in manifest(path)]


def test_a_list_of_lines_tolerates_empty_lines_and_windows_newlines() -> None:
    assert names(b"a.jpg\r\n\n\r\nb c.jpg\nlast.jpg") == [b"a.jpg", b"b c.jpg", b"last.jpg"]


def test_a_nul_separated_list_keeps_newlines_in_names() -> None:
    assert names(b"a\n.jpg\0\0b\r\0c", null=True) == [b"a\n.jpg", b"b\r", b"c"]


@given(_NAMES, st.booleans())
def test_any_bytes_in_names_survive(raw: list[bytes], null: bool) -> None:
    separator = b"\0" if null else b"\n"
    assert names(separator.join(raw), null=null) == raw


def test_a_dash_in_a_list_is_a_file_of_that_name() -> None:
    (photo,) = listed(io.BytesIO(b"-\n"))
    assert photo.path == Path("-")
    assert not photo.named


def test_an_endless_entry_is_refused_before_it_fills_the_memory() -> None:
    endless = io.BytesIO(b"x" * 10_000_000)
    with pytest.raises(UsageError, match="longer than 16,384 bytes"):
        list(listed(endless))
    assert endless.tell() <= 2 * 65536
    assert names(b"x" * MAX_ENTRY_BYTES) == [b"x" * MAX_ENTRY_BYTES]


def test_a_nul_list_read_as_lines_is_told_what_is_missing() -> None:
    for content in (b"a.jpg\0b.jpg\0", b"\n" + b"a.jpg\0" * 100_000):
        with pytest.raises(InvalidList) as caught:
            names(content)
        assert caught.value.hint is not None and "-0" in caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_is_told_to_be_saved_anew(encoding: str) -> None:
    with pytest.raises(InvalidList, match="UTF-16") as caught:
        names("\ufeffa.jpg\r\nb.jpg\r\n".encode(encoding))
    assert caught.value.hint == "save the list as UTF-8"


def test_the_byte_order_mark_of_an_editor_is_no_part_of_the_first_name() -> None:
    assert names(b"\xef\xbb\xbfa.jpg\n\xef\xbb\xbfb.jpg\n") == [b"a.jpg", b"\xef\xbb\xbfb.jpg"]
    assert names(b"\xef\xbb\xbfa.jpg\0", null=True) == [b"\xef\xbb\xbfa.jpg"]


def test_an_entry_that_is_no_path_costs_its_own_record() -> None:
    good, torn, last = listed(io.BytesIO(b"a.jpg\nb\0\0\njpg.jpg"))
    assert (good.failure, last.failure, last.raw) == (None, None, b"jpg.jpg")
    with pytest.raises(InvalidList, match="entry 2 of the list holds a NUL byte"):
        torn.read()
    assert torn.display == r"b\x00\x00"


class Chunks(io.BytesIO):
    """A stream that comes in pieces of one size, and knows how far it was read."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self.size = size

    def read1(self, _: int | None = -1) -> bytes:
        return self.read(self.size)


@given(
    st.lists(st.sampled_from([0, 1, 200, MAX_ENTRY_BYTES, MAX_ENTRY_BYTES + 1, 100_000]), max_size=8),
    st.sampled_from([1000, 16_384, 65_536]),
    st.sampled_from([b"\n", b"\r\n", b"\0"]),
)
def test_the_list_goes_on_behind_an_overlong_entry(lengths: list[int], size: int, end: bytes) -> None:
    content = b"first" + end + b"".join(b"x" * length + end for length in lengths) + b"last"
    first, *others, last = listed(Chunks(content, size), null=end == b"\0")
    assert (first.raw, last.raw) == (b"first", b"last")
    assert [(len(each.raw), each.failure is None) for each in others] == [
        (length, True) if length <= MAX_ENTRY_BYTES else (255, False) for length in lengths if length
    ]


def test_an_endless_entry_is_told_at_once_and_never_kept() -> None:
    stream = Chunks(b"a.jpg\n" + b"x" * 10_000_000, 65_536)
    found = listed(stream)
    next(found)
    tracemalloc.start()
    assert next(found).failure is not None
    assert stream.tell() <= 2 * 65_536
    assert list(found) == []
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_entries_come_as_they_are_written() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink:
        sink.write(b"a.jpg\nb.")
        stream = listed(source)
        watchdog = threading.Timer(5, sink.close)
        watchdog.start()
        assert next(stream).raw == b"a.jpg"
        watchdog.cancel()


def test_a_manifest_names_the_person_of_each_file_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, "file,person\na.jpg,Alice\nsub/b.jpg,\n/abs/c.jpg,Bob\n\n")
    assert rows(path) == [("a.jpg", "Alice"), ("sub/b.jpg", None), ("/abs/c.jpg", "Bob")]


@pytest.mark.parametrize(
    "content",
    [
        "\ufefffile,person\r\na.jpg,Zoë\r\n",
        "File;Person\na.jpg;Zoë\n",
        "path\tname\na.jpg\tZoë\n",
        "id,subject,image\n7,Zoë,a.jpg\n",
        'filename,"label"\n"a.jpg"," Zoe\u0308 "\n',
    ],
)
def test_spreadsheets_of_many_kinds_are_understood(tmp_path: Path, content: str) -> None:
    assert rows(write(tmp_path, content)) == [("a.jpg", "Zoë")]


def test_a_manifest_of_json_lines_reads_alike(tmp_path: Path) -> None:
    content = '{"file": "a.jpg", "person": "Alice"}\n\n{"Path": "b.jpg", "Name": 7, "x": [1]}\n'
    assert rows(write(tmp_path, content, "people.jsonl")) == [("a.jpg", "Alice"), ("b.jpg", "7")]


@pytest.mark.parametrize("content", ["a.jpg,Alice\n", "file,age\na.jpg,7\n", "", "\n", "file\na.jpg\n"])
def test_a_wrong_header_says_what_was_found_and_what_is_needed(tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError) as caught:
        manifest(write(tmp_path, content))
    assert "people.csv" in caught.value.message
    assert caught.value.hint is not None and "file or path" in caught.value.hint
    if content.strip():
        assert content.partition("\n")[0] in caught.value.message


def test_a_file_without_one_usable_json_object_is_refused_at_once(tmp_path: Path) -> None:
    for content in ('{"photo": "a"}\n', "[1]\n", "{\n", "[" * 100_000, '{"photo": "a"}\n{\n' * 2000):
        with pytest.raises(UsageError, match="line 1"):
            manifest(write(tmp_path, content, "people.jsonl"))


@pytest.mark.parametrize(
    ("name", "header", "broken", "good"),
    [
        ("people.csv", "file,person\n", "a,b,c\n", "a.jpg,Ada\n"),
        ("people.csv", "file,person\n", ",Ada\n", "a.jpg,Ada\n"),
        ("people.jsonl", "", "{\n", '{"file": "a.jpg", "person": "Ada"}\n'),
        ("people.jsonl", "\n", '{"photo": "a"}\n', '{"file": "a.jpg", "person": "Ada"}\n'),
    ],
)
def test_a_broken_first_row_costs_one_record_as_any_other(
    tmp_path: Path, name: str, header: str, broken: str, good: str
) -> None:
    first, second, third = manifest(write(tmp_path, header + broken + good + broken, name))
    assert (second.failure, second.subject) == (None, "Ada")
    for photo, line in ((first, header.count("\n") + 1), (third, header.count("\n") + 3)):
        with pytest.raises(UsageError, match=rf"{name}, line {line} "):
            photo.read()


def test_a_quote_that_nothing_closes_in_the_first_row_costs_one_record(tmp_path: Path) -> None:
    (broken,) = manifest(write(tmp_path, 'file,person\n"a.jpg,Ada\nb.jpg,Bob\n'))
    with pytest.raises(UsageError, match="is no CSV"):
        broken.read()


@pytest.mark.parametrize("content", ["file,person\na.jpg,Ada\n", '{"file": "a.jpg", "person": "Ada"}\n'])
def test_names_in_a_manifest_on_standard_input_count_from_the_current_folder(content: str) -> None:
    (photo,) = manifest(Path("-"), io.BytesIO(content.encode()))
    assert (photo.raw, photo.subject) == (b"a.jpg", "Ada")
    with pytest.raises(UsageError, match="standard input, line 1 has the columns"):
        manifest(Path("-"), io.BytesIO(b"a.jpg,Ada\n"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.jpg,b,c", "line 3 has 3 columns"),
        (",Alice", "line 3 names no file"),
        ("a.jpg,M\udcfcller", "line 3 has a name that is not UTF-8"),
        ('a.jpg,"Ada\nLovelace"', "line 4 can't be used: nobody can be called"),
        ('"a.jpg', "is no CSV"),
        (f'"{"x" * 200_000}",Alice', "the name is too long"),
    ],
)
def test_a_bad_line_costs_one_record_and_says_its_number(tmp_path: Path, line: str, reason: str) -> None:
    path = write(tmp_path, os.fsencode(f"file,person\nok.jpg,Alice\n{line}\n"))
    good, bad = manifest(path)
    assert good.subject == "Alice"
    with pytest.raises(UsageError, match=reason):
        bad.read()


def test_the_lines_after_a_bad_one_are_still_read(tmp_path: Path) -> None:
    path = write(tmp_path, "file,person\na,A\n,\n,X\nb,B\n")
    assert [photo.subject for photo in manifest(path)] == ["A", None, "B"]


@pytest.mark.parametrize(
    "row",
    [
        '{"file": "\\ud800", "person": "A"}',
        '{"file": [], "person": "A"}',
        '{"file": "a", "person": true}',
        "7",
    ],
)
def test_a_bad_json_line_costs_one_record(tmp_path: Path, row: str) -> None:
    path = write(tmp_path, f'{{"file": "a", "person": "A"}}\n{row}\n', "people.jsonl")
    _, bad = manifest(path)
    with pytest.raises(UsageError, match="line 2"):
        bad.read()


def test_a_manifest_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"gone\.csv does not exist"):
        manifest(tmp_path / "gone.csv")
    with pytest.raises(ArcfaceError, match="is a folder"):
        manifest(tmp_path)


@given(st.binary(max_size=200), st.sampled_from(["people.csv", "people.jsonl"]))
def test_any_bytes_give_photographs_or_a_deliberate_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = write(tmp_path_factory.getbasetemp(), content, name)
    header = b"file,person\n" if name.endswith("csv") else b'{"file": "a", "person": "b"}\n'
    path.write_bytes(header + content)
    try:
        for photo in manifest(path):
            json.dumps([photo.display, photo.subject, photo.base64_if_escaped]).encode()
    except UsageError as error:
        assert "people" in error.message
