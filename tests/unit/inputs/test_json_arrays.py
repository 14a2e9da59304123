"""A JSON array, read element by element."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import UnreadableFeatures
from arcface_cli.inputs.json_arrays import LONGEST_ELEMENT, array_elements

RECORDS: list[dict[str, Any]] = [{"input": "é \\ ] ,", "faces": [[1.5], {}]}, {}, {"long": "ß" * 200_000}]


def read(data: bytes, begun: int = 0) -> list[Any]:
    stream = io.BytesIO(data)
    return [value for _, value in array_elements(stream, stream.read(begun), "x.json")]


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("begun", [0, 1, 2, 20])
def test_every_element_comes_back_however_it_is_laid_out(indent: int | None, begun: int) -> None:
    for records in ([], RECORDS, RECORDS * 3):
        assert read(json.dumps(records, indent=indent, ensure_ascii=False).encode(), begun) == records


@given(st.lists(st.dictionaries(st.text(max_size=9), st.floats(allow_nan=False))), st.integers(0, 99))
def test_any_array_of_objects_comes_back(records: list[dict[str, float]], begun: int) -> None:
    assert read(json.dumps(records).encode(), begun) == records


@pytest.mark.parametrize(
    ("data", "whole", "told"),
    [
        (b'[\n{"a": 1},\n{"b": 2', 1, "record 2 is no JSON: it is cut off"),
        (b'[{"a": 1}', 1, "record 2 is no JSON: it is cut off"),
        (b'[{"a": 1}, ', 1, "record 2 is no JSON: it is cut off"),
        (b'[{"a": 1} {"b": 2}]', 1, "record 2 is no JSON"),
        (b'{"a": 1}', 0, "record 1 is no JSON"),
        (b'[{"a": "\xff"}]', 0, "record 1 is no JSON"),
        (b'[{"a": "\xc3', 0, "record 1 is no JSON"),
        (b"[" * 100_000, 0, "record 1 is no JSON"),
    ],
)
def test_what_is_no_json_is_named_and_ends_the_array(data: bytes, whole: int, told: str) -> None:
    for begun in (0, len(data)):
        *good, last = read(data, begun)
        assert len(good) == whole
        assert isinstance(last, UnreadableFeatures)
        assert told in last.message


def test_an_element_without_end_takes_no_more_than_a_bound() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            self.given = getattr(self, "given", 0) + size
            return b"a" * size

    stream = Endless()
    ((_, value),) = array_elements(stream, b'["', "x.json")  # type: ignore[arg-type]
    assert isinstance(value, UnreadableFeatures)
    assert stream.given <= 4 * LONGEST_ELEMENT


def test_arrays_one_behind_another_are_all_read_and_what_is_behind_them_is_told() -> None:
    several = b" [1, 2]\n[]\n[3]\n"
    assert read(several, 3) == [1, 2, 3]
    *values, error = read(several + b"x", 3)
    assert values == [1, 2, 3]
    assert isinstance(error, UnreadableFeatures)
