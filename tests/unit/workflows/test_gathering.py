"""Results come by the handful, whole and in order, and none waits long."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.workflows.gathering import by_the_handful


@given(st.lists(st.integers()), st.integers(1, 7), st.floats(0, 10))
def test_nothing_is_lost_doubled_or_reordered(results: list[int], most: int, seconds: float) -> None:
    handfuls = list(by_the_handful(results, most, seconds))
    assert [result for handful in handfuls for result in handful] == results
    assert all(1 <= len(handful) <= most for handful in handfuls)


def test_a_pause_hands_on_what_there_is_even_nothing() -> None:
    assert list(by_the_handful([1, 2, None, None, 3], 64, 60.0)) == [[1, 2], [], [3]]


def test_a_handful_is_handed_on_when_its_first_result_has_waited_long_enough() -> None:
    now = 0.0

    def slow() -> Iterator[int]:
        nonlocal now
        for result in range(7):
            now += 1.0
            yield result

    handfuls = list(by_the_handful(slow(), 64, 2.0, clock=lambda: now))
    assert handfuls == [[0, 1, 2], [3, 4, 5], [6]]
