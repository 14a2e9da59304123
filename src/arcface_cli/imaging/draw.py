"""Pictures for people: boxes with labels on a photograph, crops with captions on a sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from arcface_cli.faces import CROP_SIDE, BoundingBox
from arcface_cli.imaging.typeface import Typeface

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


class Tone(Enum):
    """What a mark says: colour, and colour of the words on it.

    Told apart with any colour vision (after Okabe and Ito, "Color universal design", 2008: bluish green
    and orange differ in lightness too), and the words say the same.
    """

    MATCH = ((0, 122, 90), WHITE)
    AMBIGUOUS = ((240, 165, 0), BLACK)
    UNKNOWN = ((96, 96, 96), WHITE)
    REFUSED = ((165, 165, 165), BLACK)

    @property
    def colour(self) -> Colour:
        """Of the box and its label."""
        return self.value[0]

    @property
    def ink(self) -> Colour:
        """Of the words."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Mark:
    """A box in pixels of the photograph, and the lines of its label (none: no label)."""

    box: BoundingBox
    lines: tuple[str, ...]
    tone: Tone


SMALL_SIDE, MOST_ENLARGED = 480, 4
"""A photograph whose longer side is under this is enlarged, so that there is room for words."""

LONGEST_SIDE = 65_000
"""What JPEG can hold, nearly; a longer photograph is scaled down."""

TEXT_PER_SIDE, TEXT_PER_FACE, LARGEST_TEXT_PER_SIDE, LEAST_TEXT = 1 / 90, 0.16, 1 / 32, 12
"""Height of the words: a share of a face's width, within shares of the picture's longer side (pixels)."""

CROWDED = 0.75
"""Words may shrink this much where they would cover other faces or labels."""

WIDEST_LABEL = 16
"""Width of a label in heights of its words, unless the face is wider: what is longer loses its end."""

LINES_PER_SIDE, LEAST_LINE = 1 / 400, 3


def annotate(image: NDArray[np.uint8], marks: Sequence[Mark], typeface: Typeface) -> NDArray[np.uint8]:
    """The photograph with its marks; words keep a readable size in relation to the whole.

    image: (H, W, 3) uint8 BGR. Returns uint8 BGR, of the same size except for very small or long ones.
    """
    scale = _drawing_scale(image.shape[1], image.shape[0])
    canvas = _canvas(image, scale)
    pen = ImageDraw.Draw(canvas)
    boxes = [_scaled(mark.box, scale) for mark in marks]
    width = max(LEAST_LINE, round(max(canvas.size) * LINES_PER_SIDE))
    for mark, box in zip(marks, boxes, strict=True):
        _outline(pen, box, mark.tone, width)
    taken: list[Area] = []
    for row in sorted(range(len(marks)), key=lambda row: -boxes[row].area):
        if marks[row].lines:
            others = [_area(box) for other, box in enumerate(boxes) if other != row]
            label, place = _fitting(marks[row], boxes[row], (others, taken), canvas.size, typeface)
            taken.append(place)
            _write(pen, label, place, marks[row].tone, typeface)
    return _bgr(canvas)


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in pixels of the drawing."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Area) -> float:
        """Square pixels that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)


Occupied = tuple[Sequence[Area], Sequence[Area]]
"""Other faces, and the labels that stand already."""


@dataclass(frozen=True, slots=True)
class _Label:
    lines: tuple[str, ...]
    size: int
    padding: int
    width: float
    height: float


def _drawing_scale(width: int, height: int) -> float:
    longest = max(width, height)
    if longest < SMALL_SIDE:
        return min(MOST_ENLARGED, math.ceil(SMALL_SIDE / longest))
    return min(1.0, LONGEST_SIDE / longest)


def _canvas(image: NDArray[np.uint8], scale: float) -> Image.Image:
    rgb = image[:, :, ::-1]
    if scale != 1.0:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        method = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        resized = cv2.resize(np.ascontiguousarray(rgb), size, interpolation=method)
        rgb = np.asarray(resized, dtype=np.uint8)
    return Image.fromarray(np.ascontiguousarray(rgb))


def _bgr(canvas: Image.Image) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(canvas)[:, :, ::-1])


def _scaled(box: BoundingBox, scale: float) -> BoundingBox:
    return BoundingBox(*(value * scale for value in box.as_tuple()))


def _area(box: BoundingBox) -> Area:
    return Area(*box.as_tuple())


def _outline(pen: ImageDraw.ImageDraw, box: BoundingBox, tone: Tone, width: int) -> None:
    """A box with a dark rim, so that it shows on any ground; thin for a face that isn't used."""
    inner = max(1, width // 2) if tone is Tone.REFUSED else width
    rim = max(1, inner // 3)
    x_min, y_min, x_max, y_max = (round(value) for value in box.as_tuple())
    pen.rectangle((x_min - rim, y_min - rim, x_max + rim, y_max + rim), outline=BLACK, width=inner + 2 * rim)
    pen.rectangle((x_min, y_min, x_max, y_max), outline=tone.colour, width=inner)


def _fitting(
    mark: Mark, box: BoundingBox, occupied: Occupied, size: tuple[int, int], typeface: Typeface
) -> tuple[_Label, Area]:
    """The label where it covers no other face or label, its words smaller if need be; else where it covers
    least."""
    for shrunk in (1.0, CROWDED):
        label = _lettered(mark, box, size, typeface, shrunk)
        place = _place(label, box, occupied, size)
        if not any(place.overlap(other) for other in chain(*occupied)):
            break
    return label, place


def _lettered(
    mark: Mark, box: BoundingBox, size: tuple[int, int], typeface: Typeface, shrunk: float
) -> _Label:
    """The label's size: by the face, within what is readable and decent for the whole picture."""
    longest = max(size)
    least = max(LEAST_TEXT, longest * TEXT_PER_SIDE)
    wished = min(max(box.width * TEXT_PER_FACE, least), max(least, longest * LARGEST_TEXT_PER_SIDE))
    text = max(LEAST_TEXT - 2, round(wished * shrunk * (0.85 if mark.tone is Tone.REFUSED else 1.0)))
    padding = max(2, text // 4)
    most = min(max(text * WIDEST_LABEL, box.width), size[0]) - 2 * padding
    lines = tuple(typeface.fitted(line, text, most) for line in mark.lines)
    above, below = typeface.line_height(text)
    width = max(typeface.width(line, text) for line in lines) + 2 * padding
    return _Label(lines, text, padding, width, len(lines) * (above + below) + padding)


def _place(label: _Label, box: BoundingBox, occupied: Occupied, size: tuple[int, int]) -> Area:
    """Where a label covers least: of other labels above all, then of other faces, then of its own."""
    own, (faces, labels) = _area(box), occupied
    places = [_within(place, size) for place in _around(label, box)]

    def cost(row: int) -> float:
        place = places[row]
        bias = 0.01 * row * label.width * label.height
        on_labels = sum(place.overlap(other) for other in labels)
        on_faces = sum(place.overlap(other) for other in faces)
        return 6 * on_labels + 3 * on_faces + place.overlap(own) + bias

    return places[min(range(len(places)), key=cost)]


def _around(label: _Label, box: BoundingBox) -> list[Area]:
    """Places beside a box, the usual ones first, and in its corners last."""
    width, height = label.width, label.height
    middle = (box.x_min + box.x_max - width) / 2
    corners = [
        (box.x_min, box.y_min - height),
        (middle, box.y_min - height),
        (box.x_max - width, box.y_min - height),
        (box.x_min, box.y_max),
        (middle, box.y_max),
        (box.x_max - width, box.y_max),
        (box.x_max, box.y_min),
        (box.x_min - width, box.y_min),
        (box.x_max, box.y_max - height),
        (box.x_min - width, box.y_max - height),
        (box.x_min, box.y_max - height),
        (box.x_min, box.y_min),
    ]
    return [Area(x, y, x + width, y + height) for x, y in corners]


def _within(place: Area, size: tuple[int, int]) -> Area:
    """The place pushed into the picture."""
    width, height = place.right - place.left, place.bottom - place.top
    left = max(0.0, min(place.left, size[0] - width))
    top = max(0.0, min(place.top, size[1] - height))
    return Area(left, top, left + width, top + height)


def _write(pen: ImageDraw.ImageDraw, label: _Label, place: Area, tone: Tone, typeface: Typeface) -> None:
    pen.rectangle(
        (round(place.left), round(place.top), round(place.right), round(place.bottom)), fill=tone.colour
    )
    above, below = typeface.line_height(label.size)
    for row, line in enumerate(label.lines):
        base = place.top + label.padding / 2 + row * (above + below) + above
        typeface.draw(pen, (place.left + label.padding, base), line, label.size, tone.ink)


# --- contact sheets ---------------------------------------------------------------------------------

CELL_MARGIN, CAPTION_SIZE = 8, 12
GROUND: Colour = (24, 24, 24)
CAPTION_INKS: tuple[Colour, ...] = ((235, 235, 235), (165, 165, 165))


@dataclass(frozen=True, slots=True)
class Captioned:
    """A crop (112, 112, 3) uint8 BGR and the lines under it, two at most."""

    crop: NDArray[np.uint8]
    lines: tuple[str, ...]


def contact_sheet(cells: Sequence[Captioned], columns: int, typeface: Typeface) -> NDArray[np.uint8]:
    """The crops in rows of `columns`, each with its caption: uint8 BGR. At least one cell is needed."""
    above, below = typeface.line_height(CAPTION_SIZE)
    line = above + below
    cell_width = CROP_SIDE + 2 * CELL_MARGIN
    cell_height = CROP_SIDE + 2 * CELL_MARGIN + len(CAPTION_INKS) * line
    across = min(columns, len(cells))
    down = -(-len(cells) // across)
    sheet = Image.new("RGB", (across * cell_width, down * cell_height), GROUND)
    pen = ImageDraw.Draw(sheet)
    for index, cell in enumerate(cells):
        x = index % across * cell_width + CELL_MARGIN
        y = index // across * cell_height + CELL_MARGIN
        sheet.paste(Image.fromarray(np.ascontiguousarray(cell.crop[:, :, ::-1])), (x, y))
        for row, (text, ink) in enumerate(zip(cell.lines, CAPTION_INKS, strict=False)):
            shown = typeface.fitted(text, CAPTION_SIZE, CROP_SIDE + CELL_MARGIN)
            typeface.draw(pen, (x, y + CROP_SIDE + row * line + above), shown, CAPTION_SIZE, ink)
    return _bgr(sheet)
