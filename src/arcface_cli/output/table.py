"""Records as a table for people. Apart from the other sinks, so that only a table waits for Rich."""

from __future__ import annotations

import io
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal

from rich.cells import cell_len
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
_LEAST = {
    **dict.fromkeys(("input", "input_a", "input_b", "crop"), 20),
    **dict.fromkeys(("subject", "nearest"), 12),
}
"""Columns that can be narrower than what stands in them, and how narrow, in cells of the terminal."""
_PATHS = frozenset({"input", "input_a", "input_b", "crop"})
_SPARE = ("distance", "margin", "nearest", "threshold", "dimension", "detection_score", "face")
"""What a narrow terminal does without, in this order; distance and similarity say the same."""
_NUMERIC = frozenset({"face", "similarity", "distance", "margin", "detection_score", "template"})
_GAP = 2


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
        self._limited = width is None
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
        cells = {column: [_cell(row, column) for row in self._rows] for column in self._columns}
        widths = widths_of(cells, self._console.width) if self._limited else dict.fromkeys(cells)
        if widths is None:
            print_fields(self._console, self._fields(cells))
        else:
            print_table(self._console, _shortened(cells, widths), widths, _NUMERIC)
        self._rows = []

    def _fields(self, cells: Mapping[str, Sequence[Text]]) -> Iterator[list[tuple[str, Text]]]:
        """Each row's cells by name; what stands for a value that there is none of is its code."""
        for row, shown in zip(self._rows, zip(*cells.values(), strict=True), strict=True):
            named = zip(cells, shown, strict=True)
            yield [("code" if row.get(column) is None else column, cell) for column, cell in named]


def _shortened(
    cells: Mapping[str, Sequence[Text]], widths: Mapping[str, int | None]
) -> dict[str, Sequence[Text]]:
    """The columns of a table, paths by their ends where there is no room for the rest."""
    rooms = {column: width if column in _PATHS else None for column, width in widths.items()}
    return {
        column: cells[column] if room is None else [ending(cell, room) for cell in cells[column]]
        for column, room in rooms.items()
    }


def print_table(
    console: Console,
    cells: Mapping[str, Sequence[Text]],
    widths: Mapping[str, int | None],
    numeric: Container[str],
) -> None:
    """The columns that `widths` names, folded where they are too narrow. numeric: those set to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, width in widths.items():
        justify: Literal["left", "right"] = "right" if column in numeric else "left"
        table.add_column(column.replace("_", " "), justify=justify, overflow="fold", width=width)
    for row in zip(*(cells[column] for column in widths), strict=True):
        table.add_row(*row)
    console.print(table)


def print_fields(console: Console, rows: Iterable[Iterable[tuple[str, Text]]]) -> None:
    """A line a field, whole, for the terminal to break where its reader can put it together again."""
    for row in rows:
        for column, cell in row:
            if cell.plain:
                name = column.replace("_", " ")
                console.print(Text.assemble((f"{name}: ", "bold"), cell), soft_wrap=True)
        console.print()


def widths_of(
    cells: Mapping[str, Sequence[Text]], room: int, least: Mapping[str, int] = _LEAST
) -> dict[str, int | None] | None:
    """The columns that `room` cells of a terminal take, in order, with their widths; None: as it comes.

    A name in too narrow a column is folded, and a path loses its beginning; nothing else is broken. Of
    similarity, decision and subject none is left out: where they don't fit there is no table (None).
    least: columns that can be narrower than what stands in them, and how narrow.
    """
    needed = {name: max(map(cell_len, (*name.split("_"), *(each.plain for each in column))))
              for name, column in cells.items()}  # fmt: skip
    if sum(max(width, cell_len(name)) + _GAP for name, width in needed.items()) - _GAP <= room:
        return dict.fromkeys(cells)
    kept = dict(needed)
    for name in _SPARE:
        if _taken(kept, 0, least) > room:
            kept.pop(name, None)
    if _taken(kept, 0, least) > room:
        return None
    cap = max(kept.values())
    while _taken(kept, cap, least) > room:
        cap -= 1
    return {name: _capped(name, width, cap, least) for name, width in kept.items()}


def _taken(widths: Mapping[str, int], cap: int, least: Mapping[str, int]) -> int:
    return sum(_capped(name, width, cap, least) + _GAP for name, width in widths.items()) - _GAP


def _capped(name: str, width: int, cap: int, least: Mapping[str, int]) -> int:
    return min(width, max(cap, least[name])) if name in least else width


def ending(cell: Text, width: int) -> Text:
    """A path in so many cells: what is too long loses its beginning, for an ellipsis."""
    kept = cell.plain
    if cell_len(kept) <= width:
        return cell
    while cell_len(kept) >= width:
        kept = kept[1:]
    return Text(f"…{kept}", style=cell.style)


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
