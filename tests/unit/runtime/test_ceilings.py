"""Ceilings: rates that a device can't lie about, measured without the bus."""

from __future__ import annotations

import time

import numpy as np
import pytest

from arcface_cli.runtime.ceilings import best_seconds, copy_rate, product_rate
from arcface_cli.runtime.networks import Precision
from arcface_cli.runtime.sessions import SessionOptions

OPTIONS = SessionOptions(threads=1)


def test_the_product_on_a_cpu_is_about_what_numpy_reaches() -> None:
    side = 768
    matrix = np.ones((side, side), np.float32)
    with_numpy = 2 * side**3 / best_seconds(lambda: matrix @ matrix, 0.2)
    reached = product_rate(OPTIONS, Precision.FP32, side=side, seconds=0.2)
    assert 0.05 < reached / with_numpy < 20  # the same order of magnitude, whatever else the machine does


def test_half_precision_has_a_rate_of_its_own() -> None:
    assert product_rate(OPTIONS, Precision.FP16, side=128, seconds=0.05) > 1e6


def test_the_copy_on_a_cpu_is_about_what_numpy_reaches() -> None:
    size = 32 * 2**20
    array = np.ones(size // 4, np.float32)
    with_numpy = 2 * size / best_seconds(array.copy, 0.2)
    assert 0.05 < copy_rate(OPTIONS, size=size, seconds=0.2) / with_numpy < 20


def test_the_best_of_several_counts_and_the_first_does_not() -> None:
    pauses = iter([0.0, 0.02, 0.002, 0.02])
    best = best_seconds(lambda: time.sleep(next(pauses)), 0.03)
    assert best == pytest.approx(0.002, abs=0.015)
    assert next(pauses, None) is None
