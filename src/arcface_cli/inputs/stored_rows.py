"""Rows of features in JSON Lines, JSON, CSV, TSV and Parquet."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from arcface_cli.errors import ArcfaceError, PackageMissing, UnreadableFeatures
from arcface_cli.inputs.embeddings import Fields, FieldsOrError, Rows
from arcface_cli.inputs.json_arrays import array_elements
from arcface_cli.installing import install

LONGEST_LINE = 1 << 26
"""Bytes: some ten thousand faces on one photograph."""

_LONGEST_ROW = 1 << 22
_BOX = ("x_min", "y_min", "x_max", "y_max")
_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
_PARQUET_ROWS = 256


# --- JSON ---------------------------------------------------------------------------------------------


def json_rows(path: Path, shown: str) -> Rows:
    """Rows of what `embed -f jsonl` or `-f json` wrote."""
    with path.open("rb") as stream:
        yield from streamed_rows(stream, shown)


def streamed_rows(stream: BinaryIO, shown: str) -> Rows:
    """Rows of JSON Lines as they come, or of JSON arrays: of what begins with `[`."""
    first = stream.readline(LONGEST_LINE).removeprefix(codecs.BOM_UTF8)
    lines = chain([first], _lines_of(stream))
    records = (
        array_elements(stream, first, shown)
        if first.lstrip().startswith(b"[")
        else _parsed_lines(lines, shown)
    )
    for where, record in records:
        yield from json_faces(where, record)


def json_lines(path: Path, shown: str, skip: int = 0) -> Iterator[tuple[str, Any]]:
    """(where, JSON value) of each line; UnreadableFeatures in place of a line that is no JSON."""
    with path.open("rb") as stream:
        yield from _parsed_lines(_lines_of(stream), shown, skip)


def _lines_of(stream: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: stream.readline(LONGEST_LINE), b"")


def _parsed_lines(lines: Iterable[bytes], shown: str, skip: int = 0) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(lines, 1):
        if number > skip and line.strip():
            where = f"{shown}, line {number}"
            yield where, _parsed(line, where)


def json_faces(where: str, record: Any) -> Rows:
    """The faces of one record, or the reason why there are none."""
    if isinstance(record, UnreadableFeatures):
        yield where, record
        return
    if not isinstance(record, dict) or "input" not in record:
        yield where, UnreadableFeatures(f"{where} is no record of arcface embed")
        return
    faces, error, run = record.get("faces"), record.get("error"), record.get("run")
    if not isinstance(faces, list) or not faces:
        code = error.get("code") if isinstance(error, dict) else None
        yield where, {**record, "code": code}
        return
    shared = {**record, **_object(record.get("image")), "detector": _object(run).get("detector")}
    for number, face in enumerate(faces):
        place = where if len(faces) == 1 else f"{where}, face {number}"
        yield place, {**shared, "face": number, **_object(face)}


def _parsed(line: bytes, where: str) -> Any:
    try:
        return json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError, UnicodeDecodeError):
        torn = "" if line.endswith(b"\n") else ": it is cut off"
        return UnreadableFeatures(f"{where} is no JSON{torn}")


def _no_number(word: str) -> float:
    return float(word)  # NaN and Infinity are refused later, by name


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


# --- CSV and TSV --------------------------------------------------------------------------------------


def separated_rows(path: Path, shown: str) -> Rows:
    """Rows of what `embed -f csv` or `-f tsv` wrote."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        lines = _Lines(stream, shown)
        reader = csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        try:
            header = next(reader, [])
            columns = set(header)
            features = [name for name in map("f{}".format, range(len(header))) if name in columns]
            if "input" not in columns or not features:
                raise UnreadableFeatures(
                    f"{shown} has no columns input and f0, f1, ..., as arcface embed writes"
                )
            for cells in reader:
                where = f"{shown}, line {reader.line_num}"
                fields = _fields(cells, header, features, where, torn=lines.torn)
                if isinstance(fields, ArcfaceError) or _tells(fields):
                    yield where, fields
        except csv.Error as error:  # where the next row starts is anybody's guess now
            where = f"{shown}, line {reader.line_num}"
            yield where, UnreadableFeatures(f"{where} is no CSV: {error}")


class _Lines(Iterator[str]):
    """Lines of a bounded length; `torn`: the last one has no end."""

    def __init__(self, stream: TextIO, shown: str) -> None:
        self._stream = stream
        self._shown = shown
        self.torn = False

    def __next__(self) -> str:
        line = self._stream.readline(_LONGEST_ROW)
        if not line:
            raise StopIteration
        if len(line) >= _LONGEST_ROW:
            raise UnreadableFeatures(f"{self._shown}: a line is longer than {_LONGEST_ROW:,} characters")
        self.torn = not line.endswith(("\n", "\r"))
        return line


def _fields(
    cells: list[str], header: list[str], features: list[str], where: str, *, torn: bool
) -> FieldsOrError:
    if torn or len(cells) != len(header):
        return UnreadableFeatures(
            f"{where} has {len(cells)} of {len(header)} columns" if not torn else f"{where} is cut off"
        )
    row: dict[str, Any] = dict(zip(header, cells, strict=True))
    if not row.get("f0"):
        return {name: row.get(name) for name in ("input", "input_b64", "status", "code", "face", "refused")}
    try:
        row["feature"] = [float(row.pop(name)) for name in features]
        row |= {name: int(row[name]) for name in ("face", "width", "height")}
        row |= {name: float(row[name]) for name in ("detection_score", *_BOX)}
        row |= {name: float(row[name]) for name in _point_columns()}
    except (KeyError, ValueError, OverflowError) as error:
        return UnreadableFeatures(f"{where}: a number is missing or is none ({str(error)[:80]!a})")
    return _with_geometry(row)


def _tells(fields: Fields) -> bool:
    """Whether a row tells something of its input: one more face that was refused doesn't."""
    first_of_none = fields.get("status") != "done" and str(fields.get("face")) == "0"
    return "feature" in fields or not fields.get("refused") or first_of_none


def _point_columns() -> list[str]:
    return [f"{point}_{axis}" for point in _POINTS for axis in ("x", "y")]


def _with_geometry(row: dict[str, Any]) -> dict[str, Any]:
    row["box"] = [row.get(name) for name in _BOX]
    row["landmarks"] = [[row.get(f"{point}_{axis}") for axis in ("x", "y")] for point in _POINTS]
    return row


# --- Parquet ------------------------------------------------------------------------------------------


def parquet_rows(path: Path, shown: str) -> Rows:
    """Rows of what `embed -f parquet` wrote. Raises PackageMissing without pyarrow."""
    if find_spec("pyarrow") is None:
        raise PackageMissing(
            f"{shown}: Parquet needs pyarrow, which is not installed",
            hint=f"install it with: {install('parquet')}",
        )
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with path.open("rb") as stream, parquet.ParquetFile(stream, page_checksum_verification=True) as file:
            if not {"input", "feature"} <= set(file.schema_arrow.names):
                raise UnreadableFeatures(f"{shown} has no columns input and feature, as arcface embed writes")
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    fields = _parquet_fields(row)
                    if _tells(fields):
                        yield f"{shown}, row {number}", fields
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; without a number it is Arrow's own about the content
        reason = " ".join(str(error).split())[:200]
        raise UnreadableFeatures(f"{shown} is truncated or damaged after row {number}: {reason}") from error


def _parquet_fields(row: dict[str, Any]) -> Fields:
    if row.get("feature") is None:
        row.pop("feature", None)
        return row
    return _with_geometry(row)
