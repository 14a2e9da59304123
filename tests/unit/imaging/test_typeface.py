"""Names in any script: each letter by a font that has it, an escape where none has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, features

from arcface_cli.imaging.typeface import FontFile, Typeface, font_files

SHAPES = bool(features.check("raqm"))


def bare() -> Typeface:
    """Pillow's own font alone: a machine without any other."""
    return Typeface(iter(()), shapes=SHAPES)


def text_of(typeface: Typeface, text: str) -> str:
    return "".join(run.text for run in typeface.runs(text))


def test_latin_letters_need_no_font_of_the_system() -> None:
    typeface = bare()
    assert text_of(typeface, "Zoe Smith 0.71") == "Zoe Smith 0.71"
    assert not typeface.missing


def test_a_letter_without_a_font_is_drawn_as_its_escape_and_remembered() -> None:
    typeface = bare()
    assert text_of(typeface, "王 x") == "\\u738b x"
    assert text_of(typeface, "\U0001f9d1") == "\\U0001f9d1"
    assert typeface.missing == {"王", "\U0001f9d1"}


def test_letters_that_cant_be_joined_are_escaped_rather_than_drawn_backwards() -> None:
    typeface = Typeface(font_files(), shapes=False)
    assert text_of(typeface, "محمد") == "\\u0645\\u062d\\u0645\\u062f"


def test_a_file_that_is_no_font_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.ttf").write_bytes(b"no font at all")
    missing = tmp_path / "missing.ttf"
    typeface = Typeface(iter([tmp_path / "a.ttf", missing]))
    assert text_of(typeface, "Ada") == "Ada"
    assert not FontFile(missing).has("A")


def test_marks_and_joiners_stay_with_the_letter_before_them() -> None:
    typeface = bare()
    assert len(typeface.runs("e\u0301a\u200db")) == 1


def test_a_line_that_is_too_wide_loses_its_end() -> None:
    typeface = bare()
    whole = "a name that is far too long"
    cut = typeface.fitted(whole, 20, 120)
    assert cut.endswith("\u2026")
    assert whole.startswith(cut[:-1])
    assert typeface.width(cut, 20) <= 120
    assert typeface.fitted("Ada", 20, 120) == "Ada"


@pytest.mark.skipif(not SHAPES, reason="this Pillow doesn't shape text")
def test_joined_letters_of_one_name_go_to_one_font() -> None:
    typeface = Typeface()
    runs = typeface.runs("محمد بن سلمان")
    if typeface.missing:
        pytest.skip("no font here has Arabic letters")
    assert len(runs) == 1


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.integers(8, 60))
def test_any_text_can_be_measured_and_drawn(text: str, size: int) -> None:
    typeface = bare()
    canvas = Image.new("RGB", (200, 80))
    typeface.draw(ImageDraw.Draw(canvas), (5, 60), text, size, (255, 255, 255))
    assert typeface.width(text, size) >= 0


def test_what_is_drawn_reaches_as_far_as_was_measured() -> None:
    typeface = bare()
    canvas = Image.new("L", (400, 60))
    ImageDraw.Draw(canvas)
    rgb = Image.new("RGB", (400, 60))
    typeface.draw(ImageDraw.Draw(rgb), (10, 40), "Ada Lovelace", 24, (255, 255, 255))
    lit = np.flatnonzero(np.asarray(rgb).max(axis=(0, 2)))
    assert lit.max() - 10 == pytest.approx(typeface.width("Ada Lovelace", 24), abs=4)
