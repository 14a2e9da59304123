"""Thresholds from impostor scores: measured, or by a tail that says so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import GalleryDamaged, UnsupportedRate
from arcface_cli.evaluation import tails
from arcface_cli.evaluation.calibration import (
    Calibration,
    StrangerSearches,
    at_size,
    fmr_curve,
    for_fpir,
    round_up,
)


def test_a_larger_gallery_has_the_rate_of_independent_subjects() -> None:
    assert at_size(0.01, 1, 100) == pytest.approx(1 - 0.99**100)
    assert at_size(at_size(0.01, 1, 100), 100, 1) == pytest.approx(0.01)
    assert at_size(1e-12, 1, 1000) == pytest.approx(1e-9, rel=1e-6)


@given(st.floats(-1, 1))
def test_rounding_a_threshold_never_loosens_it(threshold: float) -> None:
    assert threshold <= round_up(threshold) + 1e-12 <= threshold + 2e-4


def test_a_tail_finds_its_own_parameters_again() -> None:
    random = np.random.default_rng(0)
    for shape in (-0.3, 0.0, 0.2):
        uniform = random.random(20_000)
        scores = -np.log(uniform) if shape == 0 else (uniform**-shape - 1) / shape
        tail = tails.fit_tail(scores, level=0.0)
        assert tail.shape == pytest.approx(shape, abs=0.04)
        assert tail.scale == pytest.approx(1.0, abs=0.04)


def test_a_tail_agrees_with_scipys_distribution() -> None:
    stats = pytest.importorskip("scipy.stats")
    tail = tails.Tail(level=0.3, share=0.05, shape=-0.2, scale=0.08, excesses=100)
    assert tail.exceeded(0.45) == pytest.approx(0.05 * stats.genpareto(-0.2, scale=0.08).sf(0.15))
    assert tail.exceeded(tail.threshold(1e-4)) == pytest.approx(1e-4)
    assert tail.exceeded(0.3 + 0.08 / 0.2 + 0.01) == 0.0  # beyond its end


def test_the_check_of_a_fit_passes_its_own_kind_and_fails_another() -> None:
    random = np.random.default_rng(1)
    good = random.exponential(size=2_000)
    bad = np.concatenate([random.uniform(0, 0.1, 1_900), random.uniform(3, 3.1, 100)])
    for scores, fits in ((good, True), (bad, False)):
        tail = tails.with_goodness(tails.fit_tail(scores, share=0.5), scores)
        assert tail.p_value is not None and (tail.p_value > tails.GOOD_FIT) == fits


def stranger_searches(searches: int = 400, subjects: int = 20, seed: int = 0) -> StrangerSearches:
    """People and subjects that have no say in their scores: normal, mean 0, deviation 0.1."""
    scores = np.random.default_rng(seed).normal(0, 0.1, (searches, subjects))
    person = np.arange(searches) // 4 + subjects
    return StrangerSearches(
        scores.max(axis=1),
        person,
        subjects,
        scores.ravel(),
        np.repeat(person, subjects),
        np.tile(np.arange(subjects), searches),
    )


def test_a_rate_that_searches_can_show_is_measured() -> None:
    searches = stranger_searches()
    point = for_fpir(searches, 0.05, 20)
    assert not point.extrapolated and point.p_value is None
    assert point.fpir <= 0.05 and np.mean(searches.best >= point.threshold) == pytest.approx(point.fpir)
    assert point.interval[0] < point.fpir < point.interval[1]
    assert point.expected[0] <= point.interval[0] and point.interval[1] <= point.expected[1]


def test_a_gallery_ten_times_as_large_is_extrapolated_and_says_so() -> None:
    held = 0
    for seed in range(20):
        point = for_fpir(stranger_searches(seed=seed), 0.1, 200)
        assert point.extrapolated and point.p_value is not None
        truth = np.mean(
            np.random.default_rng(100 + seed).normal(0, 0.1, (2_000, 200)).max(axis=1) >= point.threshold
        )
        held += point.interval[0] <= truth <= point.interval[1]
    assert held >= 18


def test_too_few_searches_for_any_statement_are_refused() -> None:
    with pytest.raises(UnsupportedRate):
        for_fpir(stranger_searches(searches=4, subjects=4), 0.01, 4)


def calibration(**changes: object) -> Calibration:
    values: dict[str, object] = {
        "date": "2026-11-01", "data": "people", "target": "fpir", "target_rate": 0.05, "threshold": 0.5,
        "fmr": 1e-3, "fmr_interval": (1e-4, 1e-2), "fpir": 0.05, "fpir_interval": (0.02, 0.1),
        "fpir_expected": (0.0, 0.2), "subjects": 48, "people": 60, "photographs": 600,
        "impostor_comparisons": 1000, "searches": 400, "extrapolated": False, "p_value": None, "model": "abc",
        "model_name": "compact", "detector": "yunet", "curve": ((0.1, 0.5), (0.3, 0.01), (0.4, 0.001)),
    }  # fmt: skip
    return Calibration(**(values | changes))  # type: ignore[arg-type]


def test_what_a_gallery_stores_comes_back_the_same() -> None:
    assert Calibration.from_json(calibration().to_json()) == calibration()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        calibration().to_json().replace("0.5", "7"),
        calibration(fmr=None).to_json()[:-1],
    ],
)
def test_a_stored_point_that_is_damaged_is_said_to_be(text: str) -> None:
    with pytest.raises(GalleryDamaged, match="can't be read"):
        Calibration.from_json(text)


def test_fmr_at_a_score_is_never_understated() -> None:
    known = calibration()
    assert known.fmr_at(0.35) == (0.01, 0.01)  # between two points the higher rate
    assert known.fmr_at(0.4) == (0.001, 0.001)
    assert known.fmr_at(0.41) == (None, 3 / 1000)
    assert known.fmr_at(-0.5) == (1.0, 1.0)


@given(st.integers(0, 1000))
def test_the_curve_never_states_less_than_was_counted(seed: int) -> None:
    impostor = np.random.default_rng(seed).normal(0, 0.1, 500).clip(-1, 1)
    known = calibration(curve=fmr_curve(impostor), impostor_comparisons=500)
    for score in np.linspace(-0.4, 0.4, 23):
        rate, bound = known.fmr_at(float(score))
        assert np.mean(impostor >= score) <= bound
        assert rate is not None or not np.any(impostor >= score)


def test_a_gallery_outgrows_a_threshold_that_was_set_for_its_searches() -> None:
    assert not calibration().has_outgrown(57)
    assert calibration().has_outgrown(58)
    assert not calibration(fpir=None).has_outgrown(10_000)
