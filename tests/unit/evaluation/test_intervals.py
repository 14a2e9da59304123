"""Intervals against SciPy, and whether they hold the truth as often as they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from arcface_cli.evaluation import distributions, intervals
from arcface_cli.evaluation.intervals import Cells, rate_interval
from arcface_cli.evaluation.scores import PairScores

SIMULATIONS = 400


@pytest.mark.parametrize(("events", "total"), [(0, 10), (3, 50), (50, 50), (2.5, 811.3), (1, 10**6)])
def test_exact_intervals_agree_with_scipy(events: float, total: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    low, high = intervals.clopper_pearson(events, total)
    if events > 0:
        assert low == pytest.approx(stats.beta.ppf(0.025, events, total - events + 1), rel=1e-9)
    if events < total:
        assert high == pytest.approx(stats.beta.ppf(0.975, events + 1, total - events), rel=1e-9)


def test_wilson_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.binomtest(3, 50).proportion_ci(0.95, "wilson")
    assert intervals.wilson(3, 50) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_quantiles_agree_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2.5, 7, 300):
        assert distributions.student_quantile(0.975, freedom) == pytest.approx(
            stats.t.ppf(0.975, freedom), rel=1e-9
        )
    mine = distributions.beta_binomial_quantiles(3.5, 40.0, 100, np.array([0.025, 0.5, 0.975]))
    assert mine.tolist() == stats.betabinom(100, 3.5, 40).ppf([0.025, 0.5, 0.975]).tolist()


def test_no_event_leaves_the_rule_of_three() -> None:
    who = np.arange(300)
    found = rate_interval(Cells.count(np.zeros(300, bool), who, who))
    assert (found.rate, found.low, found.method) == (0.0, 0.0, "exact")
    assert found.high == pytest.approx(3.7 / 300, rel=0.01)  # two-sided: 3.7 where one-sided is 3.0


def test_people_who_all_have_one_rate_still_leave_an_interval() -> None:
    who = np.repeat(np.arange(6), 45)
    found = rate_interval(Cells.count(np.tile(np.arange(45) < 24, 6), who, who))
    assert found.low < found.rate - 0.03 and found.rate + 0.03 < found.high


def searches_by_person(
    random: np.random.Generator, people: int = 80, each: int = 12, rate: float = 0.1, alike: float = 8.0
) -> Cells:
    """People differ in how often they are missed, as a beta distribution has it."""
    own = random.beta(rate * alike, (1 - rate) * alike, people)
    who = np.repeat(np.arange(people), each)
    return Cells.count(random.random(len(who)) < own[who], who, who)


def independent_pairs(
    random: np.random.Generator, people: int = 60, rate: float = 0.02, each: int = 2
) -> Cells:
    first, second = (np.repeat(rows, each) for rows in np.triu_indices(people, 1))
    return Cells.count(random.random(len(first)) < rate, first, second)


def pairs_with_wolves(
    random: np.random.Generator, people: int = 200, spread: float = 0.35, threshold: float = 2.2
) -> Cells:
    """Each person's own height is in all of its pairs: some are taken for everybody."""
    height = random.normal(size=people) * spread
    first, second = np.triu_indices(people, 1)
    scores = height[first] + height[second] + random.normal(size=len(first))
    return Cells.count(scores >= threshold, first, second)


def _wolves_rate(spread: float = 0.35, threshold: float = 2.2) -> float:
    return 1 - distributions.NormalDist(0, (1 + 2 * spread**2) ** 0.5).cdf(threshold)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "truth"),
    [(searches_by_person, 0.1), (independent_pairs, 0.02), (pairs_with_wolves, _wolves_rate())],
)
def test_intervals_that_resample_people_hold_the_truth_95_times_in_100(
    draw: Callable[[np.random.Generator], Cells], truth: float
) -> None:
    held = 0
    for seed in range(SIMULATIONS):
        found = rate_interval(draw(np.random.default_rng(seed)), seed=seed)
        assert found.method == "people resampled"
        held += found.low <= truth <= found.high
    assert held / SIMULATIONS == pytest.approx(0.95, abs=0.02)


def test_an_interval_that_took_pairs_for_independent_would_be_too_narrow() -> None:
    cells = pairs_with_wolves(np.random.default_rng(0))
    found = rate_interval(cells)
    low, high = intervals.clopper_pearson(found.events, found.total)
    assert found.high - found.low > 1.5 * (high - low)


def test_the_expected_range_holds_what_new_data_show() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(500):
        seen = random.binomial(200, 0.05) / 200
        low, high = intervals.expected_range(seen, 200, 100)
        held += low <= random.binomial(100, 0.05) / 100 <= high
    assert held / 500 >= 0.93


def test_a_bootstrapped_figure_has_its_estimate_inside() -> None:
    random = np.random.default_rng(2)
    first = np.repeat(np.arange(30), 4)
    scores = PairScores(random.normal(size=120), np.ones(120, bool), first, first)
    (found,) = intervals.bootstrap(
        scores, lambda weight: np.array([weight @ scores.similarity / weight.sum()])
    )
    assert found is not None and found[0] < scores.similarity.mean() < found[1]
