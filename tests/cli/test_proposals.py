"""Proposed commands, read by the command line itself: every word comes out as it went in."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from command_line import Arcface, words_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arcface_cli.cli.app import build_app
from arcface_cli.cli.console import say, say_error
from arcface_cli.cli.pasting import Pasting
from arcface_cli.cli.syncing import REMOVED_AT_ONCE, emptied
from arcface_cli.errors import GalleryMissing
from arcface_cli.gallery.entries import Enrolled
from arcface_cli.settings import load_settings
from arcface_cli.wording import command, quoted
from arcface_cli.workflows.sync_plan import Plan

NAMES = st.text(
    st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("-'\"$`\\ =")),
    min_size=1,
    max_size=8,
)
ODD = [
    "-g",
    "--",
    "--into",
    "it's",
    "arcface",
    "enroll",
    "arcface gallery list",
    "'",
    "a'b arcface enroll c'",
]
COMMAND_LINE: Any = typer.main.get_command(build_app(["gallery", "enroll"]))


def parsed(text: str) -> dict[str, Any]:
    """The parameters that the command line makes of a command, as sh splits it."""
    words = words_of(text)
    verb: Any = COMMAND_LINE
    while hasattr(verb, "commands"):
        verb = verb.commands[words.pop(0)]
    params: dict[str, Any] = verb.make_context("arcface", words).params
    return params


def pasted(gallery: str, text: str) -> str:
    """The text as a run with -g would tell it."""
    pasting = Pasting()
    pasting.go_on_with(load_settings({"gallery": Path(gallery)}, {"ARCFACE_CONFIG": "/dev/null"}))
    return pasting(text)


@settings(max_examples=20, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5), NAMES, NAMES)
@example(ODD, "-into", "-gallery")
@example(["a"], "b\u202e", "b\x1b[31m")
@example(["a"], "b", "two\nlines\n")
@example(["a"], "b", "bytes\udcff")
def test_a_merge_of_anybody_in_any_gallery_is_read_as_it_was_meant(
    names: list[str], into: str, gallery: str
) -> None:
    folder = str(Path(f"/tmp/{gallery}"))
    told = pasted(folder, f"if so: {command('arcface gallery merge', *names, into=into)}")
    read = parsed(told.removeprefix("if so: "))
    assert (list(read["names"]), read["into"], read["gallery"]) == (names, into, Path(folder))


@pytest.mark.parametrize("gallery", ["-x", "--", "-", "--gallery=y", "a b", "$HOME", "-\n"])
def test_a_gallery_may_be_called_like_an_option(gallery: str) -> None:
    read = parsed(pasted(gallery, command("arcface gallery show", "-a")))
    assert (read["gallery"], read["name"]) == (Path(gallery), "-a")


@pytest.mark.parametrize("name", ODD)
def test_the_name_of_a_photographs_owner_is_read_as_it_was_meant(name: str) -> None:
    read = parsed(pasted("-g", command("arcface enroll", f"/photos/{name}.jpg", name=name)))
    assert (list(read["paths"]), read["name"]) == ([f"/photos/{name}.jpg"], name)


def test_only_commands_are_completed_and_no_names_in_them() -> None:
    told = f"arcface gallery show {quoted('arcface enroll')}; isn't it: arcface enroll ./people/"
    assert pasted("g", told) == (
        "arcface gallery show -g g 'arcface enroll'; isn't it: arcface enroll -g g ./people/"
    )


def test_each_word_stands_by_itself_for_programs_too() -> None:
    told = command("arcface gallery remove", "it's", "a b")
    assert shlex.split(told) == ["arcface", "gallery", "remove", "it's", "a b"]


@pytest.mark.parametrize("count", [1, 3, 5, REMOVED_AT_ONCE])
def test_what_is_proposed_for_emptied_folders_is_whole(count: int) -> None:
    people = [f"-{number}" for number in range(count)]
    told = emptied(plan_keeping(people), [Path("-p")])
    assert told is not None
    assert list(parsed(told.rpartition("to go: ")[2])["names"]) == people


def test_for_more_people_than_a_command_holds_the_whole_plan_is_proposed() -> None:
    people = [str(number) for number in range(REMOVED_AT_ONCE + 1)]
    told = emptied(plan_keeping(people), [Path("-p"), Path("q")])
    assert told is not None
    read = parsed(told.rpartition("with: ")[2])
    assert list(read["paths"]) == ["-p", "q"]
    assert (read["sync"], read["prune"], read["dry_run"]) == (True, True, True)


def plan_keeping(people: list[str]) -> Plan:
    """A plan that removes nobody of these, whose folders are empty."""
    kept = [Enrolled(number, name, b"/p/1.jpg", "0" * 64) for number, name in enumerate(people, 1)]
    return Plan((), (), tuple(kept))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b\x1b[31m: holds", r"b\x1b[31m: holds"),
        ("a\nb", r"a\nb"),
        ("a  b\u202e", r"a  b\u202e"),
        ("\udcff", r"\xff"),
    ],
)
def test_nothing_that_is_said_commands_the_terminal(
    capsys: pytest.CaptureFixture[str], text: str, shown: str
) -> None:
    say(text)
    say_error(GalleryMissing(text, hint="see"))
    assert capsys.readouterr().err == f"arcface: {shown}\narcface: {shown}; see\n"


def test_a_gallery_whose_path_commands_terminals_is_named_in_a_command_that_works(
    arcface: Arcface,
) -> None:
    for path in ("b\x1b[31m", "two\nlines", "-x", "\u202eb"):
        answer = arcface("gallery", "list", "-g", path)
        (line,) = answer.said
        assert line.isprintable()
        assert parsed(line.rpartition("make one with: ")[2])["gallery"] == Path(path)
