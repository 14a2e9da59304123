"""Searches worked out by hand, and against the plainest loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from arcface_cli.errors import NothingToCount
from arcface_cli.evaluation.identification import (
    NOBODY,
    Searches,
    cmc,
    fnir,
    fpir,
    search,
    with_distractors,
)


def searches(own: list[float], other: list[float], rank: list[int], enrolled: list[int]) -> Searches:
    return Searches(
        np.array(own, float),
        np.array(other, float),
        np.array(rank),
        np.array(enrolled, bool),
        np.arange(len(own)),
        10,
    )


NAN = np.nan
FIVE = searches(
    own=[0.8, 0.5, 0.6, NAN, NAN, NAN],
    other=[0.4, 0.6, 0.3, NAN, 0.5, 0.2],
    rank=[1, 2, 1, 0, 0, 0],
    enrolled=[1, 1, 1, 1, 0, 0],
)


def test_open_set_rates_worked_out_by_hand() -> None:
    assert fpir(FIVE, 0.5) == 1 / 2
    assert fpir(FIVE, 0.51) == 0.0
    assert fnir(FIVE, 0.5, rank=1) == 2 / 4  # one at rank 2, one without a template
    assert fnir(FIVE, 0.5, rank=2) == 1 / 4
    assert fnir(FIVE, 0.7, rank=2) == 3 / 4


def test_cmc_counts_what_gave_no_template_as_missed() -> None:
    assert cmc(FIVE, 3).tolist() == [2 / 4, 3 / 4, 3 / 4]


def test_rates_over_nobody_are_errors() -> None:
    everybody = searches([0.8], [0.1], [1], [1])
    with pytest.raises(NothingToCount):
        fpir(everybody, 0.5)
    with pytest.raises(NothingToCount):
        cmc(searches([NAN], [0.1], [0], [0]), 1)


@given(st.integers(0, 2**32 - 1))
def test_a_search_agrees_with_the_plainest_loop(seed: int) -> None:
    random = np.random.default_rng(seed)
    subjects, templates, count = 4, int(random.integers(1, 12)), 6
    # few distinct numbers, so that equal scores happen
    gallery = random.integers(-1, 2, (templates, 3)).astype(np.float32)
    probes = random.integers(-1, 2, (count, 3)).astype(np.float32)
    rows = random.integers(0, subjects, templates)
    own_rows = random.integers(-1, subjects, count)
    excluded = random.integers(-1, templates, count)
    own, other, rank = search(probes, gallery, rows, own_rows, subjects, excluded=excluded)
    for q in range(count):
        best = {}
        for t in range(templates):
            if t != excluded[q]:
                score = float(probes[q] @ gallery[t])
                best[rows[t]] = max(score, best.get(rows[t], -np.inf))
        mine = best.pop(own_rows[q], None) if own_rows[q] != NOBODY else None
        np.testing.assert_equal(own[q], NAN if mine is None else mine)
        np.testing.assert_equal(other[q], max(best.values()) if best else NAN)
        assert rank[q] == (0 if mine is None else 1 + sum(score >= mine for score in best.values()))


def test_distractors_are_further_subjects_of_one_template() -> None:
    random = np.random.default_rng(3)

    def unit(count: int) -> NDArray[np.float32]:
        rows = random.normal(size=(count, 8)).astype(np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    gallery, probes, distractors = unit(5), unit(7), unit(9)
    own_rows = np.array([0, 1, 2, 3, 4, NOBODY, NOBODY])
    plain = Searches(*search(probes, gallery, np.arange(5), own_rows, 5), own_rows != NOBODY, np.arange(7), 5)
    for grown in with_distractors(plain, probes, distractors, [2, 9]):
        size = grown.subjects - 5
        own, other, rank = search(
            probes, np.concatenate([gallery, distractors[:size]]), np.arange(5 + size), own_rows, 5 + size
        )
        np.testing.assert_allclose(grown.own, own, rtol=1e-6)
        np.testing.assert_allclose(grown.other, other, rtol=1e-6)
        assert grown.rank.tolist() == rank.tolist()
