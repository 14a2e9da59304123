"""Whoever waits for a gallery's lock is told so, once, and who holds it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOTICED_AFTER = 2.0
"""Seconds of waiting that nobody wonders about."""


class Waits:
    """Tells of a wait that has become long, the first time. after: seconds."""

    def __init__(self, after: float = NOTICED_AFTER) -> None:
        self._after = after
        self._tell: Callable[[str], None] | None = None

    def tell_with(self, tell: Callable[[str], None] | None) -> None:
        """Hand the words to `tell`, which another thread calls; None: nobody wants to know."""
        self._tell = tell

    @contextmanager
    def noticed(self, path: Path) -> Iterator[None]:
        """While the block takes the lock of the gallery file `path`."""
        if self._tell is None:
            yield
            return
        timer = threading.Timer(self._after, self._notice, (path,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _notice(self, path: Path) -> None:
        from arcface_cli.gallery.writer_note import holder

        tell, self._tell = self._tell, None
        writer = holder(path.parent)
        if tell is not None:
            who = "another program" if writer is None else writer.described
            tell(f"{path.parent}: is being written by {who}: waiting for it")


WAITS = Waits()
"""The one of this process: it waits for one lock at a time."""
