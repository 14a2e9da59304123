"""Signals that end a run: one place takes them, and long runs ask it whether to go on."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType


class Stop:
    """Ends a run that is asked to: a first signal lets what is under way finish, a second stops at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    """Ctrl-C; kill, timeout, systemd and batch systems; a terminal or a connection that is gone."""
    ECHO_S = 1.0
    """`timeout` and terminals send one signal twice, to the process and to its group: no second one yet."""

    def __init__(self) -> None:
        self._number = int(signal.SIGINT)
        self._since: float | None = None

    def listen(self) -> None:
        """Take the signals that end a process; one that is ignored (nohup, a shell's &) stays so."""
        for number in self.SIGNALS:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, self._stop)

    def status(self, status: int) -> int:
        """The status to end with: 128 + the signal's number, as shells have it, where one ended the run.

        A native library that was loading at that moment may have made an error of its own of it.
        """
        return 128 + self._number if self.is_asked else status

    @property
    def is_asked(self) -> bool:
        """Whether a signal has asked to stop."""
        return self._since is not None

    def go_on(self) -> None:
        """Between two photographs: raise KeyboardInterrupt if a signal has asked to stop.

        A native library that was loading when it came may have swallowed the first one, and the night's run
        would go on to its end.
        """
        if self.is_asked:
            raise KeyboardInterrupt

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._since is None:
            self._number, self._since = number, now
            raise KeyboardInterrupt
        if number == signal.SIGINT or now - self._since > self.ECHO_S:
            os._exit(128 + number)


STOP = Stop()
"""The process has one set of signal handlers, and so one of these."""
