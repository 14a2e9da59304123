"""Which status a run ends with: the precedence that docs/exit-statuses.md gives."""

from __future__ import annotations

import pytest

from arcface_cli.cli.tally import Tally
from arcface_cli.errors import (
    ArcfaceError,
    DuplicatePhoto,
    EmptyFile,
    EnrolledAsAnother,
    MissingFile,
    NoFace,
    NoInputs,
    UnreadableImage,
)

Happened = tuple[ArcfaceError, bool]


def tally(*happened: Happened, done: int = 0, matches: int = 0) -> Tally:
    made = Tally(done=done, matches=matches)
    for error, named in happened:
        made.add_failed(error, named=named)
    return made


NO_FACE, TEXT = (NoFace("a"), True), (UnreadableImage("b"), True)
MISSING, LISTED = (MissingFile("c"), True), (MissingFile("d"), False)


def skipped(*errors: ArcfaceError, done: int = 0) -> Tally:
    made = Tally(done=done)
    for error in errors:
        made.add_skipped(error, named=True)
    return made


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (tally(done=3), 0),
        (tally(), 0),
        (tally(NO_FACE), 4),
        (tally(TEXT), 3),
        (tally(MISSING), 2),
        (tally(LISTED), 2),
        (tally((EmptyFile("e"), False)), 3),
        (tally(NO_FACE, done=1), 3),
        (tally(NO_FACE, NO_FACE), 3),
        (tally(LISTED, done=1), 3),
        (tally(MISSING, done=1), 2),
        (tally(MISSING, NO_FACE, TEXT, done=5), 2),
        (tally((NoInputs("f"), True), done=1), 2),
        (skipped(DuplicatePhoto("g")), 0),
        (skipped(DuplicatePhoto("g"), DuplicatePhoto("h"), done=1), 0),
        (skipped(DuplicatePhoto("g"), NoFace("h")), 3),
        (skipped(EnrolledAsAnother("i")), 3),
    ],
)
def test_the_status_of_a_run(made: Tally, status: int) -> None:
    assert made.status() == status


@pytest.mark.parametrize(
    ("made", "status"),
    [
        (tally(done=2), 1),
        (tally(done=2, matches=1), 0),
        (tally(MISSING, NO_FACE, done=2, matches=1), 0),
        (tally(NO_FACE, done=1), 3),
        (tally(NO_FACE), 4),
        (tally(MISSING, done=1), 2),
    ],
)
def test_the_status_of_is_anybody_known(made: Tally, status: int) -> None:
    assert made.status(exists=True) == status


def test_the_summary_counts_by_reason() -> None:
    made = tally(NO_FACE, NO_FACE, TEXT, done=4)
    made.add_skipped(DuplicatePhoto("x"), named=True)
    assert made.summary("enroll", 2.0) == (
        "enroll: 8 photographs: 4 done, 1 skipped (duplicate 1), "
        "3 failed (no_face 2, unreadable_image 1); 2.0 s, 4.0 a second"
    )
