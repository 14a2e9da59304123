"""`evaluate`: labelled photographs, already embedded -> scores, figures and the pairs worth looking at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import NothingToCount
from arcface_cli.evaluation import summary
from arcface_cli.evaluation.assertions import Run
from arcface_cli.evaluation.histogram import ScoreCounts, count_all_pairs
from arcface_cli.evaluation.identification import NOBODY, Searches, search, with_distractors
from arcface_cli.evaluation.scores import Flags, Ints, PairScores
from arcface_cli.inputs.pair_lists import PairList
from arcface_cli.workflows.templates import Templates

LISTED_PAIRS = 4_000_000
"""All pairs of a folder up to which every score is kept; beyond, only how often each occurs."""

SHOWN_PAIRS = 6

_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class WorstPair:
    """A comparison that went furthest wrong. first, second: items, by number."""

    genuine: bool
    similarity: float
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    figures: as `evaluation.summary` makes them.  run: the scores behind them.  worst: pairs to look at.
    """

    figures: dict[str, Any]
    run: Run
    worst: tuple[WorstPair, ...]


def numbered(people: Sequence[str]) -> Ints:
    """(N,) a number for each name, equal where the names are."""
    return np.unique(np.array(people, dtype=np.str_), return_inverse=True)[1].astype(np.int64)


def groups_of(
    values: Mapping[str, str], first: Sequence[str], second: Sequence[str] | None = None
) -> dict[str, Flags]:
    """Flags of the comparisons whose two people (or searches whose one) share a value, by value."""
    found: dict[str, Flags] = {}
    mine = np.array([values.get(person, "") for person in first], dtype=np.str_)
    other = mine if second is None else np.array([values.get(person, "") for person in second], dtype=np.str_)
    for value in sorted(set(values.values())):
        flags = (mine == value) & (other == value)
        if value and flags.any():
            found[value] = flags
    return found


# --- pairs -----------------------------------------------------------------------------------------


def of_pairs(
    pairs: PairList,
    templates: Templates,
    threshold: float | None,
    attributes: Mapping[str, str] | None = None,
) -> Evaluation:
    """Compare the listed pairs. Raises NothingToCount, also for a fold without genuine or impostor pairs."""
    first, second = np.array(pairs.first, dtype=np.int64), np.array(pairs.second, dtype=np.int64)
    people = numbered(pairs.people)
    scores = PairScores(
        similarities(templates, first, second),
        np.array(pairs.same, dtype=bool),
        people[first],
        people[second],
        None if pairs.fold is None else np.array(pairs.fold, dtype=np.int64),
    )
    return _listed(scores, first, second, pairs.people, threshold, attributes)


def of_folder(
    people: Sequence[str], templates: Templates, threshold: float | None,
    attributes: Mapping[str, str] | None = None,
) -> Evaluation:  # fmt: skip
    """Compare all pairs of photographs; people: who is on each. Raises NothingToCount."""
    numbers = numbered(people)
    count = len(people)
    if len(np.unique(numbers)) < 2:
        raise NothingToCount(
            "all photographs show one person: there is no impostor pair", hint="add a folder of somebody else"
        )
    if count * (count - 1) // 2 > LISTED_PAIRS:
        return _counted(numbers, templates, threshold)
    first, second = (rows.astype(np.int64) for rows in np.triu_indices(count, 1))
    scores = PairScores(
        similarities(templates, first, second),
        numbers[first] == numbers[second],
        numbers[first],
        numbers[second],
    )
    return _listed(scores, first, second, people, threshold, attributes)


def _listed(
    scores: PairScores, first: Ints, second: Ints, people: Sequence[str], threshold: float | None,
    attributes: Mapping[str, str] | None,
) -> Evaluation:  # fmt: skip
    groups = None
    if attributes is not None:
        groups = groups_of(attributes, [people[i] for i in first], [people[i] for i in second])
    figures = summary.verification(scores, threshold, groups)
    return Evaluation(figures, scores, tuple(_worst(scores, first, second)))


def _counted(numbers: Ints, templates: Templates, threshold: float | None) -> Evaluation:
    known = ~templates.failed
    counts, cells = count_all_pairs(templates.features[known], numbers[known], threshold)
    everything = _pair_numbers(numbers)
    usable = _pair_numbers(numbers[known])
    counts = ScoreCounts(
        counts.genuine, counts.impostor, everything[0] - usable[0], everything[1] - usable[1]
    )
    people = len(np.unique(numbers))
    return Evaluation(summary.counted(counts, people, threshold, cells), counts, ())


def _pair_numbers(numbers: Ints) -> tuple[int, int]:
    """Genuine and impostor pairs among these photographs."""
    each = np.bincount(numbers).astype(np.int64)
    genuine = int(np.sum(each * (each - 1) // 2))
    return genuine, len(numbers) * (len(numbers) - 1) // 2 - genuine


def similarities(templates: Templates, first: Ints, second: Ints) -> NDArray[np.float64]:
    """(P,) cosine similarity of listed pairs, NaN where one has no template; a block of pairs at a time."""
    found = np.empty(len(first))
    for start in range(0, len(first), _ROWS):
        block = slice(start, start + _ROWS)
        found[block] = np.einsum(
            "pd,pd->p", templates.features[first[block]], templates.features[second[block]]
        )
    failed = templates.failed
    found[failed[first] | failed[second]] = np.nan
    return np.clip(found, -1.0, 1.0)


def _worst(scores: PairScores, first: Ints, second: Ints) -> Iterable[WorstPair]:
    """Impostors most alike, then genuine pairs least alike."""
    for genuine, sign in ((False, -1.0), (True, 1.0)):
        rows = np.flatnonzero((scores.genuine == genuine) & ~np.isnan(scores.similarity))
        for row in rows[np.argsort(sign * scores.similarity[rows], kind="stable")][:SHOWN_PAIRS]:
            yield WorstPair(genuine, float(scores.similarity[row]), int(first[row]), int(second[row]))


# --- searches ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenSet:
    """Photographs to enrol and to search with, as places in one list of templates; people by name."""

    gallery: tuple[int, ...]
    gallery_people: tuple[str, ...]
    probes: tuple[int, ...]
    probe_people: tuple[str, ...]


def of_open_set(
    people: OpenSet, templates: Templates, threshold: float | None,
    attributes: Mapping[str, str] | None = None,
    distractors: NDArray[np.float32] | None = None, sizes: Sequence[int] = (),
) -> Evaluation:  # fmt: skip
    """Search the gallery with every probe, then again among each number of distractors.

    Raises NothingToCount for an empty gallery or without probes.
    """
    searches = open_set_searches(people, templates)
    groups = None if attributes is None else groups_of(attributes, people.probe_people)
    figures = summary.identification(searches, threshold, groups)
    failed = templates.failed[list(people.gallery)]
    figures["failed_to_enroll"] = int(failed.sum())
    figures["templates"] = int((~failed).sum())
    if distractors is not None:
        probes = templates.features[list(people.probes)]
        grown = with_distractors(searches, probes, distractors, sorted(sizes))
        figures["sizes"] = [
            {"distractors": size, **summary.identification(each, threshold)}
            for size, each in zip(sorted(sizes), grown, strict=True)
        ]
    return Evaluation(figures, searches, tuple(_worst_searches(people, searches, templates)))


def _worst_searches(people: OpenSet, searches: Searches, templates: Templates) -> Iterable[WorstPair]:
    """Strangers most like somebody enrolled, then enrolled people least like their own templates."""
    owners = np.array(people.gallery_people, dtype=np.str_)
    for genuine, score, sign in ((False, searches.other, -1.0), (True, searches.own, 1.0)):
        rows = np.flatnonzero((searches.enrolled == genuine) & ~np.isnan(score))
        for row in rows[np.argsort(sign * score[rows], kind="stable")][:SHOWN_PAIRS]:
            mine = owners == people.probe_people[row]
            places = np.array(people.gallery)[mine == genuine]
            alike = templates.features[places] @ templates.features[people.probes[row]]
            found = int(places[np.argmax(np.where(templates.failed[places], -2.0, alike))])
            yield WorstPair(genuine, float(score[row]), people.probes[row], found)


def open_set_searches(people: OpenSet, templates: Templates) -> Searches:
    """The searches themselves. A subject none of whose photographs could be enrolled is never found."""
    if not people.gallery or not people.probes:
        raise NothingToCount("a gallery and probes are needed, and one of them is empty")
    rows = {name: row for row, name in enumerate(sorted(set(people.gallery_people)))}
    gallery, failed = np.array(people.gallery), templates.failed
    usable = ~failed[gallery]
    subject_rows = np.array([rows[name] for name in people.gallery_people], dtype=np.int64)[usable]
    own_rows = np.array([rows.get(name, NOBODY) for name in people.probe_people], dtype=np.int64)
    probes = np.array(people.probes)
    found = search(
        templates.features[probes], templates.features[gallery[usable]], subject_rows, own_rows, len(rows)
    )
    blank = failed[probes]
    own, other, rank = (
        np.where(blank, empty, each) for each, empty in zip(found, (np.nan, np.nan, 0), strict=True)
    )
    return Searches(
        own, other, rank.astype(np.int64), own_rows != NOBODY, numbered(people.probe_people), len(rows)
    )


def split(people: Sequence[str], enrolled: int) -> OpenSet:
    """The first `enrolled` photographs of each person as the gallery, the others as probes."""
    seen: dict[str, int] = {}
    gallery: list[int] = []
    probes: list[int] = []
    for place, name in enumerate(people):
        seen[name] = seen.get(name, 0) + 1
        (gallery if seen[name] <= enrolled else probes).append(place)
    return OpenSet(
        tuple(gallery), tuple(people[i] for i in gallery), tuple(probes), tuple(people[i] for i in probes)
    )


def with_strangers(people: OpenSet, places: Sequence[int], names: Sequence[str]) -> OpenSet:
    """The same searches, and one with each stranger."""
    return OpenSet(
        people.gallery, people.gallery_people, (*people.probes, *places), (*people.probe_people, *names)
    )
