"""Test sets are pickles, and a pickle is a program: this one may do next to nothing."""

from __future__ import annotations

import contextlib
import os
import pickle
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import InvalidList, UnsafePickle
from arcface_cli.inputs.bins import load_restricted, read_bin


def written(folder: Path, value: Any, protocol: int = 4) -> Path:
    path = folder / "set.bin"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


PICTURES = [b"one", b"two", b"three", b"four"]
LABELS = [True, False]


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("labels", [LABELS, np.array(LABELS), [np.bool_(True), np.bool_(False)]])
def test_a_set_reads_the_same_from_protocols_that_publishers_use(
    tmp_path: Path, protocol: int, labels: Any
) -> None:
    try:
        found = read_bin(written(tmp_path, (PICTURES, labels), protocol))
    except UnsafePickle:
        assert protocol in (0, 1, 5)  # text pickles and out-of-band buffers: nobody publishes those
        return
    assert found.crops == tuple(PICTURES)
    assert found.pairs.same == (True, False)
    assert (found.pairs.first, found.pairs.second) == ((0, 2), (1, 3))


def test_pictures_as_arrays_of_bytes_are_their_bytes(tmp_path: Path) -> None:
    arrays = [np.frombuffer(each, np.uint8).copy() for each in PICTURES]
    assert read_bin(written(tmp_path, (arrays, LABELS), 2)).crops == tuple(PICTURES)


def test_a_picture_that_stands_twice_is_one_item(tmp_path: Path) -> None:
    found = read_bin(written(tmp_path, ([b"a", b"b", b"a", b"c"], LABELS)))
    assert found.crops == (b"a", b"b", b"c")
    assert (found.pairs.first, found.pairs.second) == ((0, 0), (1, 2))
    assert found.pairs.people[0] == found.pairs.people[1] != found.pairs.people[2]


class Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize("protocol", [2, 4])
def test_os_system_is_refused_without_running(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"
    with pytest.raises(UnsafePickle, match=r"system"):
        read_bin(written(tmp_path, ([Calls(os.system, f"touch {mark}")], [True]), protocol))
    assert not mark.exists()


@pytest.mark.parametrize(
    "gadget",
    [
        Calls(eval, "open('ran', 'w')"),
        Calls(getattr, "x", "upper"),
        Calls(__import__, "os"),
        Calls(bytearray, 1 << 40),
        Calls(bytes, 1 << 40),
        Calls(np.zeros, 1 << 40),
        Calls(np.load, "ran"),
        Calls(Path, "ran"),
    ],
    ids=lambda gadget: getattr(gadget._call[0], "__name__", "Path"),
)
def test_gadgets_are_refused_without_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gadget: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickle):
        read_bin(written(tmp_path, ([gadget, b"b"], [True])))
    assert not (tmp_path / "ran").exists()


def test_a_dotted_name_does_not_reach_into_a_module_that_is_allowed() -> None:
    for name in (b"ndarray.tofile", b"os.system", b"dtype.__class__"):
        attack = b"\x80\x04\x8c\x05numpy\x8c" + bytes([len(name)]) + name + b"\x93)R."
        with pytest.raises(UnsafePickle, match="asks for"):
            load_restricted(attack, "set.bin")


def refused_at_once(attack: bytes) -> None:
    tracemalloc.start()
    begun = time.monotonic()
    with pytest.raises(UnsafePickle):
        load_restricted(attack, "set.bin")
    assert time.monotonic() - begun < 2.0
    assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    tracemalloc.stop()


def test_a_memo_number_of_four_thousand_million_is_refused_before_it_is_allocated() -> None:
    refused_at_once(b"\x80\x02]r\xff\xff\xff\xff.")
    refused_at_once(b"\x80\x02]p4294967295\n.")


def test_a_tuple_doubled_forty_times_as_a_dictionary_key_is_refused() -> None:
    doubled = b"\x80\x04)" + b"\x942\x86" * 40
    refused_at_once(doubled + b"}q\x00" + doubled + b"K\x01s.")
    refused_at_once(b"\x80\x04)" + b"\x940h\x00\x86" * 40 + b".")


def test_a_hundred_thousand_lists_inside_each_other_are_refused_without_a_crash(tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle):
        read_bin(written(tmp_path, b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b"."))


def test_a_list_that_holds_itself_is_refused(tmp_path: Path) -> None:
    bomb: list[Any] = []
    bomb.extend([bomb, bomb])
    with pytest.raises(UnsafePickle):
        read_bin(written(tmp_path, bomb))


def test_lengths_that_the_file_does_not_have_are_refused() -> None:
    refused_at_once(b"\x80\x04\x8e" + struct.pack("<Q", 1 << 50) + b"x.")
    refused_at_once(b"\x80\x02T\xff\xff\xff\x7fx.")


@pytest.mark.parametrize(
    "array",
    [np.zeros(3, np.float64), np.zeros((2, 2), object), np.array(["a"]), np.zeros(2, "datetime64[s]")],
    ids=["float", "object", "text", "time"],
)
def test_arrays_of_anything_but_bytes_are_refused(tmp_path: Path, array: Any) -> None:
    with pytest.raises(UnsafePickle):
        read_bin(written(tmp_path, ([array, b"b"], [True])))


@pytest.mark.parametrize(
    "value",
    [b"", b"no pickle", b"\x80\x04", ([b"a"], [True]), ([b"a", b"b"], [1]), ([b"a", "b"], [True]), ([], [])],
    ids=["empty", "text", "cut short", "half a pair", "number", "text picture", "nothing"],
)
def test_anything_but_pictures_and_booleans_is_refused(tmp_path: Path, value: Any) -> None:
    path = written(tmp_path, value)
    with pytest.raises((UnsafePickle, Exception)) as refusal:
        read_bin(path)
    assert refusal.value.exit_status == 3


def test_labels_that_contradict_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidList, match=r"pair 2: contradicts .* pair 1"):
        read_bin(written(tmp_path, ([b"a", b"b", b"b", b"a"], LABELS)))


@given(st.binary(max_size=60))
def test_no_bytes_do_anything_but_load_or_be_refused(data: bytes) -> None:
    with contextlib.suppress(UnsafePickle):
        load_restricted(data, "set.bin")


@pytest.mark.real
def test_the_real_set_is_read(shared_data: Path) -> None:
    found = read_bin(shared_data / "lists/people_front_profile_112.bin")
    assert (len(found.crops), len(found.pairs.same), sum(found.pairs.same)) == (359, 800, 400)
    assert set(found.pairs.fold or ()) == set(range(1, 11))
