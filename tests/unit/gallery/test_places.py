"""Where ids stand among others: by a table where they lie close, by searching where they don't."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.gallery.entries import places_among

IDS = st.integers(-(2**62), 2**62) | st.integers(0, 50)


@given(st.lists(IDS, unique=True, max_size=30), st.lists(IDS, max_size=30))
def test_each_is_told_its_place_and_strangers_that_they_have_none(ids: list[int], wanted: list[int]) -> None:
    ascending = sorted(ids)
    mixed = [*wanted, *ids]
    places = places_among(np.array(ascending, np.int64), np.array(mixed, np.int64))
    assert places.dtype == np.int64
    assert places.tolist() == [ascending.index(each) if each in ids else -1 for each in mixed]


@pytest.mark.parametrize("ids", [[3, 4, 6], [3, 4, 1_000_000]])
def test_ids_outside_and_between_have_no_place(ids: list[int]) -> None:
    wanted = np.array([-(2**63), 2, 5, 7, 2**63 - 1, ids[-1]], np.int64)
    assert places_among(np.array(ids, np.int64), wanted).tolist() == [-1, -1, -1, -1, -1, 2]
