"""Which device is taken, and what is said when CUDA can't be had; on machines that don't exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import DeviceUnavailable, RuntimeMissing, UsageError
from arcface_cli.runtime.cards import DRIVER_LIBRARY
from arcface_cli.runtime.devices import CPU, Device, Machine, choose_device, read_device

CUDA_LIBRARY, CUDNN, TENSORRT_LIBRARY = "libcublas.so.13", "libcudnn.so.9", "libnvinfer.so.10"
NEEDED = {
    "libonnxruntime_providers_cuda.so": [CUDA_LIBRARY, "libcudart.so.13", "libc.so.6"],
    "libonnxruntime_providers_tensorrt.so": [CUDA_LIBRARY, TENSORRT_LIBRARY, "libnvonnxparser.so.10"],
}
"""What the files of onnxruntime-gpu 1.31.1 ask for, abridged."""
BOTH = ("TensorrtExecutionProvider", "CUDAExecutionProvider")


class FakeRuntime(SimpleNamespace):
    """An onnxruntime that prints what it can't preload, as the real one does."""

    def __init__(self, *providers: str) -> None:
        super().__init__(
            __version__="1.31.1", __file__="/somewhere/onnxruntime/__init__.py", cuda_version="13.0"
        )
        self._providers = providers

    def get_available_providers(self) -> list[str]:
        return [*self._providers, "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        print("Failed to load libcudart.so.13")  # noqa: T201


def machine(
    *,
    providers: Sequence[str] = BOTH,
    missing: Collection[str] = (),
    devices: int = 1,
    gpu_seen: bool = True,
    loaded: list[str] | None = None,
) -> Machine:
    """loaded: gets the names of the libraries that were tried."""

    def missing_library(name: str) -> str | None:
        if loaded is not None:
            loaded.append(name)
        return f"{name}: cannot open shared object file" if name in missing else None

    runtime = FakeRuntime(*providers)
    return Machine(
        lambda: runtime, missing_library, lambda: devices, lambda: gpu_seen, lambda file: NEEDED[file.name]
    )


def never() -> Any:
    raise AssertionError("the CPU was asked for: nothing needs looking at")


def test_the_cpu_needs_no_look_at_the_machine() -> None:
    untouched = Machine(never, lambda library: never(), never, never)
    assert choose_device("cpu", untouched).device == CPU


@pytest.mark.parametrize(
    ("wanted", "cards"),
    [
        ("auto", (0,)),
        ("cuda", (0,)),
        ("cuda:0", (0,)),
        (" CUDA:1 ", (1,)),
        ("cuda:0,1", (0, 1)),
        ("cuda:1,0", (1, 0)),
    ],
)
def test_cuda_is_taken_where_everything_is_there(wanted: str, cards: tuple[int, ...]) -> None:
    choice = choose_device(wanted, machine(devices=2))
    assert choice.device == Device(cards)
    assert str(choice.device) == f"cuda:{','.join(map(str, cards))}"
    assert choice.device.cuda_index == cards[0]
    assert [each.cards for each in choice.device.singly()] == [(card,) for card in cards]
    assert choice.remark is None


def test_the_cpu_is_one_device() -> None:
    assert CPU.singly() == (CPU,)
    assert CPU.cuda_index is None


@given(st.lists(st.integers(0, 999), min_size=1, max_size=9, unique=True))
def test_a_device_is_read_from_its_own_words(cards: list[int]) -> None:
    assert read_device(str(Device(tuple(cards)))) == Device(tuple(cards))


@pytest.mark.parametrize("word", ["cuda:0,0", "cuda:1,0,1", "cuda:0,00"])
def test_a_card_named_twice_is_wrong_usage(word: str) -> None:
    with pytest.raises(UsageError, match=r"^--device cuda:.*: card [01] is named twice$"):
        choose_device(word, machine(devices=2))


def test_one_unknown_card_of_several_is_named() -> None:
    with pytest.raises(DeviceUnavailable, match=r"sees 2 CUDA devices, so there is no cuda:7$"):
        choose_device("cuda:0,7", machine(devices=2))


def test_the_files_of_providers_are_never_loaded_without_their_host() -> None:
    loaded: list[str] = []
    choose_device("cuda", machine(loaded=loaded), tensorrt=True)
    assert {CUDNN, CUDA_LIBRARY, TENSORRT_LIBRARY} <= set(loaded)
    assert not [name for name in loaded if "onnxruntime" in name]


def test_a_provider_whose_file_cannot_be_read_is_told() -> None:
    def gone(file: Path) -> Sequence[str]:
        raise OSError(f"{file.name} is gone")

    sound = machine()
    here = Machine(sound.onnxruntime, sound.missing, sound.cuda_devices, sound.gpu_seen, gone)
    with pytest.raises(DeviceUnavailable, match=r"libonnxruntime_providers_cuda\.so is gone"):
        choose_device("cuda", here)


def test_a_driver_that_does_not_start_is_told() -> None:
    def mismatch() -> int:
        raise DeviceUnavailable("the driver doesn't start (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 803)")

    sound = machine()
    here = Machine(sound.onnxruntime, sound.missing, mismatch, sound.gpu_seen, sound.needed)
    with pytest.raises(DeviceUnavailable, match=r"^--device cuda: the driver doesn't start \(CUDA_ERROR"):
        choose_device("cuda", here)


# --- TensorRT ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["auto", "cuda", "cuda:0,1"])
def test_tensorrt_goes_with_any_card(wanted: str) -> None:
    assert choose_device(wanted, machine(devices=2), tensorrt=True).device.cards


def test_tensorrt_on_the_cpu_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="not with --device cpu") as raised:
        choose_device("cpu", machine(), tensorrt=True)
    assert "--no-tensorrt" in str(raised.value.hint)


NO_TENSORRT = [
    (machine(providers=BOTH[1:]), "built without TensorRT", ".[gpu,tensorrt]"),
    (machine(missing=[TENSORRT_LIBRARY]), r"\(libnvinfer\.so\.10: cannot open", ".[gpu,tensorrt]"),
    (machine(missing=[DRIVER_LIBRARY]), "driver is not installed", "nvidia-smi"),
    (machine(missing=[CUDA_LIBRARY]), r"CUDA provider can't be loaded \(libcublas", ".[gpu,tensorrt]"),
]


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
@pytest.mark.parametrize(("here", "reason", "hint"), NO_TENSORRT, ids=["build", "tensorrt", "driver", "cuda"])
def test_tensorrt_that_cant_be_had_is_told_and_never_replaced(
    wanted: str, here: Machine, reason: str, hint: str
) -> None:
    with pytest.raises(DeviceUnavailable, match=r"^--tensorrt: .*" + reason) as raised:
        choose_device(wanted, here, tensorrt=True)
    assert raised.value.exit_status == 5
    assert hint in str(raised.value.hint)


@pytest.mark.parametrize(
    ("wanted", "here", "ways_out"),
    [
        ("auto", machine(providers=()), "leave --tensorrt out"),
        ("auto", machine(missing=[TENSORRT_LIBRARY]), "leave --tensorrt out"),
        ("cuda", machine(missing=[TENSORRT_LIBRARY]), "leave --tensorrt out"),
        ("cuda", machine(providers=()), "use --device cpu --no-tensorrt"),
    ],
    ids=["auto-build", "auto-tensorrt", "cuda-tensorrt", "cuda-build"],
)
def test_the_way_to_do_without_tensorrt_is_one_that_would_be_taken(
    wanted: str, here: Machine, ways_out: str
) -> None:
    with pytest.raises(DeviceUnavailable) as raised:
        choose_device(wanted, here, tensorrt=True)
    assert str(raised.value.hint).endswith(f", or {ways_out}")


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_without_being_asked_for_tensorrt_is_not_missed(wanted: str) -> None:
    assert choose_device(wanted, machine(missing=[TENSORRT_LIBRARY])).device == Device((0,))


OBSTACLES = [
    (machine(providers=()), "built without CUDA", ".[gpu]"),
    (machine(missing=[DRIVER_LIBRARY]), "driver is not installed", "nvidia-smi"),
    (machine(devices=0), "no CUDA device", "CUDA_VISIBLE_DEVICES"),
    (machine(missing=[CUDA_LIBRARY]), r"\(libcublas\.so\.13: cannot open", ".[gpu]"),
    (machine(missing=[CUDNN]), r"\(libcudnn\.so\.9: cannot open", ".[gpu]"),
]
NAMES = ["build", "driver", "device", "library", "cudnn"]


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
    assert re.search(reason, choice.remark)


def test_auto_says_nothing_where_there_is_no_gpu_and_no_runtime_for_one() -> None:
    here = machine(providers=(), missing=[DRIVER_LIBRARY], gpu_seen=False)
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
    assert ".[cpu]" in str(raised.value.hint)


@given(
    st.text().filter(lambda text: text.strip().lower() not in ("auto", "cpu") and "cuda" not in text.lower())
)
def test_any_other_word_is_wrong_usage(word: str) -> None:
    with pytest.raises(UsageError, match="no such device"):
        choose_device(word, machine())


@pytest.mark.parametrize(
    "word",
    [
        "cuda:",
        "cuda:-1",
        "cuda:x",
        "cuda:1000",
        "cuda 0",
        "cuda:0,",
        "cuda:,1",
        "cuda:0,cuda:1",
        "auto,cuda",
        "cpu,cuda",
        "gpu",
        "",
    ],
)
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
