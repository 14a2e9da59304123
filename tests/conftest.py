"""Fixtures that every suite shares: where the real photographs and weights are, if they are here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A shared machine may pause a test at any moment; the examples are what counts.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

CHECKOUT = Path(__file__).resolve().parents[1]


def _shared_folder() -> Path:
    named = os.environ.get("ARCFACE_TEST_SHARED")
    return Path(named) if named else CHECKOUT.parent / "shared"


def _shared_or_skip(name: str) -> Path:
    folder = _shared_folder() / name
    if not folder.is_dir():
        pytest.skip(f"real {name} are not beside the checkout (looked for {folder})")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of labelled photographs, or a skip that says where it was looked for."""
    return _shared_or_skip("data")


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """The folder of real weights, or a skip that says where it was looked for."""
    return _shared_or_skip("models")
