"""`identify`: who is on each photograph; unknown and ambiguous are answers like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from arcface_cli.decision import Decision, OperatingPoint, decide
from arcface_cli.faces import Done, Outcome, TemplateBatch
from arcface_cli.gallery.search import Fusion, SubjectSearch
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import IdentifiedPhoto
from arcface_cli.workflows.gathering import by_the_handful

SEARCHED_TOGETHER, SEARCH_AFTER_S = 16, 0.5
"""Photographs whose probes share one pass over the gallery, and seconds to wait for them: in a large
gallery, reading it is the cost."""


@dataclass(frozen=True, slots=True)
class Question:
    """How to answer. margin: similarity lead that a match needs. top: candidates to tell of, 1 or more."""

    point: OperatingPoint
    margin: float = 0.0
    top: int = 1
    fusion: Fusion = Fusion.MAX


def identify(
    results: Iterable[PhotoOutcome | None], search: SubjectSearch, question: Question
) -> Iterator[tuple[Photo, Outcome[IdentifiedPhoto]] | None]:
    """Decide for every face of every photograph; one outcome each, in order.

    None, in and out: there are no more for the moment.
    """
    for batch in by_the_handful(results, SEARCHED_TOGETHER, SEARCH_AFTER_S):
        if not batch:
            yield None
        decisions = iter(_decide_all(_probes(batch), search, question))
        for photo, outcome in batch:
            if isinstance(outcome, Done):
                mine = tuple(islice(decisions, len(outcome.value.faces)))
                yield photo, Done(IdentifiedPhoto(outcome.value, mine))
            else:
                yield photo, outcome


def _probes(batch: Sequence[PhotoOutcome]) -> list[TemplateBatch]:
    done = [outcome.value for _, outcome in batch if isinstance(outcome, Done)]
    return [photo.templates for photo in done if photo.templates is not None]


def _decide_all(probes: list[TemplateBatch], search: SubjectSearch, question: Question) -> list[Decision]:
    if not probes:
        return []
    together = TemplateBatch(np.concatenate([each.features for each in probes]), probes[0].fingerprint)
    # The runner-up is needed for the margin, whether or not it is to be told of.
    found = search.search_subjects(together, max(question.top, 2), question.fusion)
    return [decide(candidates, question.point, question.margin) for candidates in found]
