"""File names are bytes; people, terminals and JSON want text."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from arcface_cli.errors import InvalidSubjectName

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories of what no terminal shows and no name may hold."""
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_DIGITS = re.compile(r"[0-9]+")


def printable(name: str) -> str:
    """The name as one line that no terminal obeys: undecodable bytes and control characters become escapes.

    A byte that is not UTF-8 is shown as \\xff, a newline as \\n, a control character as \\x1b, a mark
    that would turn the reading direction as \\u202e. All else stays as it is.
    """
    if name.isprintable():
        return name
    return "".join(map(_shown, name))


def subject_name(name: str) -> str:
    """A name for a person: NFC, so that one name typed on two systems is one subject."""
    return printable(unicodedata.normalize("NFC", name.strip()))


def folder_subject(folder: str | os.PathLike[str]) -> str | None:
    """The subject after whom a folder is named; None for the root folder, which has no name."""
    return subject_name(_folder_name(folder)) or None


def folder_refused(folder: str | os.PathLike[str]) -> InvalidSubjectName | None:
    """Why nobody can be named after a folder, if so; `folder_subject` shows its name nevertheless."""
    return name_refused(_folder_name(folder))


def name_refused(name: str) -> InvalidSubjectName | None:
    """Why nobody can have a name, if `printable` shows it with escapes that may be another's real name."""
    bad = next((character for character in name if _is_escaped(character)), None)
    if bad is None:
        return None
    what = "holds a control character or a line break"
    if bad in _BIDI_CONTROLS:
        what = "holds a mark that nobody sees, which turns the direction of reading"
    elif unicodedata.category(bad) == "Cs":
        what = "is not UTF-8"
    return InvalidSubjectName(f"nobody can be called {printable(name)}: the name {what}")


def _folder_name(folder: str | os.PathLike[str]) -> str:
    name = Path(folder).name
    return Path(folder).resolve().name if name in ("", "..") else name


def natural_key(name: str) -> str:
    """Sorts photo2 before photo10, capitals beside small letters, and never calls two names equal."""
    padded = _DIGITS.sub(_with_length, name.casefold())
    return f"{padded}\0{name}"


def _with_length(match: re.Match[str]) -> str:
    digits = match[0].lstrip("0") or "0"
    return f"{len(digits):03}{digits}"


def _shown(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if not _is_escaped(character):
        return character
    point = ord(character)
    if 0xDC80 <= point <= 0xDCFF:  # how os.fsdecode carries a byte that is not UTF-8
        return f"\\x{point - 0xDC00:02x}"
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"


def _is_escaped(character: str) -> bool:
    """Whether `printable` shows something else in its place."""
    return character in _BIDI_CONTROLS or unicodedata.category(character) in UNPRINTABLE
