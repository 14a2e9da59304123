"""Made-up galleries: unit vectors, reproducible, in every type a gallery keeps."""

from __future__ import annotations

import numpy as np
import pytest

from arcface_cli.gallery.synthetic import random_vectors, stored_bytes, unit_vectors
from arcface_cli.gallery.vectors import VectorType


@pytest.mark.parametrize("kind", VectorType)
def test_vectors_are_unit_and_take_the_memory_that_was_told(kind: VectorType) -> None:
    vectors = random_vectors(9000, 16, kind, 1)  # more than are made at once
    norms = np.linalg.norm(vectors.rows(np.arange(9000)), axis=1)
    assert np.abs(norms - 1).max() < 0.03
    scales = 0 if vectors.scales is None else vectors.scales.nbytes
    assert vectors.codes.nbytes + scales == stored_bytes(9000, 16, kind)


def test_no_vector_comes_twice_and_a_seed_gives_them_again() -> None:
    first, again = (random_vectors(9000, 16, VectorType.FLOAT32, 1).codes for _ in range(2))
    assert (first == again).all()
    assert len(np.unique(first, axis=0)) == 9000


def test_directions_favour_nobody() -> None:
    assert np.abs(unit_vectors(5000, 16, 3).mean(axis=0)).max() < 0.02
