"""One is one, and everything else is several; a proposed command says what it was told to say."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arcface_cli.inputs.names import printable
from arcface_cli.wording import command, counted, quoted

ODD = [
    "-x",
    "--",
    "-",
    "",
    "~/x",
    "a b",
    "a  b",
    "it's",
    '"',
    "$HOME",
    "`id`",
    "a\\nb",
    "!!",
    "%s",
    "#",
    "arcface",
]
UNSEEN = ["a\nb", "\x1b[31m", "a\udcffb", "a\u202eb", "-\t'!%\\$(id)`\"", "\u200b", "soft\u00adhyphen"]

WORDS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        st.sampled_from("-'\"$`\\!%~ \t\n\x1b\u202e\u3000"),
        st.integers(0xDC80, 0xDCFF).map(chr),
    ),
    max_size=12,
).filter(lambda word: os.fsdecode(os.fsencode(word)) == word and not word.endswith("\n"))


def read_by_sh(words: str) -> list[bytes]:
    """What a POSIX shell makes of the words of a command line."""
    shell = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {words} end"], capture_output=True, check=True, timeout=10
    )
    *read, end, nothing = shell.stdout.split(b"\0")
    assert (end, nothing, shell.stderr) == (b"end", b"", b"")
    return read


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 people"), (1, "1 person"), (2, "2 people"), (1_234_567, "1,234,567 people")]
)
def test_a_noun_goes_with_its_number(count: int, said: str) -> None:
    assert counted(count, "person", "people") == said
    assert counted(count, "face") == said.replace("people", "faces").replace("person", "face")


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=40))
@example(ODD + UNSEEN)
def test_a_shell_reads_every_word_as_it_was(words: list[str]) -> None:
    assert read_by_sh(" ".join(map(quoted, words))) == [os.fsencode(word) for word in words]


@given(WORDS)
def test_a_terminal_shows_every_word_as_it_is_pasted(word: str) -> None:
    assert printable(quoted(word)) == quoted(word)


@pytest.mark.parametrize("word", ODD[:-1])
def test_a_word_that_can_be_seen_is_quoted_as_usual(word: str) -> None:
    assert quoted(word) == shlex.quote(word)


def test_names_in_any_script_stand_as_they_are() -> None:
    assert [quoted(name) for name in ("山田　太郎", "می\u200cخواهم")] == ["'山田　太郎'", "'می\u200cخواهم'"]


@pytest.mark.parametrize("word", ["a\n", "a\0b", "\ud800"])
def test_what_no_line_can_say_is_a_blank_to_fill_in(word: str) -> None:
    assert quoted(word) == "NAME"


def test_options_stand_behind_the_words_unless_one_could_be_taken_for_an_option() -> None:
    assert command("arcface gallery merge", "a b", into="c d") == "arcface gallery merge 'a b' --into 'c d'"
    assert command("arcface gallery merge", "-a", into="-c") == "arcface gallery merge --into=-c -- -a"
    assert command("arcface enroll", "-a", dry_run=True) == "arcface enroll --dry-run -- -a"
    assert command("arcface gallery remove", template=["1", "2"]) == (
        "arcface gallery remove --template 1 --template 2"
    )
