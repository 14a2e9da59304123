"""Which device was asked for, and what stands in its way. Imports no runtime until asked."""

from __future__ import annotations

import contextlib
import ctypes
import glob
import importlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

from arcface_cli.errors import DeviceUnavailable, RuntimeMissing, UsageError
from arcface_cli.installing import install, install_instead, is_installed
from arcface_cli.runtime.cards import DRIVER_LIBRARY, cards
from arcface_cli.runtime.libraries import cudnn_library, needed_by

_DEVICE = re.compile(r"auto|cpu|cuda(?::(\d{1,3}(?:,\d{1,3})*))?")
TENSORRT_PACKAGE = "tensorrt_libs"
"""What TensorRT's wheels (tensorrt-cu13-libs) bring."""
TENSORRT_PROVIDER = "TensorrtExecutionProvider"
TENSORRT_EXTRAS = "gpu,tensorrt"


@dataclass(frozen=True, slots=True)
class Device:
    """A place to compute: the CPU (no cards), or CUDA cards by their numbers, which share the work."""

    cards: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"cuda:{','.join(map(str, self.cards))}" if self.cards else "cpu"

    @property
    def cuda_index(self) -> int | None:
        """Number of the card, of the first one where there are several; None for the CPU."""
        return self.cards[0] if self.cards else None

    def singly(self) -> tuple[Device, ...]:
        """A device for each card; the CPU is one."""
        return tuple(Device((card,)) for card in self.cards) or (self,)


CPU = Device()


def read_device(word: str) -> Device | None:
    """The device that a word names: cpu, cuda (card 0), cuda:N, or cuda:N,M for several; None for auto.

    Raises UsageError for another word, and for a card that is named twice.
    """
    match = _DEVICE.fullmatch(word.strip().lower())
    if match is None:
        raise UsageError(
            f"--device {word}: no such device",
            hint="use auto, cpu, cuda, cuda:N, or cuda:0,1 for several cards",
        )
    if match.group(0) in ("auto", "cpu"):
        return None if match.group(0) == "auto" else CPU
    numbers = tuple(int(number) for number in (match.group(1) or "0").split(","))
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise UsageError(f"--device {word}: card {twice} is named twice", hint="name each card once")
    return Device(numbers)


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The device taken, and why a GPU that could be expected is not it (None when nothing needs saying)."""

    device: Device
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of a machine before a device is promised.

    onnxruntime: imports it, or raises RuntimeMissing.  missing: why the loader can't load a library, or
    None.  cuda_devices: how many the driver offers; raises DeviceUnavailable when it doesn't start.
    gpu_seen: whether a card shows, usable or not.  needed: names of the libraries that a file of a provider
    asks for; raises OSError or ValueError where that can't be read.
    """

    onnxruntime: Callable[[], Any]
    missing: Callable[[str], str | None]
    cuda_devices: Callable[[], int]
    gpu_seen: Callable[[], bool]
    needed: Callable[[Path], Sequence[str]] = needed_by


def this_machine() -> Machine:
    """The machine that we run on."""
    return Machine(import_onnxruntime, _missing, lambda: len(cards()), gpu_seen)


def choose_device(wanted: str, machine: Machine | None = None, *, tensorrt: bool = False) -> DeviceChoice:
    """Turn auto, cpu, cuda, cuda:N or cuda:N,M into a device that can serve.

    tensorrt: it was asked for, so auto means cuda. Raises UsageError for another word, and for TensorRT on
    the CPU; DeviceUnavailable when CUDA or TensorRT was asked for by name and can't be had. auto takes card 0
    when runtime and card are there, else the CPU with a remark if a GPU was seen, or if the runtime is one
    for GPUs.
    """
    named = read_device(wanted)
    if named == CPU and tensorrt:
        raise UsageError(
            f"--tensorrt: TensorRT runs on a GPU, not with --device {wanted}",
            hint="add --no-tensorrt, or name a card",
        )
    if named == CPU:
        return DeviceChoice(CPU)
    device = Device((0,)) if named is None else named
    here = this_machine() if machine is None else machine
    obstacle = cuda_obstacle(max(device.cards), here, TENSORRT_EXTRAS if tensorrt else "gpu")
    without = "use --device cpu"
    if tensorrt:
        without = "leave --tensorrt out" if named is None or obstacle is None else f"{without} --no-tensorrt"
        obstacle = tensorrt_obstacle(here) if obstacle is None else obstacle
    if obstacle is None:
        return DeviceChoice(device)
    if named is None and not tensorrt:
        return DeviceChoice(CPU, _remark(obstacle, here))
    asked = "--tensorrt" if tensorrt else f"--device {wanted}"
    raise DeviceUnavailable(f"{asked}: {obstacle.reason}", hint=f"{obstacle.hint}, or {without}")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps CUDA from being used, and the user's next step; doing without is for the caller to add."""

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


def cuda_obstacle(index: int, machine: Machine, extras: str = "gpu") -> Obstacle | None:
    """The first thing that keeps ONNX Runtime from CUDA device `index`, or None when it can serve.

    extras: of ours, that bring what is wanted.
    """
    ort = machine.onnxruntime()
    if not is_for_cuda(ort):
        return Obstacle(
            f"the installed onnxruntime ({ort.__version__}) is built without CUDA",
            f"put the runtime for NVIDIA CUDA in its place with: {install_instead(extras)}",
        )
    driver = machine.missing(DRIVER_LIBRARY)
    if driver is not None:
        return Obstacle(
            f"the NVIDIA driver is not installed ({driver})",
            "install NVIDIA's driver (nvidia-smi then lists the card)",
        )
    try:
        count = machine.cuda_devices()
    except DeviceUnavailable as error:
        return Obstacle(error.message, "see what nvidia-smi says")
    if index >= count:
        seen = f"{count} CUDA device{'' if count == 1 else 's'}" if count else "no CUDA device"
        beyond = f", so there is no cuda:{index}" if count else ""
        return Obstacle(f"the driver sees {seen}{beyond}", "see nvidia-smi and CUDA_VISIBLE_DEVICES")
    preload_cuda_libraries(ort)
    reason = unloadable(provider_file(ort, "cuda"), machine, also=cudnn_library(cuda_major(ort)))
    if reason is None:
        return None
    return Obstacle(
        f"ONNX Runtime's CUDA provider can't be loaded ({reason})",
        f"install CUDA and cuDNN from wheels with: {install(extras)}",
    )


def tensorrt_obstacle(machine: Machine) -> Obstacle | None:
    """The first thing that keeps ONNX Runtime from TensorRT where CUDA can serve, or None."""
    ort = machine.onnxruntime()
    if TENSORRT_PROVIDER not in ort.get_available_providers():
        return Obstacle(
            f"the installed onnxruntime ({ort.__version__}) is built without TensorRT",
            f"put one with it in its place with: {install_instead(TENSORRT_EXTRAS)}",
        )
    preload_tensorrt_libraries()
    reason = unloadable(provider_file(ort, "tensorrt"), machine)
    if reason is None:
        return None
    return Obstacle(
        f"TensorRT can't be loaded ({reason})", f"install TensorRT with: {install(TENSORRT_EXTRAS)}"
    )


def provider_file(ort: Any, name: str) -> Path:
    """Where a provider's own library lies."""
    return Path(ort.__file__).parent / "capi" / f"libonnxruntime_providers_{name}.so"


def unloadable(provider: Path, machine: Machine, *, also: str | None = None) -> str | None:
    """Why a provider can't be loaded: the loader's words on the first library it needs that can't; or None.

    also: what it loads by name later. The provider's own file is left to ONNX Runtime: it calls its host
    while it is being loaded, and where nobody has told it who that is, the process dies.
    """
    try:
        needed = machine.needed(provider)
    except (OSError, ValueError) as error:
        return _one_line(error)
    names = [*needed, *([] if also is None or also in needed else [also])]
    return next((reason for name in names if (reason := machine.missing(name)) is not None), None)


def cuda_major(ort: Any) -> int:
    """Of the CUDA that the runtime was built for, 0 where it doesn't say."""
    return int(str(getattr(ort, "cuda_version", "") or "0").split(".", maxsplit=1)[0])


def preload_tensorrt_libraries() -> None:
    """Let ONNX Runtime find TensorRT in its wheel, whose package loads its libraries; see above."""
    if util.find_spec(TENSORRT_PACKAGE) is not None:
        importlib.import_module(TENSORRT_PACKAGE)


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
        raise RuntimeMissing(
            f"onnxruntime can't be imported ({_one_line(error)}){_clash()}", hint=_DOCTOR
        ) from error
    if not hasattr(ort, "InferenceSession"):
        raise RuntimeMissing(f"the onnxruntime package here is incomplete{_clash()}", hint=_DOCTOR)
    return ort


_DOCTOR = "see the command that mends it with: arcface doctor"


def _clash() -> str:
    """Name the two distributions that overwrite each other's files, when both are installed."""
    both = ("onnxruntime", "onnxruntime-gpu")
    return f"; {both[0]} and {both[1]} are both installed" if all(map(is_installed, both)) else ""


def _missing(library: str) -> str | None:
    """Why the dynamic loader can't load `library`, or None when it can."""
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return _one_line(error)
    return None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
