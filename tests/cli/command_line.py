"""Running the command line: in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parents[2] / "src"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command line came to."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def said(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()


Arcface = Callable[..., Answer]


def arcface_process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command line as a process of its own."""
    return subprocess.run(
        command_line(*arguments),
        env=environment(),
        text=True,
        timeout=60,
        check=False,
        **({"capture_output": True} if "stdout" not in options else {"stderr": subprocess.PIPE}),
        **options,
    )


def command_line(*arguments: object) -> Sequence[str]:
    return [sys.executable, "-m", "arcface_cli", *map(str, arguments)]


def words_of(command: str) -> list[str]:
    """The words that sh hands to `arcface` when it runs a command."""
    shell = subprocess.run(
        ["sh", "-c", f"arcface() {{ printf '%s\\0' \"$@\"; }}; {command}"],
        capture_output=True,
        check=True,
        timeout=10,
    )
    return shell.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCES), **more}
