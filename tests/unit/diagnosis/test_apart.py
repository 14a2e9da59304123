"""A child may crash, hang or babble: the one that asks gets an answer, or the reason why there is none."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from arcface_cli.diagnosis.apart import ask
from arcface_cli.errors import DeviceUnavailable


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child finds this module, and its questions, by its name."""
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])


def doubled(number: float) -> float:
    return 2 * number


def babbles(_: Any) -> list[int]:
    print("a library that talks")  # noqa: T201
    os.write(1, b"and a native one\n")
    return [1, 2]


def crashes(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves(_: Any) -> None:
    os.write(2, b"first line\nundefined symbol: foo\n")
    os._exit(3)


def leaves_in_silence(_: Any) -> None:
    os._exit(3)


def refuses(_: Any) -> None:
    raise DeviceUnavailable("no such device", hint="buy one")


def breaks(_: Any) -> None:
    raise OSError("two\nlines")


def hangs(_: Any) -> None:
    time.sleep(60)


def test_an_answer_comes_back_as_the_value_it_is() -> None:
    answer = ask(doubled, 21)
    assert (answer.value, answer.failure) == (42, None)


def test_what_a_child_prints_is_no_part_of_its_answer(capfd: pytest.CaptureFixture[str]) -> None:
    assert ask(babbles).value == [1, 2]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("question", "failure"),
    [
        (crashes, "the process was ended by SIGSEGV"),
        (leaves, "undefined symbol: foo"),
        (leaves_in_silence, "the process ended with status 3"),
        (breaks, "OSError: two lines"),
    ],
)
def test_a_child_that_breaks_is_told_of_in_one_line(question: Any, failure: str) -> None:
    answer = ask(question)
    assert (answer.value, answer.failure) == (None, failure)


def test_an_error_of_ours_keeps_its_hint() -> None:
    answer = ask(refuses)
    assert (answer.failure, answer.hint) == ("no such device", "buy one")


def test_a_child_that_hangs_is_given_up() -> None:
    assert ask(hangs, timeout_s=1).failure == "no answer within 1 s"
