"""`verify --pairs`: a table of pairs to compare, read row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from arcface_cli.errors import InvalidList
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.pair_lists import FIRST, SECOND
from arcface_cli.inputs.photo import Photo, opening_failed

Pair = tuple[Photo, Photo]


def pairs(path: Path) -> Iterator[Pair]:
    """The pairs of a CSV or TSV file with a header that names two columns of files, lazily.

    A column of `FIRST` and one of `SECOND`; others are passed over. Files are relative to the table's
    folder. A row without two files is a pair whose photographs say so when they are read. Raises InvalidList
    at once for a wrong header and for a table without a row, and what opening the table raises.
    """
    rows = _rows(path)
    first = next(rows, None)  # opens the table and reads its header now, not in the middle of a run
    if first is None:
        raise InvalidList(f"{printable(str(path))} lists no pairs", hint="give it a row for each pair")
    return chain([first], rows)


def _rows(path: Path) -> Iterator[Pair]:
    shown = printable(str(path))
    try:
        # newline="" leaves line ends to csv; surrogateescape keeps names that are no UTF-8.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
            delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
            reader = csv.DictReader(stream, delimiter=delimiter)
            columns = _columns(reader.fieldnames or (), shown)
            for row in reader:
                yield _pair(row, columns, path, reader.line_num)
    except OSError as error:
        raise opening_failed(error, str(path).encode(errors="surrogateescape"), shown) from error
    except csv.Error as error:
        raise InvalidList(f"{shown}: {error}") from error


def _columns(header: Sequence[str], shown: str) -> tuple[str, str]:
    names = {name.strip().lower(): name for name in header}
    found = [next((names[name] for name in wanted if name in names), None) for wanted in (FIRST, SECOND)]
    if found[0] is None or found[1] is None:
        raise InvalidList(
            f"{shown}: its first line is {printable(', '.join(names)) or 'empty'}",
            hint=f"it must name two columns of files: {FIRST[0]} and {SECOND[0]}",
        )
    return found[0], found[1]


def _pair(row: dict[str, str | None], columns: tuple[str, str], table: Path, line: int) -> Pair:
    first, second = ((row.get(column) or "").strip() for column in columns)
    if not (first and second):
        broken = Photo(
            table, failure=InvalidList(f"{printable(str(table))}, line {line}: names no two files")
        )
        return broken, broken
    return Photo(table.parent / first), Photo(table.parent / second)
