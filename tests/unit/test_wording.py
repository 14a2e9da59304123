"""One is one, and everything else is several."""

from __future__ import annotations

import pytest

from arcface_cli.wording import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 people"), (1, "1 person"), (2, "2 people"), (1_234_567, "1,234,567 people")]
)
def test_a_noun_goes_with_its_number(count: int, said: str) -> None:
    assert counted(count, "person", "people") == said
    assert counted(count, "face") == said.replace("people", "faces").replace("person", "face")
