"""Progress for people: Rich on stderr when that is a terminal, nothing otherwise."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from arcface_cli.cli.console import say, stderr_console
from arcface_cli.cli.tally import Tally

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


SILENT_S = 1.0
"""A run shorter than this shows no progress: it would only flash."""


@contextlib.contextmanager
def batch_progress(*, shown: bool) -> Iterator[Callable[[Tally], None]]:
    """A line that counts photographs; the block gets a function to call after each."""
    if not (shown and sys.stderr.isatty()):
        yield lambda tally: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    progress = Progress(*columns, console=stderr_console(), transient=True)
    task = progress.add_task("")
    started = time.monotonic()

    def advance(tally: Tally) -> None:
        elapsed = time.monotonic() - started
        if elapsed < SILENT_S:
            return
        rate = tally.total / elapsed
        counts = f"{tally.total} photographs, {tally.faces} faces, {tally.unfinished} unusable"
        text = f"{counts}, {rate:.1f} a second"
        progress.update(task, description=text)
        progress.start()

    try:
        yield advance
    finally:
        progress.stop()


class DownloadProgress:
    """Tells of transfers (`weights.progress.Progress`): a bar on a terminal, one line each otherwise."""

    def __init__(self, *, quiet: bool, bars: bool) -> None:
        self._quiet = quiet
        self._bars = bars and sys.stderr.isatty() and not quiet
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def started(self, label: str, total: int | None) -> None:
        """Begin a bar, or say what is being fetched."""
        if not self._bars:
            self.remarked(f"fetching {label}")
            return
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=stderr_console(), transient=True)
        self._progress.start()
        self._task = self._progress.add_task(label, total=total)

    def reached(self, done: int) -> None:
        """Move the bar."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)

    def finished(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None

    def remarked(self, text: str) -> None:
        """A line to people."""
        if not self._quiet:
            say(text)
