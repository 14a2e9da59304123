"""Files of features, as `arcface embed -o` writes them, read back: every row checked before it is believed.

A row that can't be used is an error that names it, in its place; a file that can't be used as a whole
(truncated, pickled, of two halves that don't belong together) is refused before its first row is told.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import (
    ArcfaceError,
    GalleryModelMismatch,
    NoInputs,
    NotEmbedded,
    UnreadableFeatures,
    UnusableFeature,
    UsageError,
)
from arcface_cli.faces import (
    UNIT_NORM_TOLERANCE,
    BoundingBox,
    DetectedFace,
    FivePoints,
    ModelFingerprint,
)
from arcface_cli.inputs.names import name_refused, printable, subject_name
from arcface_cli.inputs.photo import Photo, opening_failed

Fields = Mapping[str, Any]
"""What a row says, under the names that records use, unchecked."""

FieldsOrError = Fields | ArcfaceError
Rows = Iterator[tuple[str, FieldsOrError]]
"""(where, what): where names file and row for people."""

_MadeBy = tuple[str, str] | None
"""Canonical fingerprint and detector."""

LONGEST_NAME = 1 << 16
"""Characters of an input's name: PATH_MAX with every byte escaped, four times over."""

_MOST_PIXELS = 1 << 31
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CANONICAL = re.compile(
    r"sha256=([0-9a-f]{64}) preprocessing=(\S{1,200}) alignment=(\S{1,200}) "
    r"dimension=([0-9]{1,5}) flip=([01])"
)


@dataclass(frozen=True, slots=True, eq=False)
class StoredFace:
    """A face with its feature. where: file and row, for people.

    photo: where it was seen; its subject is what the row says, or else the name of its folder
    (`told`: the row says it), its failure why nobody can be called so.  feature: (D,) float32 of unit length.
    sha256: of the photograph.
    """

    where: str
    photo: Photo
    told: bool
    face: DetectedFace
    feature: NDArray[np.float32]
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class UnusableRow:
    """A row that can't be used, and why."""

    photo: Photo
    error: ArcfaceError


StoredRow = StoredFace | UnusableRow


@dataclass(frozen=True, slots=True, eq=False)
class StoredFeatures:
    """A file of features: what made them, and its rows, which can be gone through once.

    fingerprint None: it holds no feature that can be used.
    """

    fingerprint: ModelFingerprint | None
    model: str | None
    detector: str
    rows: Iterator[StoredRow]


def stored_features(path: Path, stdin: BinaryIO | None = None) -> StoredFeatures:
    """Open what `arcface embed -o` wrote: .npz, .npy and its manifest, .parquet, .jsonl, .json, .csv or .tsv.

    stdin: what "-" stands for: JSON Lines, or JSON arrays. Rows come lazily. Raises UsageError for another
    suffix, NoInputs where there is no row, UnreadableFeatures for a file that is refused as a whole,
    PackageMissing for Parquet without pyarrow, and what opening a file raises. While going through the
    rows: GalleryModelMismatch for a row that another model or detector made.
    """
    shown = printable(str(path))
    try:
        rows = _rows_of(path, shown, stdin)
        leading, first = _until_first_face(rows)
    except OSError as error:
        raise opening_failed(error, os.fsencode(path), shown) from error
    if first is None and not leading:
        raise NoInputs(f"{shown} holds no record of arcface embed", hint="embed photographs into it first")
    if first is None:
        return StoredFeatures(None, None, "", _checked(iter(leading), path, None))
    where, fields = first
    canonical, detector = _text(fields, "canonical_fingerprint", where), _text(fields, "detector", where)
    model = fields.get("model")
    return StoredFeatures(
        _fingerprint(canonical, where),
        model if isinstance(model, str) and 0 < len(model) <= 200 else None,
        detector,
        _checked(chain(leading, rows), path, (canonical, detector)),
    )


def _rows_of(path: Path, shown: str, stdin: BinaryIO | None) -> Rows:
    if stdin is not None and str(path) == "-":
        from arcface_cli.inputs.stored_rows import streamed_rows

        return streamed_rows(stdin, "standard input")
    reader = _reader_of(path, shown)
    with path.open("rb"):
        return reader(path, shown)


def _reader_of(path: Path, shown: str) -> Callable[[Path, str], Rows]:
    suffix = path.suffix.lower()
    if suffix in (".npz", ".npy"):
        from arcface_cli.inputs import stored_arrays

        return stored_arrays.npz_rows if suffix == ".npz" else stored_arrays.npy_rows
    from arcface_cli.inputs import stored_rows

    if suffix in (".parquet", ".pq"):
        return stored_rows.parquet_rows
    if suffix in (".jsonl", ".ndjson", ".json"):
        return stored_rows.json_rows
    if suffix in (".csv", ".tsv"):
        return stored_rows.separated_rows
    raise UsageError(
        f"{shown} is no file of features that arcface reads",
        hint="write one with: arcface embed -o features.npz (or .npy, .parquet, .jsonl, .json, .csv, .tsv)",
    )


def _until_first_face(rows: Rows) -> tuple[list[tuple[str, FieldsOrError]], tuple[str, Fields] | None]:
    """The rows up to the first that claims a feature; a file that begins with thousands of others is rare."""
    leading: list[tuple[str, FieldsOrError]] = []
    for where, fields in rows:
        leading.append((where, fields))
        if not isinstance(fields, ArcfaceError) and "feature" in fields:
            return leading, (where, fields)
    return leading, None


def _checked(rows: Rows, path: Path, made_by: _MadeBy) -> Iterator[StoredRow]:
    try:
        for where, fields in rows:
            yield _row(where, fields, made_by)
    except OSError as error:
        raise opening_failed(error, os.fsencode(path), printable(str(path))) from error


def _row(where: str, fields: FieldsOrError, made_by: _MadeBy) -> StoredRow:
    photo = Photo(None)
    try:
        if isinstance(fields, ArcfaceError):
            raise fields
        photo = _photo(fields, where)
        if "feature" not in fields:
            raise NotEmbedded(f"{photo.display}: {where} holds no feature ({_code(fields)})")
        return _stored_face(fields, where, photo, made_by)
    except GalleryModelMismatch:
        raise
    except ArcfaceError as error:
        return UnusableRow(photo, error)


def _stored_face(fields: Fields, where: str, photo: Photo, made_by: _MadeBy) -> StoredFace:
    canonical = _text(fields, "canonical_fingerprint", where)
    if (canonical, _text(fields, "detector", where)) != made_by:
        raise GalleryModelMismatch(
            f"{where}: another model or detector made this feature than the ones before it",
            hint="keep the features of each model in a file of their own",
        )
    digest = _text(fields, "sha256", where)
    if not _SHA256.fullmatch(digest):
        raise UnreadableFeatures(f"{where}: sha256 is no SHA-256: 64 hexadecimal digits")
    return StoredFace(
        where,
        photo,
        bool(fields.get("subject")),
        _face(fields, where),
        _feature(fields["feature"], _fingerprint(canonical, where).dimension, where),
        digest,
        _whole(fields, "width", where),
        _whole(fields, "height", where),
    )


def _feature(values: object, dimension: int, where: str) -> NDArray[np.float32]:
    """A (D,) float32 copy. Raises UnusableFeature for NaN, a wrong dimension, or another length than 1."""
    wide = _numbers(values, where, "feature")
    if wide.shape != (dimension,):
        raise UnusableFeature(
            f"{where}: the feature has shape {wide.shape}, where ({dimension},) is promised", hint=_AGAIN
        )
    if not np.isfinite(wide).all():
        raise UnusableFeature(f"{where}: the feature holds a value that is no number", hint=_AGAIN)
    norm = float(np.sqrt(np.square(np.clip(wide, -1e9, 1e9)).sum()))
    if abs(norm - 1.0) > UNIT_NORM_TOLERANCE:
        raise UnusableFeature(
            f"{where}: the feature has length {norm:.6g}, where unit length is meant", hint=_AGAIN
        )
    return wide.astype(np.float32)


def _face(fields: Fields, where: str) -> DetectedFace:
    box = _numbers(fields.get("box"), where, "box")
    points = _numbers(fields.get("landmarks"), where, "landmarks")
    score = _numbers(fields.get("detection_score"), where, "detection_score")
    number = _whole({"face": fields.get("face", 0)}, "face", where, least=0)
    if box.shape != (4,) or score.shape != ():
        raise UnreadableFeatures(f"{where}: a box needs 4 numbers and a detection score is one")
    with np.errstate(over="ignore"):
        narrow = points.astype(np.float32)
    try:
        return DetectedFace(BoundingBox(*box.tolist()), FivePoints(narrow), float(score), number)
    except ValueError as error:
        raise UnreadableFeatures(f"{where}: {error}") from error


def _numbers(values: object, where: str, what: str) -> NDArray[np.float64]:
    """Numbers of any shape as float64; text that looks like a number is none."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise ValueError("not numbers")
        return np.asarray(array, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UnreadableFeatures(f"{where}: {what} is missing, or holds more than numbers") from error


def _whole(fields: Fields, name: str, where: str, least: int = 1) -> int:
    value = fields.get(name)
    if isinstance(value, np.integer):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < _MOST_PIXELS:
        raise UnreadableFeatures(f"{where}: {name} is missing or no whole number")
    return value


def _text(fields: Fields, name: str, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or len(value) > LONGEST_NAME:
        raise UnreadableFeatures(f"{where}: {name} is missing or no text")
    return value


def _photo(fields: Fields, where: str) -> Photo:
    """The photograph that a row is about, with the subject that the row or the folder names."""
    name = _text(fields, "input", where)
    try:
        encoded = fields.get("input_b64")
        if isinstance(encoded, str) and encoded:
            name = os.fsdecode(base64.b64decode(encoded[: 2 * LONGEST_NAME], validate=True))
        os.fsencode(name)
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise UnreadableFeatures(f"{where}: input is no name of a file") from error
    told = fields.get("subject")
    if told is not None and not isinstance(told, str):
        raise UnreadableFeatures(f"{where}: subject is no text")
    folder = "" if name == "-" else Path(name).parent.name
    subject = (told or folder)[:LONGEST_NAME]
    path = None if name == "-" else Path(name)
    return Photo(path, subject=subject_name(subject) or None, failure=name_refused(subject))


def _code(fields: Fields) -> str:
    code = fields.get("code")
    return printable(code[:100]) if isinstance(code, str) and code else "no reason is given"


def _fingerprint(canonical: str, where: str) -> ModelFingerprint:
    match = _CANONICAL.fullmatch(canonical)
    if match is None or int(match[4]) < 1:
        raise UnreadableFeatures(f"{where}: canonical_fingerprint is none that arcface writes")
    return ModelFingerprint(match[1], match[2], match[3], int(match[4]), match[5] == "1")


_AGAIN = "embed the photograph again"
