"""Ask a question in a process of its own.

A broken native library may end the process that loads it, print to any stream, or never return. The one that
examines the machine must outlive that, so it lets a child load them and reads its answer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from arcface_cli.errors import ArcfaceError

Question = Callable[[Any], Any]
"""A function at the top of a module, of one JSON value, that returns one."""

USUAL_SECONDS = 120.0
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; from arcface_cli.diagnosis.apart import reply; reply(*{words!r})"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a JSON value, or why none did (`failure`, with the step that helps in `hint`)."""

    value: Any = None
    failure: str | None = None
    hint: str | None = None


Ask = Callable[[Question, Any], Answer]


def ask(question: Question, argument: Any = None, *, timeout_s: float = USUAL_SECONDS) -> Answer:
    """Call `question(argument)` in a child with the same import path; whatever it prints is dropped."""
    words = (question.__module__, question.__qualname__, json.dumps(argument))
    program = _PROGRAM.format(path=sys.path, words=words)
    try:
        child = subprocess.run(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(failure=f"no answer within {timeout_s:.0f} s")
    except OSError as error:
        return Answer(failure=f"no process can be started ({error.strerror})")
    return _read(child)


def _read(child: subprocess.CompletedProcess[bytes]) -> Answer:
    if child.returncode < 0:
        return Answer(failure=f"the process was ended by {_signal_name(-child.returncode)}")
    try:
        return Answer(**json.loads(child.stdout))
    except (ValueError, TypeError):
        said = child.stderr.decode(errors="replace").strip().splitlines()
        return Answer(failure=said[-1] if said else f"the process ended with status {child.returncode}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def reply(module: str, name: str, argument: str) -> None:
    """The child's part: one JSON object on stdout, where nothing else gets through."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        told: dict[str, Any] = {"value": getattr(import_module(module), name)(json.loads(argument))}
    except ArcfaceError as error:
        told = {"failure": error.message, "hint": error.hint}
    except Exception as error:  # whatever a broken package provokes is the answer
        told = {"failure": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    with answers:
        json.dump(told, answers)
