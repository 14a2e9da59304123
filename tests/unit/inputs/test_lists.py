from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import ArcfaceError, MissingFile, UsageError
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
    with pytest.raises(UsageError) as caught:
        names(b"a.jpg\0b.jpg\0")
    assert caught.value.hint is not None and "-0" in caught.value.hint


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


def test_a_wrong_first_json_object_is_refused_at_once(tmp_path: Path) -> None:
    for content in ('{"photo": "a"}\n', "[1]\n", "{\n", "[" * 100_000):
        with pytest.raises(UsageError, match="line 1"):
            manifest(write(tmp_path, content, "people.jsonl"))


def test_utf_16_is_told_to_be_saved_anew(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="UTF-16"):
        manifest(write(tmp_path, "file,person\na,b\n".encode("utf-16")))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.jpg,b,c", "line 3 has 3 columns"),
        (",Alice", "line 3 names no file"),
        ("a.jpg,M\udcfcller", "line 3 has a name that is not UTF-8"),
        ('"a.jpg', "is no CSV"),
        (f'"{"x" * 200_000}",Alice', "is no CSV"),
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
