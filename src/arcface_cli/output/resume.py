"""Going on where an interrupted run stopped: which records an output already has, and where it is sound.

An output that is continued (JSON Lines, CSV, TSV) is written record by record, so after a power cut or a
SIGKILL it holds whole records and perhaps a torn last one. The torn one is cut off and done again; of
CSV the last input's rows are, since nothing in them says whether another face was to follow.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable

ResumableFormat = Literal["jsonl", "csv", "tsv"]
RESUMABLE: tuple[ResumableFormat, ...] = ("jsonl", "csv", "tsv")

_DELIMITER = {"csv": ",", "tsv": "\t"}
_OURS = {"input", "status", "code"}
"""Columns that every table of ours has."""


@dataclass(frozen=True, slots=True)
class EarlierRecord:
    """What an earlier run wrote about one input. end: offset in bytes just behind its record."""

    input: str
    status: str
    code: str | None
    matched: bool
    end: int


def earlier_records(path: Path, format_: ResumableFormat) -> Iterator[EarlierRecord]:
    """The records of an output that are sure to be whole, in order, lazily; none where there is no file.

    Raises UsageError for a file that no arcface wrote.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        yield from _json_records(stream, path) if format_ == "jsonl" else _row_records(stream, path, format_)


def earlier_conditions(path: Path) -> dict[str, Any] | None:
    """Model, run header and threshold of the first record in JSON Lines; None where there is none."""
    try:
        with path.open("rb") as stream:
            first = json.loads(stream.readline())
    except (OSError, ValueError):
        return None
    return conditions_of(first) if isinstance(first, dict) else None


def earlier_columns(path: Path, format_: Literal["csv", "tsv"]) -> list[str] | None:
    """The columns of an output in CSV or TSV; None where there is no whole header, or not one of ours."""
    try:
        with path.open("rb") as stream:
            line = stream.readline()
    except OSError:
        return None
    columns = _header(line, format_)
    return columns if line.endswith(b"\n") and set(columns) >= _OURS else None


def conditions_of(record: dict[str, Any]) -> dict[str, Any]:
    """What must be equal in all records of one output."""
    return {key: record.get(key) for key in ("command", "model", "run", "threshold")}


def _json_records(stream: BinaryIO, path: Path) -> Iterator[EarlierRecord]:
    end = 0
    for line in stream:
        if not line.endswith(b"\n"):
            return  # torn
        end += len(line)
        try:
            record = json.loads(line)
            error = record.get("error") or {}
            matched = any(face.get("decision") == "match" for face in record.get("faces", ()))
            yield EarlierRecord(record["input"], record["status"], error.get("code"), matched, end)
        except (ValueError, KeyError, AttributeError, TypeError) as problem:
            raise _foreign(path, f"offset {end - len(line)}") from problem


def _row_records(stream: BinaryIO, path: Path, format_: Literal["csv", "tsv"]) -> Iterator[EarlierRecord]:
    """One record an input: its rows follow one another with rising face numbers."""
    delimiter = _DELIMITER[format_]
    header_line = stream.readline()
    header = _header(header_line, format_)
    if not header_line.endswith(b"\n"):
        return
    if not set(header) >= _OURS:
        raise _foreign(path, "its header")
    end, pending, face = len(header_line), None, -1
    for line in stream:
        if not line.endswith(b"\n"):
            return
        cells = next(csv.reader([line.decode("utf-8", "replace")], delimiter=delimiter))
        row = dict(zip(header, cells, strict=False))
        if len(cells) != len(header):
            raise _foreign(path, f"offset {end}")
        number = int(row["face"]) if row.get("face", "").isdecimal() else -1
        if pending is not None and not (row["input"] == pending.input and number > face >= 0):
            yield pending
            pending = None
        matched = row.get("decision") == "match" or (pending is not None and pending.matched)
        face, end = number, end + len(line)
        pending = EarlierRecord(row["input"], row["status"], row["code"] or None, matched, end)


def _header(line: bytes, format_: Literal["csv", "tsv"]) -> list[str]:
    return next(csv.reader([line.decode("utf-8", "replace")], delimiter=_DELIMITER[format_]), [])


def _foreign(path: Path, where: str) -> UsageError:
    return UsageError(
        f"{printable(str(path))}: this is no output of arcface that could be continued ({where})",
        hint="name another file with -o",
    )
