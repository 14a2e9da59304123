"""Painting beside the work: in order, a few ahead, no answer told before its picture is there."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from arcface_cli.errors import NoFace, OutputError
from arcface_cli.faces import Done, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import IdentifiedPhoto
from arcface_cli.workflows.pictures import AHEAD, Identified, draw
from fakes import seen_faces


def result(index: int) -> Identified:
    return Photo(Path(f"{index}.jpg")), Done(IdentifiedPhoto(replace(seen_faces([]), content=b"x"), ()))


def slowly(photo: Photo, answer: IdentifiedPhoto) -> Path:
    assert answer.photo.content == b"x"
    time.sleep(random.random() / 500)
    return Path("drawn") / str(photo.path)


def test_results_keep_their_order_and_carry_their_picture_but_no_longer_the_file() -> None:
    drawn = list(draw(map(result, range(30)), slowly, 4))
    for index, (photo, outcome) in enumerate(drawn):
        assert photo.path == Path(f"{index}.jpg")
        assert isinstance(outcome, Done)
        assert outcome.value.drawn == Path(f"drawn/{index}.jpg")
        assert outcome.value.photo.content is None


def test_a_photograph_without_an_answer_passes_unpainted() -> None:
    skipped = (Photo(Path("a.jpg")), Skipped(NoFace("a.jpg: no face was found")))
    assert list(draw([skipped], slowly, 1)) == [skipped]


def test_a_picture_is_told_of_in_the_pause_before_the_next_answer() -> None:
    def paused() -> Iterator[Identified | None]:
        yield result(0)
        while not told:
            time.sleep(0.001)
            yield None
        yield result(1)

    told: list[Identified] = []
    for each in draw(paused(), slowly, 2):
        if each is not None:
            told.append(each)
    assert [str(photo.path) for photo, _ in told] == ["0.jpg", "1.jpg"]


def test_only_a_few_are_painted_ahead() -> None:
    taken = 0

    def endless() -> Iterator[Identified]:
        nonlocal taken
        while True:
            taken += 1
            yield result(taken)

    drawn = draw(endless(), slowly, 2)
    for told in range(1, 12):
        next(drawn)
        assert taken <= told + 2 * AHEAD
    drawn.close()  # type: ignore[attr-defined]


def test_what_cant_be_written_ends_the_run_after_the_results_before_it() -> None:
    def full(photo: Photo, answer: IdentifiedPhoto) -> Path:
        if photo.path == Path("2.jpg"):
            raise OutputError("drawn/2.jpg can't be written: the disk is full")
        return Path("drawn")

    drawn = draw(map(result, range(5)), full, 2)
    assert [next(drawn)[0].path, next(drawn)[0].path] == [Path("0.jpg"), Path("1.jpg")]
    with pytest.raises(OutputError, match="full"):
        next(drawn)
