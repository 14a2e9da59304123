"""Who is writing? A note beside the gallery that lets a message name the process which holds the lock.

The lock itself is SQLite's, which the kernel drops with the process that held it. A note that a killed
process left behind therefore blocks nobody; it is known by its process being gone, and is written over.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FILE_NAME = "gallery.writer"

_LONGEST_NOTE = 4096  # bytes
_LONGEST_COMMAND = 200  # characters


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that writes. started: its start in clock ticks since the machine's (proc(5)), if known."""

    pid: int
    host: str
    command: str
    since: str
    started: int | None

    @property
    def described(self) -> str:
        """`process 4711 on host 'pi' (arcface enroll ./people/), since 2026-11-24T07:30:00Z`."""
        return f"process {self.pid} on {self.host} ({self.command}), since {self.since}"

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended for certain; of another machine's nothing is certain."""
        return self.host == socket.gethostname() and _start_of(self.pid) != self.started


@contextlib.contextmanager
def left_in(folder: Path) -> Iterator[None]:
    """Leave a note while the block runs. It serves messages only, so failing to write it stops nobody."""
    path = folder / FILE_NAME
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(asdict(_this_process())).encode())
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def read(folder: Path) -> Writer | None:
    """The note in a gallery's folder; None without one, or when it says nothing sensible."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            fields = json.loads(file.read(_LONGEST_NOTE))
        writer = Writer(**fields)
    except (OSError, ValueError, TypeError):
        return None
    texts = (writer.host, writer.command, writer.since)
    sound = isinstance(writer.pid, int) and all(
        isinstance(text, str) and text.isprintable() for text in texts
    )
    return writer if sound else None


def holder(folder: Path) -> Writer | None:
    """Who holds the lock, as far as can be told: a note of a process that still runs."""
    writer = read(folder)
    return None if writer is None or writer.is_gone else writer


def _this_process() -> Writer:
    pid = os.getpid()
    command = " ".join([Path(sys.argv[0] or "python").name, *sys.argv[1:]])[:_LONGEST_COMMAND]
    shown = "".join(character if character.isprintable() else "?" for character in command)
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Writer(pid, socket.gethostname(), shown, since, _start_of(pid))


def _start_of(pid: int) -> int | None:
    """Clock ticks at which a process started, which tells it from a later one of the same number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None
