"""Numbers and commands in what is told to people."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence

_JOINERS = "\u200c\u200d"
"""Part of words and emoji; every other character that can't be seen is written as bytes in a command."""
_UNSAYABLE = "NAME"


def counted(count: int, one: str, several: str | None = None) -> str:
    """`1 template`, `2,000 templates`, `0 templates`; several: where an s at the end doesn't make it so."""
    if several is None:
        several = f"{one}s"
    return f"{count:,} {one if count == 1 else several}"


def command(program: str, *words: str, **options: str | bool | Sequence[str]) -> str:
    """A command to paste into a POSIX shell, whatever its words are: dashes, quotes, bytes that aren't text.

    program: `arcface gallery merge`, taken as it is.  options: by name, max_yaw for --max-yaw; True for a
    flag, several values for one that is repeated. Options stand behind the words, and before them where one
    of those could be taken for an option.
    """
    said: list[str] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        values = [value] if isinstance(value, str | bool) else value
        for each in values:
            if isinstance(each, bool):
                said.append(flag)
            else:
                said.append(f"{flag}{'=' if each.startswith('-') else ' '}{quoted(each)}")
    shown = [quoted(word) for word in words]
    if any(word.startswith("-") for word in words):
        return " ".join([program, *said, "--", *shown])
    return " ".join([program, *shown, *said])


def quoted(word: str) -> str:
    r"""One word of a command, on one line and without a character that a terminal obeys or nobody sees.

    Such characters, and bytes that are not UTF-8, come from printf: "$(printf 'a\033[31m')". A word that
    ends in a newline or holds a NUL can't be said on one line, or not at all: NAME stands for it.
    """
    if all(map(_is_seen, word)):
        # A name "arcface" would read as the beginning of another command.
        return f"'{word}'" if word.endswith("arcface") and shlex.quote(word) == word else shlex.quote(word)
    if word.endswith("\n") or re.search("[\0\ud800-\udc7f\udd00-\udfff]", word):
        return _UNSAYABLE
    format_ = "".join(character if _is_safe(character) else _octal(character) for character in word)
    return f"\"$(printf '{_octal('-') + format_[1:] if format_.startswith('-') else format_}')\""


def _is_seen(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def _is_safe(character: str) -> bool:
    """Whether it means itself in a format of printf between single quotes, in an interactive shell too."""
    return character not in "\\%'!" and _is_seen(character)


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))
