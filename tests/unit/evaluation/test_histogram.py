"""All pairs counted by score, against every score kept."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import UnsupportedRate
from arcface_cli.evaluation import rates
from arcface_cli.evaluation.histogram import BIN, count_all_pairs


def templates(people: int, each: int, dimension: int = 64) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    centres = np.repeat(random.normal(size=(people, dimension)), each, axis=0)
    rows = (centres + random.normal(size=centres.shape)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), np.repeat(np.arange(people), each)


def test_counts_agree_with_keeping_every_score() -> None:
    rows, who = templates(300, 4)
    counts, cells = count_all_pairs(rows, who, 0.2)
    first, second = np.triu_indices(len(rows), 1)
    scores = np.sum(rows[first] * rows[second], axis=1).astype(np.float64)
    genuine, impostor = scores[who[first] == who[second]], scores[who[first] != who[second]]
    assert (counts.genuines, counts.impostors) == (len(genuine), len(impostor))
    assert counts.fnmr(0.5) == pytest.approx(rates.fnmr(genuine, 0.5), abs=1e-3)
    assert counts.threshold_at_fmr(1e-3) == pytest.approx(rates.threshold_at_fmr(impostor, 1e-3), abs=2 * BIN)
    assert counts.fmr(counts.threshold_at_fmr(1e-3)) <= 1e-3
    assert cells is not None
    assert cells.events.sum() == pytest.approx(np.count_nonzero(impostor >= 0.2), abs=2)
    assert cells.total.sum() == len(impostor)


def test_what_the_counts_cannot_support_is_refused() -> None:
    counts, _ = count_all_pairs(*templates(10, 2))
    with pytest.raises(UnsupportedRate):
        counts.threshold_at_fmr(1e-3)


@pytest.mark.slow
def test_twenty_thousand_templates_take_bounded_memory() -> None:
    rows, who = templates(2_000, 10, 512)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts, _ = count_all_pairs(rows, who, 0.3)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert counts.genuines + counts.impostors == 199_990_000
    assert grown < 700  # MiB; every score kept would be 800 as float32, 1,600 as float64
