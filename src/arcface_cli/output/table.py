"""Records as a table for people. Apart from the other sinks, so that only a table waits for Rich."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arcface_cli.inputs.names import printable
from arcface_cli.output.records import Record
from arcface_cli.output.rows import SHOWN, rows_of
from arcface_cli.output.sinks import Sink
from arcface_cli.wording import counted

TABLE_ROWS = 200
"""Rows of a table that are held back to be laid out together."""


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


def _cell(row: dict[str, Any], column: str) -> Text:
    value = row.get(column)
    reason = row.get("refused", row.get("code"))
    if column in ("decision", "answer", "crop", "fingerprint", "template") and value is None and reason:
        return Text(reason, style="yellow")
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
    evidence = "" if count is None else f", {counted(count, 'impostor comparison')}"
    measured = f"measured with {threshold['model']} on {threshold['data']}{evidence}"
    return f"{said}; FMR {threshold['fmr']:g} {measured}"
