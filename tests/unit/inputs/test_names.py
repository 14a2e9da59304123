from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.inputs.names import folder_subject, name_refused, natural_key, printable, subject_name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"a.jpg", "a.jpg"),
        (b"caf\xe9.jpg", r"caf\xe9.jpg"),
        (b"two\nlines", r"two\nlines"),
        (b"\x1b[31mred", r"\x1b[31mred"),
        ("\u202egpj.exe".encode(), r"\u202egpj.exe"),
        ("Zoë 小林 👩‍🚀".encode(), "Zoë 小林 👩‍🚀"),
        ("line\u2028break".encode(), r"line\u2028break"),
    ],
)
def test_a_name_is_shown_on_one_line_without_anything_a_terminal_obeys(raw: bytes, shown: str) -> None:
    assert printable(os.fsdecode(raw)) == shown


@given(st.binary(max_size=60))
def test_any_bytes_become_text_that_can_be_encoded_and_holds_no_control_character(raw: bytes) -> None:
    shown = printable(os.fsdecode(raw))
    shown.encode("utf-8")
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in shown)


@given(st.text(max_size=12))
def test_nobody_is_called_what_only_escapes_can_show(name: str) -> None:
    assert (name_refused(name) is None) == (printable(name) == name)


def test_one_name_typed_on_two_systems_is_one_subject() -> None:
    composed, decomposed = "Jos\u00e9", "Jose\u0301"
    assert subject_name(composed) == subject_name(decomposed) == composed


def test_the_current_folder_gives_its_real_name_to_its_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alice").mkdir()
    monkeypatch.chdir(tmp_path / "alice")
    assert folder_subject(".") == "alice"
    assert folder_subject("..") == tmp_path.name


def test_the_root_folder_names_nobody() -> None:
    assert folder_subject("/") is None


def test_numbers_sort_by_value_and_capitals_beside_small_letters() -> None:
    names = ["b10.jpg", "B9.jpg", "b2.jpg", "a.jpg", "b002.jpg", "b.jpg"]
    assert sorted(names, key=natural_key) == ["a.jpg", "b.jpg", "b002.jpg", "b2.jpg", "B9.jpg", "b10.jpg"]


@given(st.lists(st.text(max_size=12), unique=True), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_arrival(names: list[str], random: Random) -> None:
    shuffled = random.sample(names, len(names))
    assert sorted(names, key=natural_key) == sorted(shuffled, key=natural_key)
