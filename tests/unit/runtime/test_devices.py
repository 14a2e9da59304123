"""Which device is taken, and what is said when CUDA can't be had; on machines that don't exist."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import DeviceUnavailable, RuntimeMissing, UsageError
from arcface_cli.runtime.devices import CPU, DRIVER_LIBRARY, Device, Machine, choose_device

CUDA_LIBRARY = "libonnxruntime_providers_cuda.so"


class FakeRuntime(SimpleNamespace):
    """An onnxruntime that prints what it can't preload, as the real one does."""

    def __init__(self, *providers: str) -> None:
        super().__init__(__version__="1.31.1", __file__="/somewhere/onnxruntime/__init__.py")
        self._providers = providers

    def get_available_providers(self) -> list[str]:
        return [*self._providers, "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        print("Failed to load libcudart.so.13")  # noqa: T201


def machine(
    *, cuda_build: bool = True, missing: Collection[str] = (), devices: int = 1, gpu_seen: bool = True
) -> Machine:
    def missing_library(library: str) -> str | None:
        name = Path(library).name
        return f"{name}: cannot open shared object file" if name in missing else None

    runtime = FakeRuntime(*(["CUDAExecutionProvider"] if cuda_build else []))
    return Machine(lambda: runtime, missing_library, lambda: devices, lambda: gpu_seen)


def never() -> Any:
    raise AssertionError("the CPU was asked for: nothing needs looking at")


def test_the_cpu_needs_no_look_at_the_machine() -> None:
    untouched = Machine(never, lambda library: never(), never, never)
    assert choose_device("cpu", untouched).device == CPU


@pytest.mark.parametrize(
    ("wanted", "index"), [("auto", 0), ("cuda", 0), ("cuda:0", 0), ("cuda:1", 1), (" CUDA:1 ", 1)]
)
def test_cuda_is_taken_where_everything_is_there(wanted: str, index: int) -> None:
    choice = choose_device(wanted, machine(devices=2))
    assert choice.device == Device(index)
    assert str(choice.device) == f"cuda:{index}"
    assert choice.remark is None


OBSTACLES = [
    (machine(cuda_build=False), "built without CUDA", "arcface-cli[gpu]"),
    (machine(missing=[DRIVER_LIBRARY]), "driver is not installed", "nvidia-smi"),
    (machine(devices=0), "no CUDA device", "CUDA_VISIBLE_DEVICES"),
    (machine(missing=[CUDA_LIBRARY]), "libonnxruntime_providers_cuda.so: cannot open", "arcface-cli[gpu]"),
]
NAMES = ["build", "driver", "device", "library"]


@pytest.mark.parametrize(("here", "reason", "hint"), OBSTACLES, ids=NAMES)
def test_cuda_by_name_that_cant_be_had_says_what_is_missing_and_what_to_install(
    here: Machine, reason: str, hint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeviceUnavailable, match=r"^--device cuda: .*" + reason) as raised:
        choose_device("cuda", here)
    assert raised.value.exit_status == 5
    assert hint in str(raised.value.hint)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(("here", "reason", "hint"), OBSTACLES, ids=NAMES)
def test_auto_takes_the_cpu_and_says_why_when_a_gpu_was_seen(here: Machine, reason: str, hint: str) -> None:
    choice = choose_device("auto", here)
    assert choice.device == CPU
    assert choice.remark is not None
    assert reason in choice.remark


def test_auto_says_nothing_where_there_is_no_gpu_and_no_runtime_for_one() -> None:
    here = machine(cuda_build=False, missing=[DRIVER_LIBRARY], gpu_seen=False)
    assert choose_device("auto", here).remark is None


def test_auto_says_that_a_runtime_for_cuda_works_on_the_cpu() -> None:
    remark = choose_device("auto", machine(missing=[DRIVER_LIBRARY], gpu_seen=False)).remark
    assert remark is not None
    assert remark.startswith("using the CPU: the runtime is for CUDA, but the NVIDIA driver is not installed")


def test_a_device_beyond_the_last_is_refused_with_their_number() -> None:
    with pytest.raises(DeviceUnavailable, match="the driver sees 2 CUDA devices"):
        choose_device("cuda:2", machine(devices=2))


def test_without_a_runtime_auto_says_what_to_install() -> None:
    def no_runtime() -> Any:
        raise RuntimeMissing("onnxruntime is not installed")

    with pytest.raises(RuntimeMissing) as raised:
        choose_device("auto", Machine(no_runtime, lambda library: None, lambda: 0, lambda: False))
    assert "arcface-cli[cpu]" in str(raised.value.hint)


@given(
    st.text().filter(lambda text: text.strip().lower() not in ("auto", "cpu") and "cuda" not in text.lower())
)
def test_any_other_word_is_wrong_usage(word: str) -> None:
    with pytest.raises(UsageError, match="no such device"):
        choose_device(word, machine())


@pytest.mark.parametrize("word", ["cuda:", "cuda:-1", "cuda:x", "cuda:1000", "cuda 0", "gpu", ""])
def test_near_misses_are_wrong_usage_too(word: str) -> None:
    with pytest.raises(UsageError, match="no such device"):
        choose_device(word, machine())


def test_the_runtime_is_told_to_report_nothing_to_its_maker(tmp_path: Path) -> None:
    code = "import arcface_cli, onnxruntime as ort; ort.get_available_providers(); print(ort.__version__)"
    home = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name in ("ORT_DISABLE_TELEMETRY", "CI"):
        home.pop(name, None)
    home["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code], env=home, check=True, timeout=60, capture_output=True)
    assert list(tmp_path.rglob("*")) == []
