"""Speeds measured in turns, with a clock that only the work moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from arcface_cli.workflows.measuring import Rates, Repeated, in_turns


class WorkClock:
    """Stands still unless somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float, items: float = 1.0) -> Callable[[], float]:
        def once() -> float:
            self.now += seconds
            return items

        return once


def test_one_caller_repeats_until_its_time_is_over_and_the_last_repetition_counts() -> None:
    clock = WorkClock()
    assert Repeated([clock.work(0.4, items=3)]).turn(1.0, clock) == Rates(pytest.approx(9 / 1.2))
    assert clock.now == pytest.approx(1.2)


def test_work_that_takes_longer_than_its_turn_is_done_once() -> None:
    clock = WorkClock()
    assert Repeated([clock.work(5.0)]).turn(0.1, clock).per_second == pytest.approx(0.2)
    assert clock.now == 5.0


def test_the_rates_of_several_callers_add_up() -> None:
    def once() -> float:
        time.sleep(0.02)
        return 1.0

    alone = Repeated([once]).turn(0.2, time.perf_counter).per_second
    together = Repeated([once] * 4).turn(0.2, time.perf_counter).per_second
    assert together / alone == pytest.approx(4, rel=0.5)


def test_the_failure_of_one_caller_ends_the_turn_of_all() -> None:
    def fail() -> float:
        raise ValueError("worn out")

    def wait() -> float:
        time.sleep(0.001)
        return 1.0

    start = time.monotonic()
    with pytest.raises(ValueError, match="worn out"):
        Repeated([fail, wait, wait]).turn(30, time.perf_counter)
    assert time.monotonic() - start < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("bench")]


def test_trials_take_turns_and_the_first_round_does_not_count() -> None:
    clock, order = WorkClock(), []
    speeds = iter([9.0, 1.0, 0.5, 0.25])  # seconds of "a": cold at first

    def slow_at_first() -> float:
        return clock.work(next(speeds))()

    trials = {
        "a": Repeated([slow_at_first]),
        "b": Repeated([clock.work(1.0, items=2)]),
    }
    measured = in_turns(trials, 3, 0.3, clock, lambda number, name: order.append((number, name)))
    assert [rates.per_second for rates in measured["a"]] == [1.0, 2.0, 4.0]
    assert [rates.per_second for rates in measured["b"]] == [2.0, 2.0, 2.0]
    assert order == [(number, name) for number in range(4) for name in "ab"]


def test_the_time_of_a_trial_is_shared_by_its_rounds() -> None:
    clock = WorkClock()
    in_turns({"a": Repeated([clock.work(0.25)])}, 4, 4.0, clock)
    assert clock.now == pytest.approx(4.0 + 1.0)
