"""Going on where an interrupted run stopped: which records an output already has, and where it is sound.

An output that is continued (JSON Lines, CSV, TSV) is written record by record, so after a power cut or a
SIGKILL it holds whole records and perhaps a torn last one. The torn one is cut off and done again; of
CSV the last input's rows are, since nothing in them says whether another face was to follow.

One process at a time continues an output: it holds a lock on the open file, which ends with the process.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.output.files import telling_output
from arcface_cli.output.records import has_match
from arcface_cli.output.sole import lock, sole_writer

ResumableFormat = Literal["jsonl", "csv", "tsv"]
RESUMABLE: tuple[ResumableFormat, ...] = ("jsonl", "csv", "tsv")

_DELIMITER = {"csv": ",", "tsv": "\t"}
_OURS = {"status", "code"}
"""Columns that every table of ours has, beside those that name what a row is about."""
_NAMING = (("input",), ("input_a", "input_b"))
"""These: a photograph, or a pair of them."""


@dataclass(frozen=True, slots=True)
class EarlierRecord:
    """What an earlier run wrote about one input.

    inputs: the photograph's name, or both of a pair.  command: None where the format doesn't tell.
    settings: digest of what changes records (`Run.settings`).
    end: offset in bytes just behind its record.
    """

    command: str | None
    settings: str | None
    inputs: tuple[str, ...]
    status: str
    code: str | None
    matched: bool
    end: int


def locked_output(path: Path) -> BinaryIO:
    """Open an output, made where there is none, to read and to continue; nobody else can until it is closed.

    Raises UsageError for what is no file, OutputError when it can't be written or another run writes it,
    be it to continue it or to replace it.
    """
    shown = printable(str(path))
    with telling_output(shown):
        if path.exists() and not path.is_file():
            raise UsageError(
                f"--resume: {shown} is no file that could be continued", hint="name a file with -o"
            )
        with contextlib.ExitStack() as beginning:
            with contextlib.suppress(PermissionError):  # who can make no file here replaces none either
                beginning.enter_context(sole_writer(Path(os.path.realpath(path)), shown))
            stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b")
            try:
                lock(stream, shown)
            except BaseException:
                stream.close()
                raise
            return stream


@contextlib.contextmanager
def continued(stream: BinaryIO, shown: str) -> Iterator[BinaryIO]:
    """Write on where the stream stands; what was written is on disk when the block ends well."""
    with stream:
        yield stream
        with telling_output(shown):
            stream.flush()
            os.fsync(stream.fileno())


def cut(stream: BinaryIO, keep: int, shown: str) -> None:
    """Leave the first `keep` bytes and stand behind them. Raises OutputError."""
    with telling_output(shown):
        stream.truncate(keep)
        stream.seek(keep)


def earlier_records(stream: BinaryIO, path: Path, format_: ResumableFormat) -> Iterator[EarlierRecord]:
    """The records of an output that are sure to be whole, in order, lazily.

    Raises UsageError for a file that no arcface wrote.
    """
    stream.seek(0)
    yield from _json_records(stream, path) if format_ == "jsonl" else _row_records(stream, path, format_)


def earlier_columns(stream: BinaryIO, format_: Literal["csv", "tsv"]) -> list[str] | None:
    """The columns of an output in CSV or TSV; None where there is no whole header, or not one of ours."""
    stream.seek(0)
    line = stream.readline()
    columns = _header(line, format_)
    return columns if line.endswith(b"\n") and _naming(columns) else None


def _json_records(stream: BinaryIO, path: Path) -> Iterator[EarlierRecord]:
    end = 0
    for number, line in enumerate(stream, 1):
        if not line.endswith(b"\n"):
            # A power cut may leave zero bytes where the last block was to be written.
            if not begins(line.rstrip(b"\0") if end else line, b'{"schema": '):
                raise _foreign(path, f"line {number} is no record")
            return  # torn
        end += len(line)
        try:
            record = json.loads(line)
            error = record.get("error") or {}
            settings = record["run"].get("settings")
            command = record["command"]
            inputs = tuple(record["inputs"]) if command == "verify" else (record["input"],)
            told = (command, settings, inputs, record["status"], error.get("code"))
            yield EarlierRecord(*told, has_match(record), end)
        except ValueError as problem:
            raise _foreign(path, f"line {number} is not JSON") from problem
        except KeyError as problem:
            raise _foreign(path, f"line {number} has no {problem.args[0]!r}, as records have") from problem
        except (AttributeError, TypeError) as problem:
            raise _foreign(path, f"line {number} is no record") from problem


def _row_records(stream: BinaryIO, path: Path, format_: Literal["csv", "tsv"]) -> Iterator[EarlierRecord]:
    """One record for each input or pair: its rows follow one another with rising face numbers."""
    delimiter = _DELIMITER[format_]
    header_line = stream.readline()
    header = _header(header_line, format_)
    if not header_line.endswith(b"\n") and begins(header_line, b"input"):
        return
    naming = _naming(header)
    if not naming:
        raise _foreign(path, "line 1 is not the header of such a table")
    end, pending, face = len(header_line), None, -1
    for count, line in enumerate(stream, 2):
        if not line.endswith(b"\n"):
            return
        cells = next(csv.reader([line.decode("utf-8", "replace")], delimiter=delimiter))
        row = dict(zip(header, cells, strict=False))
        if len(cells) != len(header):
            raise _foreign(path, f"line {count} has {len(cells)} cells, the header has {len(header)}")
        number = int(row["face"]) if row.get("face", "").isdecimal() else -1
        inputs = tuple(row[name] for name in naming)
        if pending is not None and not (inputs == pending.inputs and number > face >= 0):
            yield pending
            pending = None
        matches = row.get("decision") == "match" or row.get("same_person") == "true"
        matched = matches or (pending is not None and pending.matched)
        face, end = number, end + len(line)
        told = (None, row.get("settings"), inputs, row["status"], row["code"] or None)
        pending = EarlierRecord(*told, matched, end)


def _naming(header: list[str]) -> tuple[str, ...]:
    """The columns that name what a row is about; none in another's table."""
    if not set(header) >= _OURS:
        return ()
    return next((names for names in _NAMING if set(names) <= set(header)), ())


def _header(line: bytes, format_: Literal["csv", "tsv"]) -> list[str]:
    return next(csv.reader([line.decode("utf-8", "replace")], delimiter=_DELIMITER[format_]), [])


def begins(line: bytes, start: bytes) -> bool:
    """Whether a torn line begins as ours do: another's is no more ours to cut off for being short."""
    return line.startswith(start) or start.startswith(line)


def _foreign(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{printable(str(path))}: this is no output of arcface that could be continued: {why}",
        hint="name another file with -o",
    )
