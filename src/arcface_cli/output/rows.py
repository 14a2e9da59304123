"""Record -> flat rows, one a face: what CSV and TSV write and what the table on a terminal shows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from arcface_cli.output.records import Record

BOX = ("x_min", "y_min", "x_max", "y_max")
LANDMARKS = tuple(
    f"{point}_{axis}"
    for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    for axis in ("x", "y")
)
"""Left and right as they are in the image."""
HEAD = ("input", "status", "code", "message")
FACE = (*BOX, "detection_score")
QUALITY = ("size", "sharpness", "yaw", "pitch", "roll", "dark", "bright")
FITNESS = (*QUALITY, "refused")
"""How good a face is for recognition, and why it isn't used, if it isn't."""
SOURCE = ("width", "height", "sha256", "input_b64")
MAKER = ("model", "detector", "canonical_fingerprint")
COLUMNS: dict[str, tuple[str, ...]] = {
    "align": (*HEAD, "face", *FACE, "crop", *FITNESS, "settings"),
    "embed": (*HEAD, "face", *FACE, *LANDMARKS, *SOURCE, *MAKER, *FITNESS, "settings"),
    "enroll": (*HEAD, "subject", "template", "face", *FACE, *FITNESS),
    "identify": (
        *(*HEAD, "face", *FACE, "decision", "subject", "similarity", "distance", "margin", "nearest"),
        *(*FITNESS, "settings"),
    ),
    "verify": (
        "input_a",
        "input_b",
        *HEAD[1:],
        "same_person",
        "similarity",
        "distance",
        "threshold",
        "settings",
    ),
}
"""Of CSV and TSV, by command; `embed` adds f0, f1, ... for the feature."""

SHOWN: dict[str, tuple[str, ...]] = {
    "align": ("input", "face", "detection_score", "crop"),
    "embed": ("input", "face", "detection_score", "dimension", "fingerprint"),
    "enroll": ("input", "subject", "template", "detection_score"),
    "identify": ("input", "face", "decision", "subject", "similarity", "distance", "margin", "nearest"),
    "verify": ("input_a", "input_b", "answer", "similarity", "distance", "threshold"),
}
"""Of the table, by command."""

_FROM_RECORD = (
    *("input", "input_b64", "status", "subject", "template"),
    *("dimension", "model", "fingerprint", "canonical_fingerprint"),
)
_OF_USED_FACES = frozenset({"template", "dimension", "fingerprint", "canonical_fingerprint"})

Row = dict[str, Any]


def rows_of(record: Record) -> list[Row]:
    """One row a face, those that were refused last; one row for an input without any.

    Missing cells are left out.
    """
    head: Row = {key: record[key] for key in _FROM_RECORD if key in record}
    if "image" in record:
        head |= record["image"]
    head |= {key: record["run"].get(key) for key in ("detector", "settings")}
    error = record.get("error")
    if error is not None:
        head |= {"code": error["code"], "message": error["message"]}
    if record["command"] == "verify":
        return [head | _pair(record)]
    faces: list[Record] = record.get("faces", [])
    rows = [head | _face(each, index) for index, each in enumerate(faces)]
    bare = {key: value for key, value in head.items() if key not in _OF_USED_FACES}
    rows += [bare | _refused(each, index) for index, each in enumerate(record.get("refused", ()), len(faces))]
    return rows or [head]


def feature_columns(dimension: int) -> list[str]:
    """f0 .. f511."""
    return [f"f{index}" for index in range(dimension)]


def columns_of(command: str, dimension: int | None) -> list[str]:
    """The columns of a command's CSV. dimension: of the feature, where it is written too."""
    return [*COLUMNS[command], *([] if dimension is None else feature_columns(dimension))]


def _face(face: Record, index: int) -> Row:
    plain = {key: value for key, value in face.items() if not isinstance(value, list | dict)}
    row: Row = {"face": index, **plain, **dict(zip(BOX, face["box"], strict=True))}
    row |= face.get("quality", {})
    row |= dict(zip(LANDMARKS, chain.from_iterable(face.get("landmarks", ())), strict=False))
    if face.get("candidates"):
        row["nearest"] = face["candidates"][0]["subject"]
    if isinstance(face.get("feature"), list):
        row |= dict(zip(feature_columns(len(face["feature"])), face["feature"], strict=True))
    return row


def _refused(face: Record, index: int) -> Row:
    """A face that isn't used: status, code and message stay those of the input."""
    told = {key: value for key, value in face.items() if key not in ("code", "message", "hint")}
    return _face(told, index) | {"refused": face["code"]}


def _pair(record: Record) -> Row:
    inputs: Sequence[str] = record["inputs"]
    row: Row = {"input_a": inputs[0], "input_b": inputs[1], "threshold": record["threshold"]["value"]}
    for key in ("same_person", "similarity", "distance"):
        if key in record:
            row[key] = record[key]
    if "same_person" in row:
        row["answer"] = "same person" if row["same_person"] else "different persons"
    return row
