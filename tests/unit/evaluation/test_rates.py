"""Rates on score sets worked out by hand, and against scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from arcface_cli.errors import NothingToCount, UnsupportedRate
from arcface_cli.evaluation import rates
from arcface_cli.evaluation.folds import best_threshold, fold_accuracy
from arcface_cli.evaluation.scores import PairScores

GENUINE = np.array([0.9, 0.8, 0.6, 0.3])
IMPOSTOR = np.array([0.7, 0.4, 0.3, 0.2, 0.1])
NONE = np.array([])

similarities = hnp.arrays(np.float64, st.integers(1, 30), elements=st.integers(-10, 10).map(lambda n: n / 10))


def test_rates_at_a_threshold_worked_out_by_hand() -> None:
    assert rates.fmr(IMPOSTOR, 0.4) == 2 / 5  # at the threshold it matches
    assert rates.fmr(IMPOSTOR, 0.41) == 1 / 5
    assert rates.fnmr(GENUINE, 0.6) == 1 / 4
    assert rates.fnmr(GENUINE, 0.61) == 2 / 4


def test_a_comparison_that_could_not_be_made_is_a_miss_and_never_a_match() -> None:
    assert rates.fnmr(np.append(GENUINE, np.nan), 0.0) == 1 / 5
    assert rates.fmr(np.append(IMPOSTOR, np.nan), -1.0) == 5 / 6


@pytest.mark.parametrize("rate", [rates.fmr, rates.fnmr])
def test_a_rate_over_nothing_is_an_error(rate: Callable[..., float]) -> None:
    with pytest.raises(NothingToCount, match="can't be told"):
        rate(NONE, 0.5)


def test_the_curve_worked_out_by_hand() -> None:
    curve = rates.error_curve(GENUINE, IMPOSTOR)
    assert curve.threshold.tolist() == [math.inf, 0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1]
    assert curve.fmr.tolist() == [0, 0, 0, 0.2, 0.2, 0.4, 0.6, 0.8, 1]
    assert curve.fnmr.tolist() == [1, 0.75, 0.5, 0.5, 0.25, 0.25, 0, 0, 0]


def test_the_equal_error_rate_lies_where_the_lines_between_corners_cross() -> None:
    # from (0.2, 0.25) to (0.4, 0.25): FMR = FNMR = 0.25
    rate, threshold = rates.equal_error_rate(rates.error_curve(GENUINE, IMPOSTOR))
    assert rate == pytest.approx(0.25, abs=1e-15)
    assert threshold == 0.4


def test_failures_alone_can_keep_the_two_rates_from_meeting() -> None:
    rate, _ = rates.equal_error_rate(
        rates.error_curve(np.array([np.nan, np.nan, 0.5]), np.array([0.1, np.nan]))
    )
    assert rate == pytest.approx(2 / 3)


def test_the_threshold_for_an_fmr_is_the_smallest_that_keeps_it() -> None:
    impostor = np.arange(100) / 100
    threshold = rates.threshold_at_fmr(impostor, 0.05)
    assert rates.fmr(impostor, threshold) == 0.05
    assert rates.fmr(impostor, np.nextafter(threshold, -1)) == 0.06


def test_true_accept_rate_worked_out_by_hand() -> None:
    impostor = np.concatenate([IMPOSTOR, np.full(5, -0.5)])
    rate, threshold = rates.true_accept_rate(np.array([0.9, 0.8, 0.6, 0.2]), impostor, 0.3)
    assert (rate, threshold) == (0.75, np.nextafter(0.2, 1))
    with pytest.raises(UnsupportedRate):
        rates.true_accept_rate(GENUINE, impostor, 0.1)


def test_a_rate_that_the_data_cannot_show_is_refused_with_the_number_needed() -> None:
    with pytest.raises(UnsupportedRate, match=r"1e-05 can't be told from 1,000 .* takes 300,000"):
        rates.threshold_at_fmr(np.zeros(1000), 1e-5)
    assert rates.comparisons_needed(1e-3) == 3000
    rates.require_support(1e-3, 3000)


def test_the_curve_agrees_with_scikit_learn_to_1e_12() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    genuine, impostor = random.normal(1, 1, 5000).round(2), random.normal(0, 1, 20000).round(2)
    labels = np.repeat([1, 0], [5000, 20000])
    theirs = metrics.roc_curve(labels, np.concatenate([genuine, impostor]), drop_intermediate=False)
    curve = rates.error_curve(genuine, impostor)
    for mine, other in zip((curve.fmr, 1 - curve.fnmr, curve.threshold), theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12, rtol=0)
    area = metrics.roc_auc_score(labels, np.concatenate([genuine, impostor]))
    assert rates.area_under_roc(curve) == pytest.approx(area, abs=1e-12)


@given(similarities, similarities, st.floats(-1, 1))
def test_the_curve_says_what_counting_says(
    genuine: NDArray[np.float64], impostor: NDArray[np.float64], threshold: float
) -> None:
    curve = rates.error_curve(genuine, impostor)
    place = np.flatnonzero(curve.threshold >= threshold)[-1]
    assert curve.fmr[place] == pytest.approx(rates.fmr(impostor, threshold))
    assert curve.fnmr[place] == pytest.approx(rates.fnmr(genuine, threshold))
    assert np.all(np.diff(curve.fmr) >= 0) and np.all(np.diff(curve.fnmr) <= 0)


# --- folds ----------------------------------------------------------------------------------------


def pairs(
    similarity: list[float], genuine: list[int] | NDArray[np.bool_], fold: list[int] | None = None
) -> PairScores:
    flags = np.array(genuine, dtype=bool)
    first = np.arange(len(flags)) * 2
    return PairScores(
        np.array(similarity, dtype=float),
        flags,
        first,
        np.where(flags, first, first + 1),
        None if fold is None else np.array(fold),
    )


def test_the_threshold_of_a_fold_is_chosen_on_the_others() -> None:
    scores = pairs([0.9, 0.1, 0.5, 0.3], [1, 0, 1, 0], [1, 1, 2, 2])
    found = fold_accuracy(scores)
    # fold 1 is judged by fold 2's threshold (0.4, between 0.3 and 0.5), fold 2 by fold 1's (0.5)
    assert found.thresholds == (0.4, 0.5)
    assert found.accuracies == (1.0, 1.0)
    worse = fold_accuracy(pairs([0.9, 0.1, 0.45, 0.3], [1, 0, 1, 0], [1, 1, 2, 2]))
    assert worse.accuracies == (1.0, 0.5)
    assert (worse.mean, worse.deviation, worse.standard_error) == (0.75, 0.25, pytest.approx(0.25))


def test_a_failure_is_wrong_whatever_the_label() -> None:
    assert fold_accuracy(
        pairs([0.9, np.nan, 0.1, 0.9, 0.1, np.nan], [1, 1, 0, 1, 0, 0], [1, 1, 1, 2, 2, 2])
    ).accuracies == (2 / 3, 2 / 3)


def test_a_fold_without_impostors_is_an_error() -> None:
    with pytest.raises(NothingToCount, match="fold 2 has no impostor pair"):
        fold_accuracy(pairs([0.9, 0.1, 0.5], [1, 0, 1], [1, 1, 2]))


def test_one_fold_is_an_error() -> None:
    with pytest.raises(NothingToCount, match="two folds"):
        fold_accuracy(pairs([0.9, 0.1], [1, 0]))


@given(similarities, similarities)
def test_no_threshold_answers_more_comparisons_rightly(
    genuine: NDArray[np.float64], impostor: NDArray[np.float64]
) -> None:
    similarity = np.concatenate([genuine, impostor])
    scores = pairs(list(similarity), np.repeat([True, False], [len(genuine), len(impostor)]))

    def right(threshold: float) -> int:
        return np.count_nonzero((similarity >= threshold) == scores.genuine)

    assert right(best_threshold(scores)) == max(right(t) for t in np.append(similarity, 2.0))
