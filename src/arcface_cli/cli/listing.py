"""Lists for people and for programs: rows of plain values as a table, JSON, JSON Lines, CSV or TSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arcface_cli.cli.console import data_stream, is_terminal, wants_color
from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.output.files import telling_output
from arcface_cli.settings import Format, Settings

if TYPE_CHECKING:
    from rich.text import Text

Row = Mapping[str, Any]


def show_rows(
    rows: Sequence[Row], settings: Settings, shown: Sequence[str], columns: Sequence[str] | None = None
) -> None:
    """Write all rows in the settings' format; a table shows only the columns `shown`.

    columns: those of CSV and TSV where there is no row to tell them; None: the same.
    """
    format_ = settings.format if settings.format is not None else ("table" if is_terminal() else "jsonl")
    terminal = is_terminal()
    color = terminal and wants_color()  # inside data_stream it would be stderr that is asked
    with telling_output("the output"), data_stream() as stream:
        if format_ == "table":
            stream.write(_table(rows, shown, color=color, width=None if terminal else 160))
        else:
            stream.write(_written(rows, format_, shown if columns is None else columns))
        stream.flush()


def is_table(settings: Settings) -> bool:
    """Whether people read the output."""
    return settings.format == "table" or (settings.format is None and is_terminal())


def show_lines(lines: Sequence[str]) -> None:
    """Write lines that nothing folds, so that the commands in them can be copied."""
    text = "".join(f"{printable(line)}\n" for line in lines)
    _put(text.encode("utf-8", "backslashreplace"))


def show_facts(facts: Row, settings: Settings) -> None:
    """Write one object: a line a fact on a terminal, one JSON object otherwise."""
    if is_table(settings):
        rows = [{"fact": key.replace("_", " "), "value": _plain(value)} for key, value in facts.items()]
        show_rows(rows, replace(settings, format="table"), ("fact", "value"))
    elif settings.format == "json":
        _put(json.dumps(facts, ensure_ascii=False, indent=2).encode() + b"\n")
    else:
        show_rows([facts], settings, tuple(facts))


def _plain(value: Any) -> Any:
    return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value


def _put(data: bytes) -> None:
    with telling_output("the output"), data_stream() as stream:
        stream.write(data)
        stream.flush()


def _written(rows: Sequence[Row], format_: Format, columns: Sequence[str]) -> bytes:
    from arcface_cli.output.sinks import to_json

    match format_:
        case "json":
            return json.dumps(list(rows), ensure_ascii=False, indent=2).encode() + b"\n"
        case "jsonl":
            return b"".join(to_json(dict(row)) + b"\n" for row in rows)
        case "csv" | "tsv":
            return separated(rows, "," if format_ == "csv" else "\t", columns)
        case _:
            raise UsageError(
                f"--format {format_}: a list can't be written so", hint="use table, json, jsonl, csv or tsv"
            )


def separated(rows: Sequence[Row], delimiter: str, columns: Sequence[str] = ()) -> bytes:
    """CSV with a header; a column for everything that any row holds. columns: where there is no row."""
    text = io.StringIO()
    columns = list(dict.fromkeys(column for row in rows for column in row)) if rows else columns
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows({column: _field(row.get(column)) for column in columns} for row in rows)
    return text.getvalue().encode()


def _field(value: Any) -> Any:
    """What holds several values stands as JSON in its field, as in the records of the verbs."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | tuple) else value


_WHOLE = 24
"""Cells of the longest word that is never broken: no number, time or code is longer."""
_NARROWEST = 12
"""Cells of a column that folds, at least."""


def _table(rows: Sequence[Row], shown: Sequence[str], *, color: bool, width: int | None) -> bytes:
    from rich.console import Console

    from arcface_cli.output.table import print_fields, print_table, widths_of

    text = io.StringIO()
    console = Console(width=width, force_terminal=color, no_color=not color, highlight=False, file=text)
    cells = {column: [_cell(row.get(column)) for row in rows] for column in shown}
    widths = widths_of(cells, console.width, {column: _least(each) for column, each in cells.items()})
    if widths is None and rows:
        print_fields(console, (zip(cells, row, strict=True) for row in zip(*cells.values(), strict=True)))
    else:
        numeric = {each for each in cells if any(isinstance(row.get(each), int | float) for row in rows)}
        print_table(console, cells, dict.fromkeys(cells) if widths is None else widths, numeric)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _least(column: Sequence[Text]) -> int:
    """How narrow a column may be: what has no end to its length folds, and no other word breaks."""
    from rich.cells import cell_len

    words = (cell_len(word) for cell in column for word in cell.plain.split())
    return max((width for width in words if _NARROWEST < width <= _WHOLE), default=_NARROWEST)


def _cell(value: Any) -> Text:
    from rich.text import Text

    if value is None:
        return Text("")
    if isinstance(value, bool):
        return Text("yes" if value else "")
    if isinstance(value, list | tuple):
        return Text(printable(", ".join(map(str, value))))
    return Text(f"{value:.4f}" if isinstance(value, float) else printable(str(value)))
