"""Metrics, the operating point and the three verdicts."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.decision import (
    Candidate,
    Metric,
    OperatingPoint,
    Verdict,
    decide,
    fpir_of,
    similarity_threshold,
    verify,
)
from arcface_cli.errors import InvalidThreshold

SIMILARITIES = st.floats(-1.0, 1.0)


def point(threshold: float = 0.4) -> OperatingPoint:
    return OperatingPoint(threshold, "option")


def candidates(*similarities: float) -> list[Candidate]:
    return [Candidate(i, f"subject-{i}", s, i) for i, s in enumerate(similarities, start=1)]


@pytest.mark.parametrize(
    ("similarity", "euclidean", "sqeuclidean", "angle"),
    [
        (1.0, 0.0, 0.0, 0.0),
        (0.5, 1.0, 1.0, 60.0),
        (0.25, math.sqrt(1.5), 1.5, 75.52248781407008),
        (0.0, math.sqrt(2.0), 2.0, 90.0),
        (-0.125, 1.5, 2.25, 97.18075578145829),
        (-1.0, 2.0, 4.0, 180.0),
    ],
)
def test_the_four_metrics_say_the_same(
    similarity: float, euclidean: float, sqeuclidean: float, angle: float
) -> None:
    assert Metric.COSINE.from_similarity(similarity) == similarity
    assert Metric.EUCLIDEAN.from_similarity(similarity) == pytest.approx(euclidean, abs=1e-12)
    assert Metric.SQEUCLIDEAN.from_similarity(similarity) == pytest.approx(sqeuclidean, abs=1e-12)
    assert Metric.ANGLE.from_similarity(similarity) == pytest.approx(angle, abs=1e-9)


def test_the_distances_are_those_of_real_unit_vectors() -> None:
    rng = np.random.default_rng(1)
    x, y = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 512)))
    assert Metric.EUCLIDEAN.from_similarity(float(x @ y)) == pytest.approx(np.linalg.norm(x - y))
    assert Metric.SQEUCLIDEAN.from_similarity(float(x @ y)) == pytest.approx(np.sum((x - y) ** 2))


@given(similarity=SIMILARITIES, metric=st.sampled_from(Metric))
def test_a_similarity_survives_the_way_there_and_back(similarity: float, metric: Metric) -> None:
    assert metric.to_similarity(metric.from_similarity(similarity)) == pytest.approx(similarity, abs=1e-12)


@given(a=SIMILARITIES, b=SIMILARITIES, metric=st.sampled_from([m for m in Metric if m.is_distance]))
def test_a_higher_similarity_is_never_a_greater_distance(a: float, b: float, metric: Metric) -> None:
    low, high = sorted((a, b))
    assert metric.from_similarity(high) <= metric.from_similarity(low)


@pytest.mark.parametrize("metric", Metric)
def test_rounding_outside_the_unit_interval_does_no_harm(metric: Metric) -> None:
    for similarity in (1.0000001, -1.0000001):
        low, high = metric.legal_range
        assert low <= metric.from_similarity(similarity) <= high


@pytest.mark.parametrize("metric", Metric)
@pytest.mark.parametrize("outside", [math.nan, math.inf, -math.inf, 180.5, -1.5])
def test_a_value_outside_its_metric_is_refused_by_name(metric: Metric, outside: float) -> None:
    low, high = metric.legal_range
    with pytest.raises(InvalidThreshold) as caught:
        metric.to_similarity(outside)
    for words in (f"{outside:g}", metric.value, f"between {low:g} and {high:g}"):
        assert words in caught.value.message
    assert caught.value.exit_status == 2


def test_a_threshold_is_cosine_and_a_distance_euclidean_unless_told() -> None:
    assert similarity_threshold() is None
    assert similarity_threshold(threshold=0.0) == 0.0
    assert similarity_threshold(max_distance=0.0) == 1.0
    assert similarity_threshold(max_distance=1.5) == -0.125
    assert similarity_threshold(max_distance=1.5, metric=Metric.SQEUCLIDEAN) == 0.25
    assert similarity_threshold(threshold=60.0, metric=Metric.ANGLE) == pytest.approx(0.5)


def test_two_thresholds_in_one_command_are_refused() -> None:
    with pytest.raises(InvalidThreshold, match="twice"):
        similarity_threshold(threshold=0.4, max_distance=1.0)


def test_a_distance_is_never_read_as_cosine() -> None:
    with pytest.raises(InvalidThreshold, match="is a similarity"):
        similarity_threshold(max_distance=0.4, metric=Metric.COSINE)


def test_the_hint_of_a_distance_out_of_range_names_its_metric() -> None:
    with pytest.raises(InvalidThreshold) as caught:
        similarity_threshold(max_distance=2.5)
    assert "euclidean unless --metric" in str(caught.value.hint)


def test_an_operating_point_refuses_what_is_no_threshold_or_rate() -> None:
    with pytest.raises(InvalidThreshold):
        point(math.nan)
    with pytest.raises(ValueError, match="fmr is a rate"):
        OperatingPoint(0.4, "catalogue", fmr=1.5)


def test_the_threshold_itself_matches_and_nan_never_does() -> None:
    assert point(0.4).matches(0.4)
    assert not point(0.4).matches(math.nextafter(0.4, 0.0))
    assert not point(-1.0).matches(math.nan)
    assert point(-1.0).matches(-1.0000001)
    assert point(0.0).matches(0.0)


def test_nobody_is_known_in_an_empty_gallery() -> None:
    decision = decide([], point())
    assert (decision.verdict, decision.subject, decision.similarity) == (Verdict.UNKNOWN, None, None)
    assert decision.margin is None


def test_below_the_threshold_is_unknown_but_still_tells_the_best() -> None:
    decision = decide(candidates(0.39, 0.1), point(0.4))
    assert (decision.verdict, decision.subject, decision.similarity) == (Verdict.UNKNOWN, None, 0.39)
    assert decision.margin == pytest.approx(0.29)
    assert len(decision.candidates) == 2


def test_a_clear_lead_is_a_match() -> None:
    decision = decide(candidates(0.7, 0.3), point(), min_margin=0.1)
    assert (decision.verdict, decision.subject) == (Verdict.MATCH, "subject-1")
    assert decision.margin == pytest.approx(0.4)


def test_two_close_subjects_are_ambiguous_and_no_name_is_given() -> None:
    decision = decide(candidates(0.7, 0.65), point(), min_margin=0.1)
    assert (decision.verdict, decision.subject, decision.similarity) == (Verdict.AMBIGUOUS, None, 0.7)


def test_the_only_subject_has_no_margin_and_is_never_ambiguous() -> None:
    decision = decide(candidates(0.7), point(), min_margin=2.0)
    assert (decision.verdict, decision.margin) == (Verdict.MATCH, None)


def test_a_lead_of_exactly_the_margin_is_enough() -> None:
    assert decide(candidates(0.75, 0.5), point(), min_margin=0.25).verdict is Verdict.MATCH


def test_a_nan_similarity_names_nobody() -> None:
    assert decide(candidates(math.nan), point(-1.0)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("margin", [math.nan, math.inf, -0.1, 2.1])
def test_an_impossible_margin_is_refused(margin: float) -> None:
    with pytest.raises(InvalidThreshold, match="margin"):
        decide(candidates(0.7), point(), min_margin=margin)


def test_unsorted_or_repeated_candidates_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="sorted"):
        decide(candidates(0.3, 0.7), point())
    with pytest.raises(ValueError, match="one entry a subject"):
        decide([Candidate(1, "ada", 0.7, 1), Candidate(2, "ada", 0.6, 2)], point())


@given(
    st.lists(SIMILARITIES, max_size=6).map(lambda s: sorted(s, reverse=True)),
    SIMILARITIES,
    st.floats(0.0, 2.0),
)
def test_a_name_is_given_only_over_the_threshold_and_with_the_lead(
    similarities: list[float], threshold: float, min_margin: float
) -> None:
    decision = decide(candidates(*similarities), point(threshold), min_margin)
    assert (decision.subject is not None) == (decision.verdict is Verdict.MATCH)
    if decision.subject is not None:
        assert similarities[0] >= threshold
        assert all(similarities[0] - other >= min_margin for other in similarities[1:])


def test_verify_answers_by_the_threshold_alone() -> None:
    assert verify(0.4, point(0.4)).is_same_person
    assert not verify(0.39, point(0.4)).is_same_person


def test_a_broken_similarity_never_reads_as_different_persons() -> None:
    with pytest.raises(ValueError, match="NaN"):
        verify(math.nan, point())


def test_false_positives_grow_with_the_gallery() -> None:
    assert fpir_of(1e-4, 0) == 0.0
    assert fpir_of(1e-4, 1) == pytest.approx(1e-4)
    assert fpir_of(1e-4, 10_000) == pytest.approx(1 - (1 - 1e-4) ** 10_000)
    assert fpir_of(3e-7, 10_000) == pytest.approx(0.003, rel=2e-3)
    assert fpir_of(1.0, 5) == 1.0


def documented_rows(pattern: str) -> list[list[float]]:
    page = (Path(__file__).resolve().parents[2] / "docs" / "thresholds.md").read_text(encoding="utf-8")
    rows = re.findall(pattern, page.replace("\u2212", "-").replace("*", ""), flags=re.MULTILINE)
    return [[float(cell) for cell in row] for row in rows]


def test_the_documented_conversions_are_those_of_the_program() -> None:
    rows = documented_rows(r"^\| (-?[\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+)° \|$")
    assert len(rows) == 15
    for similarity, euclidean, sqeuclidean, angle in rows:
        assert round(Metric.EUCLIDEAN.from_similarity(similarity), 4) == euclidean
        assert round(Metric.SQEUCLIDEAN.from_similarity(similarity), 4) == sqeuclidean
        assert round(Metric.ANGLE.from_similarity(similarity), 2) == angle


def test_the_documented_thresholds_agree_with_their_distances() -> None:
    rows = documented_rows(r"^\| 1e-\d(?: \(default\))? \| ([\d.]+) \| ([\d.]+) \| [\d.]+ % \|$")
    assert len(rows) == 5
    for similarity, euclidean in rows:
        assert round(Metric.EUCLIDEAN.from_similarity(similarity), 4) == euclidean


def test_the_documented_rates_of_a_search_follow_the_formula() -> None:
    cell = r"(?:over )?([\d.]+) % \| "
    rows = documented_rows(rf"^\| (1e-\d) \| {cell * 4}(?:over )?([\d.]+) % \|$")
    assert len(rows) == 4
    for fmr, *rates in rows:
        for subjects, percent in zip((1, 10, 100, 1_000, 10_000), rates, strict=True):
            assert 100 * fpir_of(fmr, subjects) == pytest.approx(percent, rel=6e-3)
