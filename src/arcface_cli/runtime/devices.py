"""Which device was asked for, and what stands in its way. Imports no runtime until asked."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

from arcface_cli.errors import DeviceUnavailable, RuntimeMissing, UsageError

_DEVICE = re.compile(r"auto|cpu|cuda(?::(\d{1,3}))?")
DRIVER_LIBRARY = "libcuda.so.1"
GPU_HINT = "install the runtime for NVIDIA CUDA: pip install 'arcface-cli[gpu]', or use --device cpu"


@dataclass(frozen=True, slots=True)
class Device:
    """A place to run a network: the CPU (`cuda_index` None) or one CUDA device."""

    cuda_index: int | None = None

    def __str__(self) -> str:
        return "cpu" if self.cuda_index is None else f"cuda:{self.cuda_index}"


CPU = Device()


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The device taken, and why a GPU that could be expected is not it (None when nothing needs saying)."""

    device: Device
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of a machine before a device is promised.

    onnxruntime: imports it, or raises RuntimeMissing.  missing: why the loader can't load a library, or
    None.  cuda_devices: how many the driver offers.  gpu_seen: whether a card shows, usable or not.
    """

    onnxruntime: Callable[[], Any]
    missing: Callable[[str], str | None]
    cuda_devices: Callable[[], int]
    gpu_seen: Callable[[], bool]


def this_machine() -> Machine:
    """The machine that we run on."""
    return Machine(import_onnxruntime, _missing, _cuda_device_count, gpu_seen)


def choose_device(wanted: str, machine: Machine | None = None) -> DeviceChoice:
    """Turn auto, cpu, cuda or cuda:N into a device that can serve.

    Raises UsageError for another word and DeviceUnavailable when CUDA was asked for by name and
    can't be had. auto takes CUDA when the runtime and a device are there, else the CPU with a remark
    if a GPU was seen, or if the runtime is one for GPUs.
    """
    match = _DEVICE.fullmatch(wanted.strip().lower())
    if match is None:
        raise UsageError(f"--device {wanted}: no such device", hint="use auto, cpu, cuda or cuda:N")
    word = match.group(0)
    if word == "cpu":
        return DeviceChoice(CPU)
    index = int(match.group(1) or 0)
    here = this_machine() if machine is None else machine
    obstacle = cuda_obstacle(index, here)
    if obstacle is None:
        return DeviceChoice(Device(index))
    if word != "auto":
        raise DeviceUnavailable(f"--device {wanted}: {obstacle.reason}", hint=obstacle.hint)
    return DeviceChoice(CPU, _remark(obstacle, here))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps CUDA from being used, and the user's next step."""

    reason: str
    hint: str


def _remark(obstacle: Obstacle, here: Machine) -> str | None:
    """What to say of a CPU that was taken for want of a GPU: nothing where nobody expects one."""
    if here.gpu_seen():
        return f"using the CPU: a GPU is here, but {obstacle.reason}"
    if is_for_cuda(here.onnxruntime()):
        return f"using the CPU: the runtime is for CUDA, but {obstacle.reason}"
    return None


def is_for_cuda(ort: Any) -> bool:
    """Whether this onnxruntime was built with CUDA."""
    return "CUDAExecutionProvider" in ort.get_available_providers()


def cuda_obstacle(index: int, machine: Machine) -> Obstacle | None:
    """The first thing that keeps ONNX Runtime from CUDA device `index`, or None when it can serve."""
    ort = machine.onnxruntime()
    if not is_for_cuda(ort):
        return Obstacle(f"the installed onnxruntime ({ort.__version__}) is built without CUDA", GPU_HINT)
    driver = machine.missing(DRIVER_LIBRARY)
    if driver is not None:
        return Obstacle(
            f"the NVIDIA driver is not installed ({driver})",
            "install NVIDIA's driver (nvidia-smi then lists the card), or use --device cpu",
        )
    count = machine.cuda_devices()
    if index >= count:
        cards = f"{count} CUDA device{'' if count == 1 else 's'}" if count else "no CUDA device"
        return Obstacle(
            f"the driver sees {cards}", "see nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu"
        )
    return _provider_obstacle(ort, machine)


def _provider_obstacle(ort: Any, machine: Machine) -> Obstacle | None:
    """Load the provider's library the way ONNX Runtime would; the loader names what is missing."""
    preload_cuda_libraries(ort)
    folder = Path(ort.__file__).parent / "capi"
    for name in ("libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"):
        reason = machine.missing(str(folder / name))
        if reason is not None:
            return Obstacle(
                f"ONNX Runtime's CUDA provider can't be loaded ({reason})",
                "install CUDA and cuDNN from wheels: pip install 'arcface-cli[gpu]', or use --device cpu",
            )
    return None


def preload_cuda_libraries(ort: Any) -> None:
    """Let ONNX Runtime find CUDA and cuDNN in their wheels; what is missing shows when it is loaded."""
    preload = getattr(ort, "preload_dlls", None)
    if preload is not None:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it can't find
            preload()


def gpu_seen() -> bool:
    """Whether this machine shows an NVIDIA card, usable or not."""
    return bool(glob.glob("/dev/nvidia[0-9]*")) or Path("/proc/driver/nvidia/gpus").is_dir()  # noqa: PTH207


def import_onnxruntime() -> Any:
    """Import onnxruntime with its chatter off. Raises RuntimeMissing, naming what to install."""
    if util.find_spec("onnxruntime") is None:
        raise RuntimeMissing("onnxruntime is not installed")
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise RuntimeMissing(f"onnxruntime can't be imported ({_one_line(error)}){_clash()}") from error
    if not hasattr(ort, "InferenceSession"):
        raise RuntimeMissing(f"the onnxruntime package here is incomplete{_clash()}")
    return ort


def _clash() -> str:
    """Name the two distributions that overwrite each other's files, when both are installed."""
    both = ("onnxruntime", "onnxruntime-gpu")
    return f"; {both[0]} and {both[1]} are both installed" if all(map(_installed, both)) else ""


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _missing(library: str) -> str | None:
    """Why the dynamic loader can't load `library`, or None when it can."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return _one_line(error)
    return None


def _cuda_device_count() -> int:
    """How many devices the driver offers, asked without making a CUDA context."""
    driver = ctypes.CDLL(DRIVER_LIBRARY)
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
