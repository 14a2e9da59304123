"""Where records go: one class a format, chosen by name; each writes as it is fed, so memory stays bounded."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, BinaryIO, Literal, assert_never

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.output.records import Record
from arcface_cli.output.rows import COLUMNS, SHOWN, feature_columns, rows_of
from arcface_cli.settings import Format

TABLE_ROWS = 200
"""Rows of a table that are held back to be laid out together."""


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
    """One JSON array."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._separator = b"[\n"

    def write(self, record: Record) -> None:
        """Write an element."""
        self._stream.write(self._separator + to_json(record))
        self._separator = b",\n"

    def close(self) -> None:
        """End the array."""
        self._stream.write(b"[]\n" if self._separator == b"[\n" else b"\n]\n")
        self._stream.flush()


class SeparatedSink(Sink):
    """CSV or TSV: one row a face, columns by command (`rows.COLUMNS`)."""

    def __init__(self, stream: BinaryIO, command: str, dimension: int | None, delimiter: str) -> None:
        self._stream = stream
        columns = [*COLUMNS[command], *([] if dimension is None else feature_columns(dimension))]
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


class TableSink(Sink):
    """A table for people, laid out some hundred rows at a time."""

    features = None

    def __init__(self, stream: BinaryIO, command: str, width: int | None, color: bool) -> None:
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", write_through=True)
        self._text = text
        self._console = Console(
            file=text, width=width, force_terminal=color, no_color=not color, highlight=False
        )
        self._columns = SHOWN[command]
        self._rows: list[dict[str, Any]] = []
        self._caption: str | None = None

    def write(self, record: Record) -> None:
        """Hold the rows until there are enough to lay out."""
        self._rows += rows_of(record)
        if "threshold" in record:
            self._caption = caption_of(record["threshold"])
        if len(self._rows) >= TABLE_ROWS:
            self._print()

    def close(self) -> None:
        """Print the rest."""
        if self._rows:
            self._print()
        if self._caption is not None:
            self._console.print(Text(self._caption, style="dim"))
        self._text.detach()

    def _print(self) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in self._columns:
            numeric = column in ("face", "similarity", "distance", "margin", "detection_score", "template")
            table.add_column(
                column.replace("_", " "), justify="right" if numeric else "left", overflow="fold"
            )
        for row in self._rows:
            table.add_row(*(_cell(row, column) for column in self._columns))
        self._console.print(table)
        self._rows = []


def _plain(value: Any) -> Any:
    """A cell of CSV: true and false as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else value


def _cell(row: dict[str, Any], column: str) -> Text:
    value = row.get(column)
    if column in ("decision", "answer", "face") and "code" in row and value is None:
        return Text(row["code"], style="yellow") if column != "face" else Text("")
    if column in ("crop", "fingerprint", "template") and "code" in row and value is None:
        return Text(row["code"], style="yellow")
    if value is None:
        return Text("")
    style = {"match": "green", "same person": "green", "ambiguous": "yellow"}.get(str(value), "")
    return Text(f"{value:.4f}" if isinstance(value, float) else printable(str(value)), style=style)


def caption_of(threshold: Record) -> str:
    """The threshold in words: what it is, what it buys and on what evidence."""
    said = f"threshold: similarity {threshold['value']:.4f} = distance {threshold['distance']:.4f}"
    if threshold["fmr"] is None:
        return f"{said}; no error rate is known for it (given by {threshold['origin']})"
    count = threshold["impostor_comparisons"]
    counted = "" if count is None else f", {count:,} impostor comparisons"
    return (
        f"{said}; FMR {threshold['fmr']:g} measured with {threshold['model']} on {threshold['data']}{counted}"
    )


def to_json(record: Record) -> bytes:
    """Compact JSON in UTF-8. NaN is not JSON, so it is refused; lone surrogates are escaped."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode(
        "utf-8", "backslashreplace"
    )


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
