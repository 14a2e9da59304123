"""Results by the handful: as many as share a step well, but never long after the first of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def by_the_handful(
    results: Iterable[T | None], most: int, seconds: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[list[T]]:
    """Groups of up to `most` results, in order.

    One is complete once `seconds` have passed since its first, or when None says that nothing comes for the
    moment; it may be empty then. So no slow input holds back what is finished, and an interruption costs
    `seconds` of work.
    """
    handful: list[T] = []
    began = 0.0
    for result in results:
        if result is not None:
            if not handful:
                began = clock()
            handful.append(result)
        if result is None or len(handful) >= most or clock() - began >= seconds:
            yield handful
            handful = []
    if handful:
        yield handful
