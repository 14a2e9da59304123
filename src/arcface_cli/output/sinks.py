"""Where records go: one class a format, chosen by name; each writes as it is fed, so memory stays bounded."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO, Literal, assert_never

import msgspec

from arcface_cli.errors import UsageError
from arcface_cli.output.records import Record
from arcface_cli.output.rows import columns_of, rows_of
from arcface_cli.settings import Format

FeatureForm = Literal["list", "array"] | None


class Sink(ABC):
    """Takes the records of a run, in order."""

    features: FeatureForm = "list"
    """How records of `embed` carry their vectors; None: not at all."""
    scrolls = False
    """Whether records scroll by on a terminal as they are written."""

    @abstractmethod
    def write(self, record: Record) -> None:
        """Take one record."""

    @abstractmethod
    def close(self) -> None:
        """Write what is still held back."""


class NullSink(Sink):
    """Writes nothing: the exit status is the answer."""

    features = None

    def write(self, record: Record) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class JsonLinesSink(Sink):
    """One JSON object a line, each line out at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, record: Record) -> None:
        """Write a line."""
        self._stream.write(to_json(record) + b"\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is held back."""


class JsonSink(Sink):
    """One JSON array, each element out at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._separator = b"[\n"

    def write(self, record: Record) -> None:
        """Write an element."""
        self._stream.write(self._separator + to_json(record))
        self._stream.flush()
        self._separator = b",\n"

    def close(self) -> None:
        """End the array."""
        self._stream.write(b"[]\n" if self._separator == b"[\n" else b"\n]\n")
        self._stream.flush()


class SeparatedSink(Sink):
    """CSV or TSV: one row a face, columns by command (`rows.COLUMNS`)."""

    def __init__(self, stream: BinaryIO, command: str, dimension: int | None, delimiter: str) -> None:
        self._stream = stream
        columns = columns_of(command, dimension)
        self._text = io.StringIO()
        self._writer = csv.DictWriter(
            self._text, columns, delimiter=delimiter, extrasaction="ignore", lineterminator="\n"
        )
        # A file that is continued has its header already.
        if not (stream.seekable() and stream.tell()):
            self._writer.writeheader()

    def write(self, record: Record) -> None:
        """Write a row for each face."""
        self._writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows_of(record))
        self._pass_on()

    def close(self) -> None:
        """Write the header of an empty run."""
        self._pass_on()

    def _pass_on(self) -> None:
        self._stream.write(self._text.getvalue().encode("utf-8", "backslashreplace"))
        self._stream.flush()
        self._text.seek(0)
        self._text.truncate()


def _plain(value: Any) -> Any:
    """A cell of CSV: true and false as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else value


def to_json(record: Record) -> bytes:
    """One line of JSON in UTF-8, with a space after each comma and colon. Lone surrogates are escaped.

    NaN, which JSON doesn't have, would be null: but what travels is checked when it is made.
    """
    try:
        return msgspec.json.format(_ENCODER.encode(record), indent=0)
    except UnicodeEncodeError:  # a path whose bytes are no UTF-8, which msgspec doesn't take
        return json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")


_ENCODER = msgspec.json.Encoder(enc_hook=lambda number: number.item())  # NumPy's numbers


def make_sink(
    name: Format,
    stream: BinaryIO,
    command: str,
    *,
    dimension: int | None,
    width: int | None,
    color: bool,
    output: Path | None = None,
) -> Sink:
    """The sink of a format. dimension: of the features that `embed` writes, None for other commands.

    output: the file that `stream` becomes, None for stdout.
    """
    match name:
        case "jsonl":
            return JsonLinesSink(stream)
        case "json":
            return JsonSink(stream)
        case "csv" | "tsv":
            return SeparatedSink(stream, command, dimension, "," if name == "csv" else "\t")
        case "table":
            from arcface_cli.output.table import TableSink

            return TableSink(stream, command, width, color)
        case "parquet":
            from arcface_cli.output.parquet import ParquetSink

            return ParquetSink(stream, command, dimension)
        case "npz" | "npy":
            return _array_sink(name, stream, command, dimension, output)
        case _:
            assert_never(name)


def _array_sink(
    name: Literal["npz", "npy"], stream: BinaryIO, command: str, dimension: int | None, output: Path | None
) -> Sink:
    if dimension is None:
        raise UsageError(f"{command} has no features to put into {name}", hint="use -f jsonl or csv")
    if name == "npz":
        from arcface_cli.output.npz import NpzSink

        return NpzSink(stream, dimension)
    if output is None:
        raise UsageError("npy comes with a manifest beside it, so it needs a file", hint="use -o FILE.npy")
    from arcface_cli.output.npy import NpySink

    return NpySink(stream, output, dimension)
