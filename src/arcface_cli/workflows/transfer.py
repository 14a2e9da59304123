"""Templates of one gallery into another, a batch a transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

from arcface_cli.gallery.entries import Added, AddResult, Duplicate, NewTemplate

BATCH = 500
"""Templates in one transaction."""


def transfer(
    entries: Iterable[NewTemplate], add: Callable[[list[NewTemplate]], list[AddResult]]
) -> Counter[str]:
    """Enrol them all; how many were added, were there already, and belong to somebody else there."""
    counts: Counter[str] = Counter(added=0, duplicate=0, enrolled_as_another=0)
    stream = iter(entries)
    while batch := list(islice(stream, BATCH)):
        for result in add(batch):
            counts[_word(result)] += 1
    return counts


def _word(result: AddResult) -> str:
    if isinstance(result, Added):
        return "added"
    return "duplicate" if isinstance(result, Duplicate) else "enrolled_as_another"
