"""`verify --pairs`: a table of pairs to compare, read row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from arcface_cli.errors import InvalidList
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.pair_lists import FIRST, SECOND
from arcface_cli.inputs.photo import Photo
from arcface_cli.inputs.streamed import StreamedList, open_list

Pair = tuple[Photo, Photo]


def pairs(path: Path, stdin: BinaryIO | None = None) -> Iterator[Pair]:
    """The pairs of a CSV or TSV file with a header that names two columns of files, lazily.

    A column of `FIRST` and one of `SECOND`; others are passed over. Relative files count from the table's
    own folder; from the current one where "-" stands for `stdin`. A row without two files is a pair whose
    photographs say so when they are read; where the table stops being CSV, that is the last pair. Raises
    InvalidList at once for a wrong header and for a table without a row, and what opening the table raises.
    """
    table = open_list(path, stdin)
    rows = _rows(table)
    first = next(rows, None)  # reads the header now, not in the middle of a run
    if first is None:
        raise InvalidList(f"{table.shown} lists no pairs", hint="give it a row for each pair")
    return chain([first], rows)


def _rows(table: StreamedList) -> Iterator[Pair]:
    with table.stream:
        lines = table.lines()
        header = next(lines, "")
        delimiter = next((mark for mark in "\t,;" if mark in header), ",")
        reader = csv.DictReader(chain([header], lines), delimiter=delimiter, strict=True)
        try:
            columns = _columns(reader.fieldnames or (), table.shown)
        except csv.Error as error:
            raise InvalidList(f"{table.shown}: its first line is no CSV: {error}") from error
        try:
            for row in reader:
                yield _pair(row, columns, table, reader.line_num)
        except csv.Error as error:  # where the next row starts is anybody's guess now
            yield _broken(table, reader.line_num, f"is no CSV: {error}; nothing behind it is read")


def _columns(header: Sequence[str], shown: str) -> tuple[str, str]:
    names = {name.strip().lower(): name for name in header}
    found = [next((names[name] for name in wanted if name in names), None) for wanted in (FIRST, SECOND)]
    if found[0] is None or found[1] is None:
        raise InvalidList(
            f"{shown}: its first line is {printable(', '.join(names)) or 'empty'}",
            hint=f"it must name two columns of files: {FIRST[0]} and {SECOND[0]}",
        )
    return found[0], found[1]


def _pair(row: dict[str, str | None], columns: tuple[str, str], table: StreamedList, line: int) -> Pair:
    first, second = ((row.get(column) or "").strip() for column in columns)
    if not (first and second):
        return _broken(table, line, "names no two files")
    return Photo(table.folder / first), Photo(table.folder / second)


def _broken(table: StreamedList, line: int, why: str) -> Pair:
    photo = Photo(table.path, failure=InvalidList(f"{table.shown}, line {line} {why}"))
    return photo, photo
