"""Pictures beside the answers of `identify`, painted ahead while later photographs are worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from arcface_cli.faces import Done, Outcome
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import IdentifiedPhoto

Identified = tuple[Photo, Outcome[IdentifiedPhoto]]

Paint = Callable[[Photo, IdentifiedPhoto], Path]
"""Draws the answer onto the photograph; returns the file. Called from several threads."""

AHEAD = 2
"""Pictures under way for each painter."""


def draw(results: Iterable[Identified | None], paint: Paint, painters: int) -> Iterator[Identified | None]:
    """The same results in the same order, each told only once its picture is on disk.

    None, in and out: there are no more for the moment. A photograph without an answer has no picture. What
    `paint` raises ends the run in its place.
    """
    pool = ThreadPoolExecutor(painters, thread_name_prefix="painter")
    under_way: deque[Future[Identified]] = deque()
    try:
        for result in results:
            if result is None:
                yield None
            else:
                under_way.append(pool.submit(_painted, result, paint))
            while under_way and (len(under_way) >= painters * AHEAD or under_way[0].done()):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _painted(result: Identified, paint: Paint) -> Identified:
    photo, outcome = result
    if not isinstance(outcome, Done):
        return result
    drawn = paint(photo, outcome.value)
    seen = replace(outcome.value.photo, content=None)  # let go of the file's bytes
    return photo, Done(replace(outcome.value, photo=seen, drawn=drawn))
