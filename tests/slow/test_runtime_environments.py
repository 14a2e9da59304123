"""The runtime for CUDA on a machine without a driver, and two runtimes in one environment: both really built.

Each environment holds the packages of this one by a link, but runtimes of its own, installed by pip.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"
RUNTIMES = ("onnxruntime", "faiss", "insightface", "arcface", "_arcface", "__")
OTHER_PACKAGES = ("numpy", "cv2", "onnx", "typer", "rich", "requests", "msgspec", "platformdirs")
WEIGHTS = ("face_detection_yunet_2023mar.onnx", "mobilefacenet_512.onnx")
DRIVER = "libcuda.so.1"
OUT_OF_REACH = ("Could not find a version", "No matching distribution", "Failed to establish", "Max retries")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def no_driver() -> None:
    """These tests are about machines without one."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return
    pytest.skip("this machine has an NVIDIA driver")


class Environment:
    """A virtual environment, and folders of its own for whatever arcface keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self.python = folder / "venv" / "bin" / "python"
        (site,) = (folder / "venv").glob("lib/python*/site-packages")
        self._link_packages(site)

    def _link_packages(self, site: Path) -> None:
        packages = self.folder / "packages"
        packages.mkdir()
        for home in {Path(__import__(name).__file__ or "").resolve().parents[1] for name in OTHER_PACKAGES}:
            for entry in home.iterdir():
                if not entry.name.startswith(RUNTIMES):
                    (packages / entry.name).symlink_to(entry)
        (site / "packages.pth").write_text(f"{packages}\n{SOURCES}\n")

    @property
    def variables(self) -> Mapping[str, str]:
        """Of the caller, what pip may need; of arcface, its own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ARCFACE_", "PYTHON"))}
        places = {"GALLERY": str(self.folder / "gallery"), "MODELS_DIR": str(self.folder / "models")}
        places["CONFIG"] = os.devnull
        return {**kept, **{f"ARCFACE_{name}": place for name, place in places.items()}}

    def install(self, *requirements: str) -> None:
        """Skip the test where no package index can be reached."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--no-deps", "-q"]
        ran = subprocess.run(
            [*pip, *requirements], env=self.variables, capture_output=True, text=True, check=False
        )
        if any(words in ran.stderr for words in OUT_OF_REACH) and ran.returncode != 0:
            pytest.skip(f"pip can reach no package index to fetch {' and '.join(requirements)} from")
        assert ran.returncode == 0, ran.stderr

    def arcface(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command line in this environment."""
        return subprocess.run(
            [self.python, "-m", "arcface_cli", *map(str, arguments)],
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def doctor(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """The status of `arcface doctor`, and its rows by what they tell of."""
        ran = self.arcface("doctor", "--json")
        assert ran.stderr.count("\n") == 1, ran.stderr
        rows = json.loads(ran.stdout)
        return ran.returncode, {row["what"]: row for row in rows}


def errors(rows: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    return [what for what, row in rows.items() if row["level"] == "error"]


@pytest.fixture(scope="module")
def for_cuda(no_driver: None, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with onnxruntime-gpu alone, without CUDA's wheels."""
    environment = Environment(tmp_path_factory.mktemp("for_cuda"))
    environment.install("onnxruntime-gpu")
    return environment


@pytest.fixture(scope="module")
def pair(for_cuda: Environment, shared_models: Path, shared_data: Path) -> tuple[Path, Path]:
    """Two photographs of one person, with weights imported to compare them."""
    for name in WEIGHTS:
        ran = for_cuda.arcface("models", "import", shared_models / name)
        assert ran.returncode == 0, ran.stderr
    folder = shared_data / "people" / "L001"
    return folder / "L001_0001.jpg", folder / "L001_0003.jpg"


def test_without_a_driver_cuda_by_name_is_5_and_names_the_first_library(
    for_cuda: Environment, pair: tuple[Path, Path]
) -> None:
    ran = for_cuda.arcface("verify", *pair, "--device", "cuda")
    assert (ran.returncode, ran.stdout) == (5, ""), ran.stderr
    assert ran.stderr.startswith(f"arcface: --device cuda: the NVIDIA driver is not installed ({DRIVER}: ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("device", ["auto", "cuda:0,1"])
def test_without_a_driver_tensorrt_is_5_and_never_the_cpu(
    for_cuda: Environment, pair: tuple[Path, Path], device: str
) -> None:
    ran = for_cuda.arcface("verify", *pair, "--tensorrt", "--device", device)
    assert (ran.returncode, ran.stdout) == (5, ""), ran.stderr
    assert ran.stderr.startswith(f"arcface: --tensorrt: the NVIDIA driver is not installed ({DRIVER}: ")
    assert ran.stderr.count("\n") == 1


def test_without_a_driver_auto_works_on_the_cpu_and_says_so_once(
    for_cuda: Environment, pair: tuple[Path, Path]
) -> None:
    ran = for_cuda.arcface("verify", *pair)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["run"]["device"] == "cpu"
    assert ran.stderr.count("\n") == 1, "red noise"
    assert ran.stderr.startswith("arcface: using the CPU: ")
    assert DRIVER in ran.stderr
    assert for_cuda.arcface("verify", *pair, "-q").stderr == ""


def test_without_a_driver_doctor_tells_the_whole_story(for_cuda: Environment) -> None:
    status, rows = for_cuda.doctor()
    assert status == 5
    assert rows["onnxruntime package"]["facts"].keys() == {"onnxruntime-gpu"}
    assert rows["runtime"]["facts"]["cuda"]
    assert rows["NVIDIA driver"]["level"] == "error"
    assert DRIVER in rows["NVIDIA driver"]["detail"]
    libraries = [what for what in rows if what.startswith("lib")]
    assert {what.split(".")[0] for what in libraries} >= {"libcublas", "libcublasLt", "libcudart", "libcudnn"}
    for what in libraries:
        assert rows[what]["facts"].get("path") or "missing" in rows[what]["detail"]
    assert rows["self-test CUDA"]["level"] == "error"
    assert rows["self-test CPU"]["level"] == "ok"
    assert len({rows[what]["mend"] for what in errors(rows)}) == 1


def test_two_runtimes_are_named_and_the_command_mends_them(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    environment.install("onnxruntime-gpu", "onnxruntime")
    status, rows = environment.doctor()
    assert status == 5
    clash = rows["onnxruntime package"]
    assert clash["level"] == "error"
    assert clash["facts"].keys() == {"onnxruntime", "onnxruntime-gpu"}
    assert "overwrite each other" in clash["detail"]
    mended = subprocess.run(
        clash["mend"], shell=True, env=environment.variables, capture_output=True, text=True, check=False
    )
    assert mended.returncode == 0, mended.stderr
    status, rows = environment.doctor()
    assert (status, errors(rows)) == (0, [])
    assert rows["onnxruntime package"]["facts"].keys() == {"onnxruntime"}
    assert rows["self-test CPU"]["level"] == "ok"


def test_without_any_runtime_doctor_says_what_to_install_and_that_mends_it(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    status, rows = environment.doctor()
    assert (status, errors(rows)) == (5, ["runtime"])
    assert rows["runtime"]["mend"].endswith("pip install onnxruntime faiss-cpu")
    environment.install("onnxruntime", "faiss-cpu")
    status, rows = environment.doctor()
    assert (status, errors(rows)) == (0, [])
    assert rows["search"]["facts"]["version"]
