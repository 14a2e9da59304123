"""Photographs named in a file: --files-from lists and enrol manifests."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TextIO

from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable, subject_name
from arcface_cli.inputs.photo import Photo, opening_failed

MAX_ENTRY_BYTES = 4 * 4096
"""No path is longer (PATH_MAX is 4096 bytes): an entry beyond this is no list of paths."""

FILE_COLUMNS = ("file", "path", "image", "photo", "filename")
PERSON_COLUMNS = ("person", "name", "subject", "identity", "label")
"""Header words of a manifest, capitals or not; of several, the first in this order counts."""

_CHUNK = 1 << 16
_MAX_LINE = 1 << 20
_UTF16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")

_Row = Mapping[str, object] | UsageError
_Rows = Iterator[tuple[int, _Row]]


def listed(stream: BinaryIO, null: bool = False) -> Iterator[Photo]:
    """The photographs of a --files-from list, as they arrive: a path a line, or a path a NUL byte.

    Names may hold any bytes; relative ones count from the current folder. A \\r before the newline and
    empty entries are ignored.

    Raises UsageError for an entry longer than `MAX_ENTRY_BYTES`, or a NUL byte in a list of lines.
    """
    for number, entry in enumerate(_entries(stream, b"\0" if null else b"\n"), start=1):
        name = entry if null else entry.removesuffix(b"\r")
        if len(name) > MAX_ENTRY_BYTES:
            raise UsageError(
                f"entry {number} of the list is longer than {MAX_ENTRY_BYTES:,} bytes",
                hint="give one path a line, or with -0 one path a NUL byte",
            )
        if b"\0" in name:
            raise UsageError(
                f"line {number} of the list holds a NUL byte", hint="add -0 if NUL separates the paths"
            )
        if name:
            yield Photo(Path(os.fsdecode(name)))


def manifest(path: Path) -> Iterator[Photo]:
    """The photographs of an enrol manifest, each with its subject, lazily.

    CSV (comma, semicolon or tab) with a header that has one of `FILE_COLUMNS` and one of `PERSON_COLUMNS`;
    or, when the name ends in .jsonl or .ndjson, one JSON object a line with such keys. UTF-8; relative
    paths count from the manifest's own folder. A line that can't be used is a Photo whose `read` says
    why; a line without a person has subject None.

    Raises UsageError at once for a wrong header or first line, and what opening a file raises.
    """
    try:
        stream = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
        rows = (_json_rows if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows)(stream)
        first = next(rows, None)
    except OSError as error:
        raise opening_failed(error, os.fsencode(path), printable(str(path))) from error
    if first is None:
        stream.close()
        raise UsageError(f"{printable(str(path))} lists no photographs", hint=_wanted())
    number, row = first
    if isinstance(row, UsageError):
        stream.close()
        raise _at_line(path, number, row)
    return _photos(path, stream, chain([first], rows))


def _photos(path: Path, stream: TextIO, rows: _Rows) -> Iterator[Photo]:
    with stream:
        for number, row in rows:
            try:
                yield _photo(path.parent, row)
            except UsageError as error:
                yield Photo(path, failure=_at_line(path, number, error))


def _entries(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Split a stream; an entry without end is cut once it is too long, which the caller refuses."""
    read: Callable[[int], bytes] = getattr(
        stream, "read1", stream.read
    )  # what is there, without waiting for more
    rest = b""
    try:
        while chunk := read(_CHUNK):
            *entries, rest = (rest + chunk).split(separator)
            yield from entries
            if len(rest) > MAX_ENTRY_BYTES:
                break
    except OSError as error:
        raise UsageError(f"the list can't be read: {error.strerror or error}") from error
    yield rest


def _csv_rows(stream: TextIO) -> _Rows:
    """(line, row by lower-case column) of a CSV file; the row is an error if the line can't be used."""
    lines = _lines(stream)
    header = next(lines, "")
    delimiter = next((mark for mark in ",;\t" if mark in header), ",")
    reader = csv.reader(chain([header], lines), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip().casefold() for name in next(reader, [])]
        if not _has_columns(columns):
            yield 1, _wrong_header(header)
            return
        for cells in reader:
            if len(cells) > len(columns):
                yield reader.line_num, UsageError(f"has {len(cells)} columns, but the header {len(columns)}")
            elif any(map(str.strip, cells)):
                yield reader.line_num, dict(zip(columns, cells, strict=False))
    except csv.Error as error:  # where the next line starts is anybody's guess now
        yield reader.line_num, UsageError(f"is no CSV: {error}", hint="check the quotes from there on")


def _json_rows(stream: TextIO) -> _Rows:
    for number, line in enumerate(_lines(stream), start=1):
        if line.strip():
            yield number, _json_row(line)


def _json_row(line: str) -> _Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return UsageError(f"is no JSON: {error}")
    if not isinstance(row, dict):
        return UsageError("is no JSON object", hint=_wanted())
    folded = {key.casefold(): value for key, value in row.items()}
    return folded if _has_columns(list(folded)) else _wrong_header(", ".join(row))


def _lines(stream: TextIO) -> Iterator[str]:
    """Lines, none longer than `_MAX_LINE`: the pieces of a longer one are refused by who parses them."""
    try:
        yield from iter(lambda: stream.readline(_MAX_LINE), "")
    except OSError as error:
        raise UsageError(f"{printable(stream.name)} can't be read: {error.strerror or error}") from error


def _photo(folder: Path, row: _Row) -> Photo:
    if isinstance(row, UsageError):
        raise row
    file = _cell(row, FILE_COLUMNS)
    if not file:
        raise UsageError("names no file")
    person = _cell(row, PERSON_COLUMNS)
    if not _is_text(person):
        raise UsageError("has a name that is not UTF-8", hint="save the manifest as UTF-8")
    return Photo(folder / file, subject=subject_name(person) or None)


def _cell(row: Mapping[str, object], columns: tuple[str, ...]) -> str:
    column = next(name for name in columns if name in row or name == columns[-1])
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UsageError(f"has {type(value).__name__} as its {column}, where text is meant")
    text = str(value).strip()
    if not _is_file_name(text):
        raise UsageError(f"has a {column} that is no text")
    return text


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_file_name(text: str) -> bool:
    """Half a surrogate pair, which JSON can spell, is neither text nor a byte of a file name."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def _has_columns(columns: list[str]) -> bool:
    return any(name in columns for name in FILE_COLUMNS) and any(name in columns for name in PERSON_COLUMNS)


def _wrong_header(found: str) -> UsageError:
    if found.startswith(_UTF16_MARKS):
        return UsageError("is UTF-16 text", hint="save the manifest as UTF-8")
    shown = printable(found.strip())[:100] or "nothing"
    return UsageError(f"has the columns {shown}, but file,person are needed", hint=_wanted())


def _wanted() -> str:
    return (
        f"a manifest needs a column {' or '.join(FILE_COLUMNS)}, and a column {' or '.join(PERSON_COLUMNS)}"
    )


def _at_line(path: Path, number: int, error: UsageError) -> UsageError:
    return UsageError(f"{printable(str(path))}, line {number} {error.message}", hint=error.hint)
