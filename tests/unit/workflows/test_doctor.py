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
from arcface_cli.workflows.doctor import Asked, Places, disk, examine, python
from fake_machines import SOUND, gpu_machine, library, machine


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def examined(tmp_path: Path, here: Surroundings, asked: Asked | None = None) -> list[Finding]:
    places = Places(tmp_path / "gallery", tmp_path / "models", tmp_path / "cache")
    return list(examine("0.1.0", places, WeightStore(places.models), asked, here))


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


def test_a_device_that_cant_serve_is_an_error_though_all_that_is_here_works(tmp_path: Path) -> None:
    refused = Answer(failure="--device cuda: the runtime is built without CUDA", hint="use --device cpu")
    found = examined(tmp_path, machine(survey_device=refused), Asked(device="cuda"))
    (bad,) = [finding for finding in found if finding.level is Level.ERROR]
    assert (bad.what, bad.detail, bad.mend) == ("device", refused.failure, refused.hint)


@pytest.mark.parametrize("runtime", [SOUND["survey_runtime"], Answer(failure="it is broken")])
def test_a_word_that_is_no_device_is_told_whatever_else_is_broken(tmp_path: Path, runtime: Answer) -> None:
    found = {
        each.what: each for each in examined(tmp_path, machine(survey_runtime=runtime), Asked(device="gpu"))
    }
    assert found["device"].level is Level.ERROR
    assert found["device"].detail == "--device gpu: no such device"


def test_a_cpu_that_is_taken_beside_a_gpu_is_a_warning_mended_as_the_gpu_is(tmp_path: Path) -> None:
    remark = "using the CPU: a GPU is here, but its libraries are missing"
    gone = Answer([library("libcudnn.so.9", "no such file")])
    here = gpu_machine(survey_device=Answer({"device": "cpu", "remark": remark}), survey_libraries=gone)
    found = {each.what: each for each in examined(tmp_path, here)}
    assert found["device"].level is Level.WARNING
    assert found["device"].detail.endswith("run on cpu (a GPU is here, but its libraries are missing)")
    assert found["device"].mend == found["libcudnn.so.9"].mend is not None


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
