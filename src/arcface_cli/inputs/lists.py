"""Photographs named in a file: --files-from lists and enrol manifests."""

from __future__ import annotations

import csv
import json
import os
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from arcface_cli.errors import InvalidList, UsageError
from arcface_cli.inputs.names import name_refused, printable, subject_name
from arcface_cli.inputs.photo import Photo
from arcface_cli.inputs.streamed import StreamedList, open_list

MAX_ENTRY_BYTES = 4 * 4096
"""No path is longer (PATH_MAX is 4096 bytes): an entry beyond this is no list of paths."""

_SURELY_TOO_LONG = MAX_ENTRY_BYTES + len(BOM_UTF8 + b"\r")

FILE_COLUMNS = ("file", "path", "image", "photo", "filename")
PERSON_COLUMNS = ("person", "name", "subject", "identity", "label")
"""Header words of a manifest, capitals or not; of several, the first in this order counts."""

_CHUNK = 1 << 16
_TOLD_BYTES = 255
"""Of an entry that is no path, for its record."""
_LOOKED_THROUGH = 100
"""Rows of which one must be usable, where no header tells a manifest from anything else."""

_Row = Mapping[str, object] | UsageError
_Rows = Iterator[tuple[int, _Row]]


def listed(stream: BinaryIO, null: bool = False) -> Iterator[Photo]:
    """The photographs of a --files-from list, as they arrive: a path a line, or a path a NUL byte.

    Names may hold any bytes; relative ones count from the current folder. Ignored are empty entries, and
    in a list of lines a \\r before the newline and a UTF-8 byte order mark at the start. An entry that can't
    be a path (longer than `MAX_ENTRY_BYTES`, or a line with a NUL byte) is a Photo whose `read` says why.

    Raises InvalidList if the very first one can't be: then this is another kind of list, or none.
    """
    begun = False
    for number, entry in enumerate(_entries(stream, b"\0" if null else b"\n"), start=1):
        name = entry if null else _line(entry, first=number == 1)
        if not name:
            continue
        failure = _unusable(name, number)
        if failure is not None and not begun:
            raise failure
        begun = True
        yield Photo(Path(os.fsdecode(name if failure is None else name[:_TOLD_BYTES])), failure=failure)


def _line(entry: bytes, *, first: bool) -> bytes:
    return entry.removesuffix(b"\r").removeprefix(BOM_UTF8 if first else b"")


def _unusable(name: bytes, number: int) -> InvalidList | None:
    """Why an entry can't be a path, if so."""
    entry = f"entry {number} of the list"
    if b"\0" in name and name.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return InvalidList(f"{entry} is UTF-16 text", hint="save the list as UTF-8")
    if b"\0" in name:
        return InvalidList(f"{entry} holds a NUL byte", hint="add -0 if NUL separates the paths")
    if len(name) > MAX_ENTRY_BYTES:
        return InvalidList(
            f"{entry} is longer than {MAX_ENTRY_BYTES:,} bytes",
            hint="give one path a line, or with -0 one path a NUL byte",
        )
    return None


def manifest(path: Path, stdin: BinaryIO | None = None) -> Iterator[Photo]:
    """The photographs of an enrol manifest, each with its subject, lazily.

    CSV (comma, semicolon or tab) with a header that has one of `FILE_COLUMNS` and one of `PERSON_COLUMNS`;
    or, when the name ends in .jsonl or .ndjson or the first line opens a brace, one JSON object a line with
    such keys. UTF-8. Relative paths count from the manifest's own folder; from the current one where "-"
    stands for `stdin`. A line that can't be used is a Photo whose `read` says why; a line without a person
    has subject None.

    Raises UsageError at once for a wrong header, JSON Lines of which none of the first can be used, and a
    manifest without a row; and what opening a file raises.
    """
    source = open_list(path, stdin)
    try:
        rows = _rows(source)
        first = next(rows, None)
        if first is None:
            raise UsageError(f"{source.shown} lists no photographs", hint=_wanted())
    except UsageError:
        source.stream.close()
        raise
    return _photos(source, chain([first], rows))


def _photos(source: StreamedList, rows: _Rows) -> Iterator[Photo]:
    with source.stream:
        for number, row in rows:
            try:
                yield _photo(source.folder, row)
            except UsageError as error:
                yield Photo(source.path, failure=_at_line(source, number, error))


def _entries(stream: BinaryIO, separator: bytes) -> Iterator[bytes]:
    """Split a stream. Of an entry that is too long only the beginning comes, as soon as that is sure."""
    read: Callable[[int], bytes] = getattr(
        stream, "read1", stream.read
    )  # what is there, without waiting for more
    rest, told = b"", False
    try:
        while chunk := read(_CHUNK):
            *ends, last = chunk.split(separator)
            for end in ends:
                if not told:
                    yield rest + end
                rest, told = b"", False
            if not told:
                rest += last
                if told := len(rest) > _SURELY_TOO_LONG:
                    yield rest
    except OSError as error:
        raise UsageError(f"the list can't be read: {error.strerror or error}") from error
    if not told:
        yield rest


def _rows(source: StreamedList) -> _Rows:
    lines = source.lines()
    begin = next(lines, "")
    is_json = source.path.suffix.lower() in (".jsonl", ".ndjson") or begin.startswith("{")
    return (_json_rows if is_json else _csv_rows)(chain([begin], lines), source)


def _csv_rows(lines: Iterator[str], source: StreamedList) -> _Rows:
    """(line, row by lower-case column) of a CSV file; the row is an error if the line can't be used.

    Raises UsageError for a wrong header.
    """
    header = next(lines)
    delimiter = next((mark for mark in ",;\t" if mark in header), ",")
    reader = csv.reader(chain([header], lines), delimiter=delimiter, strict=True)
    columns: list[str] = []
    try:
        columns += [name.strip().casefold() for name in next(reader, [])]
        if not _has_columns(columns):
            raise _at_line(source, 1, _wrong_header(header))
        for cells in reader:
            if len(cells) > len(columns):
                yield reader.line_num, UsageError(f"has {len(cells)} columns, but the header {len(columns)}")
            elif any(map(str.strip, cells)):
                yield reader.line_num, dict(zip(columns, cells, strict=False))
    except csv.Error as error:  # where the next line starts is anybody's guess now
        broken = UsageError(f"is no CSV: {error}", hint="check the quotes from there on")
        if not columns:
            raise _at_line(source, reader.line_num, broken) from error
        yield reader.line_num, broken


def _json_rows(lines: Iterator[str], source: StreamedList) -> _Rows:
    """The same of JSON Lines. Raises UsageError where none of the first can be used."""
    rows = ((number, _json_row(line)) for number, line in enumerate(lines, start=1) if line.strip())
    first: list[tuple[int, _Row]] = []
    for number, row in islice(rows, _LOOKED_THROUGH):
        first.append((number, row))
        if not isinstance(row, UsageError):
            return chain(first, rows)
    for number, row in first:
        if isinstance(row, UsageError):
            raise _at_line(source, number, row)
    return rows


def _json_row(line: str) -> _Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return UsageError(f"is no JSON: {error}")
    if not isinstance(row, dict):
        return UsageError("is no JSON object", hint=_wanted())
    folded = {key.casefold(): value for key, value in row.items()}
    return folded if _has_columns(list(folded)) else _wrong_header(", ".join(row))


def _photo(folder: Path, row: _Row) -> Photo:
    if isinstance(row, UsageError):
        raise row
    file = _cell(row, FILE_COLUMNS)
    if not file:
        raise UsageError("names no file")
    person = _cell(row, PERSON_COLUMNS)
    if not _is_text(person):
        raise UsageError("has a name that is not UTF-8", hint="save the manifest as UTF-8")
    refusal = name_refused(person)
    if refusal is not None:
        raise UsageError(f"can't be used: {refusal.message}", hint="write the name without it")
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
    shown = printable(found.strip())[:100] or "nothing"
    return UsageError(f"has the columns {shown}, but file,person are needed", hint=_wanted())


def _wanted() -> str:
    return (
        f"a manifest needs a column {' or '.join(FILE_COLUMNS)}, and a column {' or '.join(PERSON_COLUMNS)}"
    )


def _at_line(source: StreamedList, number: int, error: UsageError) -> UsageError:
    return UsageError(f"{source.shown}, line {number} {error.message}", hint=error.hint)
