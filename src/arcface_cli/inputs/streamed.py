"""Lists of photographs that are read line by line as they come: a file, or standard input."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from arcface_cli.errors import InvalidList, UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import opening_failed

_MAX_LINE = 1 << 20
csv.field_size_limit(_MAX_LINE)  # for a long cell to be a wrong name and not the end of the table
_UTF16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")


@dataclass(frozen=True, slots=True)
class StreamedList:
    """An open list. shown: its name for people.  folder: what relative names in it count from."""

    path: Path
    stream: TextIO
    shown: str
    folder: Path

    def lines(self) -> Iterator[str]:
        """Its lines with their ends, none longer than `_MAX_LINE`: of a longer one its pieces.

        Bytes that are no UTF-8 are kept as `os.fsdecode` keeps them; a byte order mark is dropped. Raises
        InvalidList for UTF-16, and UsageError where reading fails.
        """
        try:
            line = self.stream.readline(_MAX_LINE)
            if line.startswith(_UTF16_MARKS):
                raise InvalidList(f"{self.shown} is UTF-16 text", hint="save it as UTF-8")
            while line:
                yield line
                line = self.stream.readline(_MAX_LINE)
        except OSError as error:
            raise UsageError(f"{self.shown} can't be read: {error.strerror or error}") from error


def open_list(path: Path, stdin: BinaryIO | None = None) -> StreamedList:
    """Open a list that lies in the folder that its names count from; "-" is `stdin`, and the current folder.

    Raises what opening a file raises.
    """
    # newline="" leaves line ends to csv; surrogateescape keeps names that are no UTF-8.
    if str(path) == "-" and stdin is not None:
        text = TextIOWrapper(stdin, encoding="utf-8-sig", errors="surrogateescape", newline="")
        return StreamedList(path, text, "standard input", Path())
    shown = printable(str(path))
    try:
        stream = path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")
    except OSError as error:
        raise opening_failed(error, os.fsencode(path), shown) from error
    return StreamedList(path, stream, shown, path.parent)
