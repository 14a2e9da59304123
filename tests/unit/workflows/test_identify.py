"""Identification: a decision for every face, photographs searched together, order kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arcface_cli.decision import OperatingPoint, Verdict
from arcface_cli.errors import NoFace
from arcface_cli.faces import Done, Skipped
from arcface_cli.gallery.search import SubjectSearch
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.workflows.identify import SEARCHED_TOGETHER, Question, identify
from fakes import face_at, fingerprint, seen_faces, unit
from gallery_samples import snapshot_of

ADA, BOB, STRANGER = unit(1, 0, 0, 0), unit(0, 1, 0, 0), unit(0, 0, 1, 0)
BETWEEN = unit(1, 1, 0, 0)
QUESTION = Question(OperatingPoint(0.5, "option"), margin=0.05, top=1)
NOBODY = Skipped(NoFace("b.jpg: no face was found"))


def search_of(*features: np.ndarray) -> SubjectSearch:
    """A gallery of ada and bob, as far as there are features."""
    rows = np.concatenate(features) if features else np.zeros((0, 4), np.float32)
    snapshot = snapshot_of(rows, range(len(rows)))
    names = ("ada", "bob")[: len(rows)]
    return SubjectSearch(replace(snapshot, subjects=names, fingerprint=fingerprint()))


def done(*features: np.ndarray) -> Done:
    faces = [face_at(index=i) for i in range(len(features))]
    return Done(seen_faces(faces, np.concatenate(features)))


def answers(
    results: list[PhotoOutcome], search: SubjectSearch, question: Question = QUESTION
) -> list[object]:
    told = []
    for _, outcome in identify(results, search, QUESTION):
        decisions = outcome.value.decisions if isinstance(outcome, Done) else ()
        told.append([(d.verdict, d.subject) for d in decisions] if decisions else outcome)
    return told


def photos(*outcomes: object) -> list[PhotoOutcome]:
    return [(Photo(Path(f"{i}.jpg")), outcome) for i, outcome in enumerate(outcomes)]  # type: ignore[misc]


def test_every_face_gets_its_own_answer_and_photographs_without_one_keep_their_place() -> None:
    results = photos(done(ADA, STRANGER), NOBODY, done(BOB), done(BETWEEN))
    assert answers(results, search_of(ADA, BOB)) == [
        [(Verdict.MATCH, "ada"), (Verdict.UNKNOWN, None)],
        NOBODY,
        [(Verdict.MATCH, "bob")],
        [(Verdict.AMBIGUOUS, None)],
    ]


def test_an_empty_gallery_knows_nobody() -> None:
    assert answers(photos(done(ADA)), search_of()) == [[(Verdict.UNKNOWN, None)]]


@pytest.mark.parametrize("count", [1, SEARCHED_TOGETHER, SEARCHED_TOGETHER + 1, 3 * SEARCHED_TOGETHER - 1])
def test_searching_together_changes_no_answer(count: int) -> None:
    probes = [(ADA, BOB, STRANGER)[i % 3] for i in range(count)]
    together = answers(photos(*map(done, probes)), search_of(ADA, BOB))
    apart = [answers(photos(done(probe)), search_of(ADA, BOB))[0] for probe in probes]
    assert together == apart


def test_only_a_batch_is_taken_from_the_stream_before_its_answers_come() -> None:
    taken = 0

    def endless() -> Iterator[PhotoOutcome]:
        nonlocal taken
        while True:
            taken += 1
            yield Photo(Path("a.jpg")), done(ADA)

    next(iter(identify(endless(), search_of(ADA), QUESTION)))
    assert taken == SEARCHED_TOGETHER


def test_the_runner_up_is_searched_even_if_one_candidate_is_enough_to_tell() -> None:
    ((_, outcome),) = identify(photos(done(ADA)), search_of(ADA, BOB), QUESTION)
    assert isinstance(outcome, Done)
    assert outcome.value.decisions[0].margin == pytest.approx(1.0)
