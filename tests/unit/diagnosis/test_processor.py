"""The processor's name, where the system tells it."""

from __future__ import annotations

from pathlib import Path

from arcface_cli.diagnosis.processor import processor_name


def test_the_first_named_model_counts(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nmodel name\t: EPYC 9: four\n\nmodel name\t: other\n")
    assert processor_name(path) == "EPYC 9: four"


def test_where_no_model_is_named_there_is_still_a_word(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert processor_name(path)
    assert processor_name(tmp_path / "missing") == processor_name(path)
