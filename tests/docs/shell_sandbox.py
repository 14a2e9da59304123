"""A place to type commands in, as a user would."""

from __future__ import annotations

import os
import pty
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a command line printed on both streams, and its exit status."""

    output: str
    stdout: str
    status: int


@dataclass(frozen=True)
class Sandbox:
    """A working folder and the environment of a user who has just installed arcface."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str, *, terminal: bool = False, timeout_s: float = 120) -> Ran:
        """Run a bash command line. terminal: let it take stdout for one, so that it draws tables."""
        if not terminal:
            return self._run_piped(command, timeout_s)
        ours, theirs = pty.openpty()
        try:
            shown = self._start(command, theirs, timeout_s)
        finally:
            os.close(theirs)
        stdout = _read_all(ours).decode().replace("\r\n", "\n")
        return Ran(stdout + shown.stderr, stdout, shown.returncode)

    def _run_piped(self, command: str, timeout_s: float) -> Ran:
        shown = self._start(command, subprocess.PIPE, timeout_s)
        return Ran(shown.stdout + shown.stderr, shown.stdout, shown.returncode)

    def _start(self, command: str, stdout: int, timeout_s: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=timeout_s,
            check=False,
            text=True,
            encoding="utf-8",
        )


def _read_all(descriptor: int) -> bytes:
    """What is left in a terminal whose other end is closed; our outputs fit into its buffer."""
    parts = []
    try:
        while part := os.read(descriptor, 65536):
            parts.append(part)
    except OSError:  # how Linux says that the other end is closed
        return b"".join(parts)
    finally:
        os.close(descriptor)
    return b"".join(parts)
