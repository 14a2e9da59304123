"""Boxes and labels on photographs of any size, crops on sheets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.faces import BoundingBox
from arcface_cli.imaging.draw import (
    MOST_ENLARGED,
    SMALL_SIDE,
    Captioned,
    Mark,
    Tone,
    annotate,
    contact_sheet,
)
from arcface_cli.imaging.typeface import Typeface

TYPEFACE = Typeface(iter(()))


def grey(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def painted(picture: NDArray[np.uint8], tone: Tone) -> NDArray[np.bool_]:
    """Which pixels have the tone's colour."""
    colour: NDArray[np.bool_] = (picture == np.array(tone.colour[::-1], np.uint8)).all(axis=2)
    return colour


def mark(x: float, y: float, side: float, *lines: str, tone: Tone = Tone.MATCH) -> Mark:
    return Mark(BoundingBox(x, y, x + side, y + side), lines, tone)


def test_a_photograph_without_marks_stays_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (500, 600, 3), dtype=np.uint8)
    assert np.array_equal(annotate(image, [], TYPEFACE), image)


def test_the_image_that_was_given_is_left_alone() -> None:
    image = grey(600, 500)
    annotate(image, [mark(100, 100, 100, "Ada")], TYPEFACE)
    assert (image == 128).all()


def test_a_box_lies_where_the_face_is_and_the_face_is_not_painted_over() -> None:
    drawn = annotate(grey(800, 600), [mark(300, 250, 120, "Ada", "match 0.71")], TYPEFACE)
    assert painted(drawn, Tone.MATCH)[300, 300]
    assert (drawn[262:358, 312:408] == 128).all()


def test_every_verdict_has_a_colour_of_its_own_and_readable_ink() -> None:
    colours = [np.array(tone.colour) for tone in Tone]
    for tone in Tone:
        assert sum((np.array(tone.colour) == other).all() for other in colours) == 1
        assert contrast(tone.colour, tone.ink) >= 4.5, tone


def contrast(first: tuple[int, int, int], second: tuple[int, int, int]) -> float:
    """WCAG 2.1's contrast ratio."""

    def luminance(colour: tuple[int, int, int]) -> float:
        values = [value / 255 for value in colour]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted([luminance(first), luminance(second)], reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("width", "height"), [(112, 112), (16, 40), (300, 200)])
def test_a_small_photograph_is_enlarged_so_that_words_have_room(width: int, height: int) -> None:
    drawn = annotate(grey(width, height), [mark(2, 2, 12, "A name")], TYPEFACE)
    factor = drawn.shape[1] / width
    assert 1 < factor <= MOST_ENLARGED
    assert drawn.shape == (height * factor, width * factor, 3)


def test_labels_grow_with_the_photograph() -> None:
    shares = []
    for side in (SMALL_SIDE, 1000, 4000):
        drawn = annotate(grey(side, side), [mark(side / 3, side / 3, side / 5, "Ada")], TYPEFACE)
        shares.append(painted(drawn, Tone.MATCH).mean())
    assert max(shares) < 3 * min(shares)


def test_a_label_covers_neither_its_face_nor_its_neighbours_where_there_is_room() -> None:
    marks = [mark(x, y, 100, "Somebody", "match 0.71") for y in (200, 500) for x in (100, 320, 540)]
    drawn = annotate(grey(800, 800), marks, TYPEFACE)
    for each in marks:
        x, y = int(each.box.x_min), int(each.box.y_min)
        assert (drawn[y + 8 : y + 92, x + 8 : x + 92] == 128).all()


PLACES = st.floats(-300, 900)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(16, 700),
    st.integers(16, 700),
    st.lists(
        st.tuples(PLACES, PLACES, st.floats(0, 900), st.text(max_size=30), st.sampled_from(Tone)),
        max_size=6,
    ),
)
def test_any_boxes_and_words_can_be_drawn_on_any_picture(
    width: int, height: int, places: list[tuple[float, float, float, str, Tone]]
) -> None:
    marks = [mark(x, y, side, words, "match 0.71", tone=tone) for x, y, side, words, tone in places]
    drawn = annotate(grey(width, height), marks, TYPEFACE)
    assert drawn.dtype == np.uint8
    assert drawn.shape[1] % width == 0
    assert drawn.flags.c_contiguous


# --- contact sheets -------------------------------------------------------------------------------


def crop(value: int) -> NDArray[np.uint8]:
    return np.full((112, 112, 3), value, np.uint8)


def test_a_sheet_shows_every_crop_pixel_by_pixel_in_rows() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (5, 112, 112, 3), dtype=np.uint8)
    sheet = contact_sheet([Captioned(each, ("a.jpg", "ada")) for each in noise], 3, TYPEFACE)
    width, height = sheet.shape[1] // 3, sheet.shape[0] // 2
    for index, each in enumerate(noise):
        x, y = index % 3 * width + 8, index // 3 * height + 8
        assert np.array_equal(sheet[y : y + 112, x : x + 112], each)


def test_a_sheet_is_no_wider_than_its_crops() -> None:
    assert contact_sheet([Captioned(crop(9), ())], 12, TYPEFACE).shape[1] == 128


def test_captions_stand_under_their_crop_and_never_run_into_the_next() -> None:
    long = "a name of a file that is far too long for its place.jpg"
    sheet = contact_sheet([Captioned(crop(0), (long, "folder")), Captioned(crop(0), ())], 2, TYPEFACE)
    under = sheet[8 + 112 :]
    assert (under[:, :128] > 200).any()
    assert not (under[:, 130:] > 100).any()
