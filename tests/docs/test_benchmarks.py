"""Every benchmark still starts: it imports what it measures, and says what it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from help_pages import CHECKOUT

SCRIPTS = sorted((CHECKOUT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_benchmark_says_what_it_takes(script: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert "usage:" in ran.stdout
