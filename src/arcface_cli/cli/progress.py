"""Progress for people: Rich on stderr when that is a terminal, nothing otherwise."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from arcface_cli.cli.console import say, stderr_console
from arcface_cli.cli.tally import Tally
from arcface_cli.wording import counted

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


SILENT_S = 1.0
"""A run shorter than this shows no progress: it would only flash."""
LINE_EVERY_S = 10.0

Advance = Callable[[Tally], None]
Count = Callable[[], int]


@contextlib.contextmanager
def batch_progress(*, bar: bool, lines: bool, count: Count | None) -> Iterator[Advance]:
    """Tell how far a run is; the block gets a function to call after each photograph.

    bar: draw one, if stderr is a terminal.  lines: else write a line every ten seconds.  count: says how
    many photographs there are in all; it may take its time, so it runs beside the work.
    """
    if bar and sys.stderr.isatty():
        with _bar(count) as advance:
            yield advance
    elif lines:
        yield _line_writer()
    else:
        yield lambda tally: None


def _line_writer() -> Advance:
    started = last = time.monotonic()

    def advance(tally: Tally) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY_S:
            last = now
            say(_words(tally, now - started))

    return advance


@contextlib.contextmanager
def _bar(count: Count | None) -> Iterator[Advance]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=stderr_console(), transient=True)
    task = progress.add_task("", total=None)
    started = time.monotonic()
    if count is not None:
        threading.Thread(target=lambda: progress.update(task, total=count()), daemon=True).start()

    def advance(tally: Tally) -> None:
        elapsed = time.monotonic() - started
        if elapsed >= SILENT_S:
            progress.update(task, completed=tally.total, description=_words(tally, elapsed))
            progress.start()

    try:
        yield advance
    finally:
        progress.stop()


def _words(tally: Tally, elapsed: float) -> str:
    rate = (tally.total - tally.earlier) / elapsed
    seen = f"{counted(tally.total, 'photograph')}, {counted(tally.faces, 'face')}"
    return f"{seen}, {tally.unfinished} unusable, {rate:.1f} a second"


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
