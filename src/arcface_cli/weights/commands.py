"""Running pip and npm: in a folder of its own, with nothing of theirs on our stdout."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command ended. output: stdout and stderr together, as they came."""

    status: int
    output: str

    @property
    def last_words(self) -> str:
        """The last line that says what went wrong, for a one-line error."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith(("error", "npm error", "npm err!"))]
        return (errors or lines or [f"exit status {self.status}"])[0][:200]


class Runner(Protocol):
    """Runs one command to its end in a folder."""

    def __call__(self, command: Sequence[str], folder: Path) -> Completed:
        """Run `command` in `folder`, reading nothing, its output captured."""
        ...


def run(command: Sequence[str], folder: Path) -> Completed:
    """Run a command; it reads nothing and its output is captured. An interrupt ends it with us."""
    done = subprocess.run(
        list(command),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Completed(done.returncode, done.stdout)
