"""Claims about a run, and what a run's data can't answer."""

from __future__ import annotations

import numpy as np
import pytest

from arcface_cli.errors import UnsupportedRate, UsageError
from arcface_cli.evaluation.assertions import parse, value_of
from arcface_cli.evaluation.identification import Searches
from arcface_cli.evaluation.scores import PairScores


def pairs() -> PairScores:
    similarity = np.concatenate([np.linspace(0.5, 0.9, 40), np.linspace(-0.2, 0.4, 400)])
    first = np.arange(440) * 2
    genuine = np.arange(440) < 40
    return PairScores(similarity, genuine, first, np.where(genuine, first, first + 1), np.arange(440) % 10)


def searches() -> Searches:
    own = np.concatenate([np.linspace(0.5, 0.9, 20), np.full(100, np.nan)])
    other = np.concatenate([np.full(20, 0.1), np.linspace(0.0, 0.4, 100)])
    enrolled = np.arange(120) < 20
    return Searches(own, other, enrolled.astype(np.int64), enrolled, np.arange(120), 20)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("EER<=0.01", 0.0),
        ("accuracy >= 0.99", 1.0),
        ("FNMR@FMR=0.01<=0.02", 0.0),
        ("TAR@FMR=1e-2>=0.9", 1.0),
        ("FMR@T=-1<0.1", 1.0),
        ("FNMR@T=0.95<0.1", 1.0),
    ],
)
def test_claims_about_pairs(claim: str, value: float) -> None:
    parsed = parse(claim)
    assert value_of(parsed, pairs()) == value
    assert parsed.holds(value) == (claim not in ("FMR@T=-1<0.1", "FNMR@T=0.95<0.1"))


@pytest.mark.parametrize(
    ("claim", "value"), [("FNIR@FPIR=0.05<=0.05", 0.0), ("RANK1>=1", 1.0), ("FPIR@T=0.2<=1", 0.5)]
)
def test_claims_about_searches(claim: str, value: float) -> None:
    assert value_of(parse(claim), searches()) == value


@pytest.mark.parametrize(
    "claim", ["", "EER", "EER=0.1", "FNIR@FPIR<=0.05", "EER<=0.1; import os", "__class__<1"]
)
def test_what_is_no_claim_is_refused(claim: str) -> None:
    with pytest.raises(UsageError, match="is no claim"):
        parse(claim)


@pytest.mark.parametrize("claim", ["RANK1>=0.9", "FNIR@FPIR=0.1<=1", "EER@T=0.1<1", "FNMR<=0.1"])
def test_a_figure_that_the_run_does_not_have_is_refused(claim: str) -> None:
    with pytest.raises(UsageError, match="no such figure"):
        value_of(parse(claim), pairs())


def test_a_claim_that_the_data_cannot_support_is_refused_and_not_answered() -> None:
    with pytest.raises(UnsupportedRate, match="takes 30,000"):
        value_of(parse("FNMR@FMR=1e-4<=0.1"), pairs())
    with pytest.raises(UnsupportedRate, match="takes 3,000"):  # none of 400 matched: that proves little
        value_of(parse("FMR@T=0.45<=1e-3"), pairs())
    with pytest.raises(UnsupportedRate, match="takes 300"):
        value_of(parse("FNIR@FPIR=0.01<=0.1"), searches())


def test_nan_never_holds() -> None:
    assert not parse("EER<=1").holds(float("nan"))
    assert not parse("EER>=0").holds(float("nan"))
