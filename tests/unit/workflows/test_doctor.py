"""The whole examination, on machines that don't exist and folders that do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from arcface_cli.diagnosis.apart import Answer
from arcface_cli.diagnosis.findings import Finding, Level
from arcface_cli.diagnosis.surroundings import Surroundings
from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.doctor import Places, disk, examine, python
from fake_machines import gpu_machine, machine


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def examined(tmp_path: Path, here: Surroundings) -> list[Finding]:
    places = Places(tmp_path / "gallery", tmp_path / "models", tmp_path / "cache")
    return list(examine("0.1.0", places, WeightStore(places.models), here=here))


def test_every_part_has_its_line_and_nothing_is_made(tmp_path: Path) -> None:
    found = [finding.what for finding in examined(tmp_path, machine())]
    assert found[:2] == ["python", "platform"]
    assert {"runtime", "NVIDIA driver", "self-test CPU", "imaging", "search", "model", "gallery"} <= set(
        found
    )
    assert found[-3:] == ["disk of models", "disk of cache", "disk of gallery"]
    assert list(tmp_path.iterdir()) == []


def test_a_broken_runtime_hides_nothing_else(tmp_path: Path) -> None:
    found = examined(tmp_path, machine(survey_runtime=Answer(failure="the process was ended by SIGSEGV")))
    assert [finding.what for finding in found if finding.level is Level.ERROR] == ["runtime"]
    assert {"imaging", "search", "model", "gallery", "disk of models"} <= {each.what for each in found}


def test_a_gpu_that_works_wants_a_search_on_gpus(tmp_path: Path) -> None:
    sees_none = Answer({"version": "1.15.1", "gpu": False, "gpus": 0})
    found = {each.what: each for each in examined(tmp_path, gpu_machine(survey_search=sees_none))}
    assert found["search"].level is Level.WARNING


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10), Level.WARNING), ((3, 11), Level.OK), ((3, 13), Level.OK), ((3, 14), Level.WARNING)],
)
def test_a_python_that_is_not_tested_is_a_warning(version: tuple[int, int], level: Level) -> None:
    assert python(version, "0.1.0").level is level


@pytest.mark.parametrize(
    ("free", "level"), [(10 * 2**20, Level.ERROR), (500 * 2**20, Level.WARNING), (5 * 2**30, Level.OK)]
)
def test_little_space_is_a_warning_and_hardly_any_an_error(tmp_path: Path, free: int, level: Level) -> None:
    finding = disk("disk of models", tmp_path / "not" / "yet", lambda place: Usage(2**40, 0, free))
    assert finding.level is level
    assert finding.facts["bytes_free"] == free
    assert finding.mend is None or str(tmp_path) in finding.mend


def test_a_disk_that_cant_be_asked_is_an_error(tmp_path: Path) -> None:
    def refuse(place: Path) -> Usage:
        raise OSError(5, "Input/output error")

    assert disk("disk", tmp_path, refuse).detail.endswith("Input/output error")


def test_the_usual_way_asks_the_disk_itself(tmp_path: Path) -> None:
    assert disk("disk", tmp_path).facts["bytes_free"] == pytest.approx(
        shutil.disk_usage(tmp_path).free, rel=0.1
    )
