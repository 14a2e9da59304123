"""Pictures that people look at: photographs with their answers, and contact sheets of crops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from arcface_cli.decision import Decision, Verdict
from arcface_cli.errors import OutputError, UsageError
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.draw import Captioned, Mark, Tone, annotate, contact_sheet
from arcface_cli.imaging.geometry import encode_jpeg, encode_png
from arcface_cli.imaging.typeface import Typeface
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.crops import file_stem
from arcface_cli.output.files import make_folder, require_replaceable, write_picture
from arcface_cli.results import IdentifiedPhoto

JPEG_QUALITY = 90

TONES = {Verdict.MATCH: Tone.MATCH, Verdict.UNKNOWN: Tone.UNKNOWN, Verdict.AMBIGUOUS: Tone.AMBIGUOUS}

REFUSALS = {
    "face_blurred": "blurred",
    "face_turned": "turned aside",
    "face_underexposed": "too dark",
    "face_overexposed": "overexposed",
    "face_too_small": "too small",
    "detection_score_low": "doubtful",
    "degenerate_landmarks": "no landmarks",
}
"""What the label of a refused face says, by reason code."""


class AnnotatedFolder:
    """Photographs with boxes, names, similarities and decisions: JPEG files, named after the photographs.

    A file is called NAME-HASH.jpg, as the crops of `align` are: two photographs may have one name. The
    same run writes the same names again.
    """

    def __init__(self, folder: Path, typeface: Typeface) -> None:
        make_folder(folder)
        self._folder = folder
        self._typeface = typeface

    def draw(self, photo: Photo, answer: IdentifiedPhoto) -> Path:
        """Draw one answer. Raises OutputError when it can't be written."""
        content = answer.photo.content
        if content is None:
            raise ValueError("drawing needs the photograph's content: run the pipeline with keep_content")
        path = self._folder / f"{file_stem(photo)}.jpg"
        try:
            image = decode(content, name=photo.display)
            data = encode_jpeg(annotate(image, marks_of(answer), self._typeface), JPEG_QUALITY)
        except MemoryError as error:
            raise OutputError(
                f"{printable(str(path))} can't be drawn: not enough memory", hint="use a smaller photograph"
            ) from error
        write_picture(path, data)
        return path


def marks_of(answer: IdentifiedPhoto) -> list[Mark]:
    """A mark for each face: what was decided, or why it was refused."""
    decided = [
        Mark(face.box, label_of(decision), TONES[decision.verdict])
        for face, decision in zip(answer.photo.faces, answer.decisions, strict=True)
    ]
    refused = [
        Mark(each.face.box, (REFUSALS.get(each.reason.code, each.reason.code),), Tone.REFUSED)
        for each in answer.photo.refused
    ]
    return [*refused, *decided]


def label_of(decision: Decision) -> tuple[str, ...]:
    """The lines of a face's label: who, then the decision in a word with the best similarity."""
    similarity = "" if decision.similarity is None else f" {round(decision.similarity, 2) + 0.0:.2f}"
    verdict = f"{decision.verdict.value}{similarity}"
    names = [printable(each.subject) for each in decision.candidates]
    match decision.verdict:
        case Verdict.MATCH:
            return (names[0], verdict)
        case Verdict.AMBIGUOUS:
            return (names[0], *(f"or {name}" for name in names[1:2]), verdict)
        case Verdict.UNKNOWN:
            return (verdict,)


SHEET_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
COLUMNS, ROWS = 12, 10


class ContactSheets:
    """Crops with captions, in pages of 120. One page is FILE; more are FILE-001, FILE-002 and so on.

    Only one page is held in memory. A page appears when it is full, the last one when the run ends well.
    """

    def __init__(self, path: Path, typeface: Typeface) -> None:
        if path.suffix.lower() not in SHEET_SUFFIXES:
            raise UsageError(
                f"--sheet {printable(str(path))}: a contact sheet is a PNG or JPEG file",
                hint="give it a name that ends in .png or .jpg",
            )
        self._path = path
        self._typeface = typeface
        self._cells: list[Captioned] = []
        self._pages = 0
        self.files: list[Path] = []

    def __enter__(self) -> ContactSheets:
        make_folder(self._path.parent)
        require_replaceable(self._path, picture=True)  # before hours of work, not after them
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._cells:
            self._write(self._path if self._pages == 0 else self._numbered())

    def add(self, photo: Photo, crops: NDArray[np.uint8]) -> None:
        """Take the crops (B, 112, 112, 3) uint8 BGR of one photograph. Raises OutputError."""
        for crop, lines in zip(crops, _captions(photo, len(crops)), strict=True):
            if len(self._cells) == COLUMNS * ROWS:
                self._write(self._numbered())
            self._cells.append(Captioned(crop.copy(), lines))

    def _numbered(self) -> Path:
        self._pages += 1
        return self._path.with_stem(f"{self._path.stem}-{self._pages:03}")

    def _write(self, path: Path) -> None:
        sheet = contact_sheet(self._cells, COLUMNS, self._typeface)
        png = path.suffix.lower() == ".png"
        write_picture(path, encode_png(sheet) if png else encode_jpeg(sheet, JPEG_QUALITY))
        self.files.append(path)
        self._cells = []


def _captions(photo: Photo, count: int) -> Iterator[tuple[str, ...]]:
    """File name (and which face of several), then the folder: in a folder of people, the subject."""
    name = "stdin" if photo.path is None else printable(photo.path.name)
    folder = "" if photo.path is None else printable(photo.path.parent.name)
    for index in range(count):
        yield (name if count == 1 else f"{name} #{index + 1}", *([folder] if folder else []))
