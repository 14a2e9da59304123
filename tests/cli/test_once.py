"""A value that is given twice is refused: nobody would notice that the first one is dropped."""

from __future__ import annotations

from itertools import pairwise

import pytest
from command_line import Arcface


@pytest.mark.parametrize(
    ("words", "flag"),
    [
        ("identify a.jpg -g one -g two", "--gallery"),
        ("identify a.jpg -g one --gallery=two", "--gallery"),
        ("embed a.jpg -o x.npz --output y.npz", "--output"),
        ("embed --files-from a --files-from b", "--files-from"),
        ("verify a.jpg b.jpg -t 0.1 -t0.2", "--threshold"),
        ("gallery list -g one -g two", "--gallery"),
        ("config show -f csv -f tsv", "--format"),
    ],
)
def test_a_value_given_twice_is_wrong_usage(arcface: Arcface, words: str, flag: str) -> None:
    answer = arcface(*words.split())
    assert (answer.status, answer.out) == (2, "")
    assert answer.said == [f"arcface: {flag} is given twice; give it once"]


@pytest.mark.parametrize("words", ["config show -q -q", "gallery list --json --json", "align a -v -v -v"])
def test_switches_may_be_repeated(arcface: Arcface, words: str) -> None:
    assert "twice" not in arcface(*words.split()).err


def test_what_takes_several_values_takes_them(arcface: Arcface) -> None:
    answer = arcface("gallery", "remove", "--template", "1", "--template", "2")
    assert "twice" not in answer.err


def test_a_mistake_is_told_as_before(arcface: Arcface) -> None:
    answer = arcface("identify", "--nope")
    assert (answer.status, len(answer.said)) == (2, 1)
    assert answer.err.startswith("arcface: No such option: --nope")


@pytest.mark.parametrize("words", [["enroll"], ["bench"], ["verify"], ["embed"], ["gallery", "remove"]])
def test_paragraphs_of_the_help_are_folded_where_the_terminal_ends(
    arcface: Arcface, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = arcface(*words, "--help").out.partition("\u256d")[0]
    lines = [line.strip() for line in page.splitlines()]
    for line, after in pairwise(lines):
        if line and after:
            assert len(line) + 1 + len(after.split()[0]) > 78, line


@pytest.mark.parametrize("verb", ["align", "embed", "enroll", "identify", "bench"])
def test_photographs_are_called_path_throughout_the_help(arcface: Arcface, verb: str) -> None:
    page = arcface(verb, "--help").out
    assert "[PATH]..." in page
    assert "paths" not in page
