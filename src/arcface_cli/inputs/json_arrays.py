"""JSON arrays, one behind another, read element by element, however long they are, on one line or on many."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from itertools import count
from typing import Any, BinaryIO

from arcface_cli.errors import UnreadableFeatures

LONGEST_ELEMENT = 1 << 26
"""Bytes, as `stored_rows.LONGEST_LINE`."""
_AT_A_TIME = 1 << 16


def array_elements(stream: BinaryIO, begun: bytes, shown: str) -> Iterator[tuple[str, Any]]:
    """(where, JSON value) of each element; the first that is no JSON is UnreadableFeatures, and the last.

    begun: what was read of the stream already.
    """
    text = _Text(stream, begun)
    for number in count(1):
        where = f"{shown}, record {number}"
        try:
            if not text.goes_on():
                return
            yield where, text.value()
        except (ValueError, RecursionError):
            torn = ": it is cut off" if text.ended else ", nor is what follows read"
            yield where, UnreadableFeatures(f"{where} is no JSON{torn}")
            return


class _Text:
    """What was read and isn't used yet, and how far the use is."""

    def __init__(self, stream: BinaryIO, begun: bytes) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._parse = json.JSONDecoder().raw_decode
        self._begun = begun
        self._held = ""
        self._at = 0
        self._expected = "["
        self.ended = False

    def goes_on(self) -> bool:
        """Pass the marks before the next element; False behind the last. Raises ValueError at any other."""
        while mark := self._mark():
            if mark not in self._expected:
                raise ValueError("neither the next element nor the end")
            self._at += 1
            self._expected = "[" if mark == "]" else ",]"
            begins = self._mark()
            if mark == "," or (mark == "[" and begins != "]"):
                return True
        if self._expected != "[":
            raise ValueError("an array without an end")
        return False

    def value(self) -> Any:
        """The element that begins here. Raises ValueError, and RecursionError for too deep a one."""
        while True:
            try:
                value, self._at = self._parse(self._held, self._at)
            except ValueError:
                if not self._more():
                    raise
            else:
                return value

    def _mark(self) -> str:
        """The next character that is no white space, without passing it; nothing at the end."""
        while True:
            while self._at < len(self._held):
                if not self._held[self._at].isspace():
                    return self._held[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on: as much again as is held, so that a long element isn't begun again and again."""
        self._held, self._at = self._held[self._at :], 0
        if len(self._held) > LONGEST_ELEMENT or self.ended:
            return False
        data = self._begun or self._stream.read(max(_AT_A_TIME, len(self._held)))
        self._begun = b""
        self.ended = not data
        self._held += self._decoder.decode(data, final=self.ended)
        return not self.ended
