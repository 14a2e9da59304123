"""CSV files with a header, of which some columns are needed: read whole, and refused by line."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from arcface_cli.errors import EmptyFile, InvalidList
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo

MAX_TABLE_BYTES = 256 * 1024 * 1024

Row = tuple[int, dict[str, str]]
"""Line number, and cells by lower-case column."""


def read_text(path: Path) -> str:
    """A list's text, UTF-8. Raises InvalidList, and what opening a file raises."""
    try:
        data = Photo(path, named=True).read(MAX_TABLE_BYTES)
    except EmptyFile as error:
        raise InvalidList(f"{printable(str(path))} is empty: it lists nothing") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidList(f"{printable(str(path))} is no UTF-8 text", hint="save it as UTF-8") from error


def read_table(path: Path, needed: Sequence[Iterable[str]]) -> list[Row]:
    """The rows of a CSV file (comma, semicolon or tab).

    needed: for each column that must be there, the names it may have. Raises InvalidList for another header,
    a row of another length and an empty file, naming the line.
    """
    shown = printable(str(path))
    lines = read_text(path).splitlines()
    if not lines:
        raise InvalidList(f"{shown} is empty: it lists nothing")
    delimiter = next((mark for mark in ",;\t" if mark in lines[0]), ",")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        _check_header(header, needed, shown, lines[0])
        rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise InvalidList(f"{shown}, line {reader.line_num}: is no CSV: {error}") from error
    if not rows:
        raise InvalidList(f"{shown} has a header and nothing below it")
    for number, cells in rows:
        if len(cells) != len(header):
            raise InvalidList(f"{shown}, line {number}: has {len(cells)} cells, the header {len(header)}")
    return [
        (number, dict(zip(header, (cell.strip() for cell in cells), strict=True))) for number, cells in rows
    ]


def _check_header(header: list[str], needed: Sequence[Iterable[str]], shown: str, line: str) -> None:
    missing = [tuple(names) for names in needed if not any(name in header for name in names)]
    if missing:
        wanted = "; ".join(" or ".join(names) for names in needed)
        raise InvalidList(
            f"{shown}: the header {printable(line)[:80]!r} has no column {' or '.join(missing[0])}",
            hint=f"needed are: {wanted}",
        )


def cell(row: dict[str, str], names: Iterable[str]) -> str:
    """The cell of the first of these columns that the table has."""
    return next(row[name] for name in names if name in row)


def existing(path: Path, at: str) -> Path:
    """The path, if a file is there. Raises InvalidList naming the line that names it."""
    try:
        there = os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises on some names
    except ValueError:
        there = False
    if not there:
        raise InvalidList(
            f"{at}: {printable(str(path))} does not exist", hint="check the list and its folder"
        )
    return path
