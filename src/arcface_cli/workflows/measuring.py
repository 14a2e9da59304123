"""How fast things go, measured in turns: whatever else the machine does, it does to all of them alike."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

Clock = Callable[[], float]
"""Seconds since some moment."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one turn. per_second: items.  faces_per_second: where an item may show several faces, or none."""

    per_second: float
    faces_per_second: float | None = None


class Trial(Protocol):
    """Something whose speed is asked for."""

    def turn(self, seconds: float, clock: Clock) -> Rates:
        """Repeat it until `seconds` have passed, once at least."""
        ...


class Repeated:
    """A trial of calls that are repeated by several callers at once.

    callers: what each of them calls; it returns how many items it did.
    """

    def __init__(self, callers: Sequence[Callable[[], float]]) -> None:
        self._callers = callers

    def turn(self, seconds: float, clock: Clock) -> Rates:
        """See `Trial`. Each caller's own rate counts, so that waiting for the slowest costs nothing."""
        stop = threading.Event()
        if len(self._callers) == 1:
            return Rates(_repeat(self._callers[0], seconds, clock, stop))
        with ThreadPoolExecutor(len(self._callers), thread_name_prefix="bench") as pool:
            try:
                turns = [pool.submit(_repeat, once, seconds, clock, stop) for once in self._callers]
                return Rates(sum(turn.result() for turn in turns))
            finally:
                stop.set()  # Ctrl-C, or an error of one of them, ends the others' turns


def _repeat(once: Callable[[], float], seconds: float, clock: Clock, stop: threading.Event) -> float:
    start = clock()
    done = once()
    while (passed := clock() - start) < seconds and not stop.is_set():
        done += once()
    return done / passed


def in_turns(
    trials: Mapping[str, Trial],
    rounds: int,
    seconds: float,
    clock: Clock,
    tell: Callable[[int, str], None] = lambda number, name: None,
) -> dict[str, list[Rates]]:
    """Every trial's rates, one a round, after a round that warms up and doesn't count.

    seconds: of each trial over all rounds.  tell: called with the round (0 warms up) and the trial's name.
    """
    measured: dict[str, list[Rates]] = {name: [] for name in trials}
    for number in range(rounds + 1):
        for name, trial in trials.items():
            tell(number, name)
            rates = trial.turn(seconds / rounds, clock)
            if number > 0:
                measured[name].append(rates)
    return measured
