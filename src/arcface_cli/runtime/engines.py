"""TensorRT's engines: what the provider is told, and where they are kept, since building one takes minutes.

An engine serves one network on one kind of card with one TensorRT, for batches up to the one it was built
for. ONNX Runtime names its files by the graph's nodes and not by its weights, so every network has a folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from arcface_cli.errors import DeviceUnavailable
from arcface_cli.faces import CROP_SIDE
from arcface_cli.runtime import cards, libraries
from arcface_cli.runtime.devices import provider_file, this_machine
from arcface_cli.runtime.graphs import PIXELS, PIXELS_AS_NUMBERS

_LIBRARY = "libnvinfer.so"


@dataclass(frozen=True, slots=True)
class Kind:
    """What engines fit, beside their network. card: its name.  tensorrt: its version."""

    card: str
    tensorrt: str


@dataclass(frozen=True, slots=True)
class Engines:
    """Where engines are kept, and for what they are built.

    folder: anything in it can be deleted.  most: crops in a run.  half: TensorRT may round to float16 where
    that is faster.  tell: called with a line before one is built.  kind_of: what fits card N.
    """

    folder: Path
    most: int
    half: bool
    tell: Callable[[str], None]
    kind_of: Callable[[int], Kind]

    def of(self, network: str, name: str, card: int) -> Engine:
        """The engine of a network on a card. network: its hash and what was done to it.  name: for people."""
        kind = self.kind_of(card)
        precision = "fp16" if self.half else "fp32"
        place = f"{_plain(kind.card)}-{kind.tensorrt}-{precision}-{self.most}"
        return Engine(
            self.folder / network / place, self.most, self.half, f"{name} on {kind.card}", self.tell
        )


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine, built or not. what: the network and the card, for people. The rest as in `Engines`."""

    folder: Path
    most: int
    half: bool
    what: str
    tell: Callable[[str], None]

    @property
    def built(self) -> bool:
        """Whether it is there."""
        return any(self.folder.glob("*.engine"))

    @contextlib.contextmanager
    def building(self) -> Iterator[None]:
        """Make the session inside: one process builds, others wait for what it built.

        Raises DeviceUnavailable where the folder can't be written, or TensorRT took no part of the network.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "lock").acquire()
        except OSError as error:
            raise DeviceUnavailable(
                f"--tensorrt: engines can't be kept in {self.folder} ({error.strerror})",
                hint="move the models folder with ARCFACE_MODELS_DIR, or leave --tensorrt out",
            ) from error
        with lock:
            if not self.built:
                self.tell(
                    f"TensorRT builds an engine for {self.what}: minutes, once; it is kept in {self.folder}"
                )
            yield
            if not self.built:
                raise DeviceUnavailable(
                    f"{self.what}: TensorRT took no part of the network", hint="leave --tensorrt out"
                )

    def options(self, card: int) -> dict[str, str]:
        """What the provider is told.

        Shapes of the pixels are named for both sides of their cast to float32, whichever TensorRT begins
        with: with them it builds when the session is made, once for all batches, and not in the first run.
        """
        return {
            "device_id": str(card),
            "trt_fp16_enable": str(self.half),
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": str(self.folder),
            "trt_profile_min_shapes": _shapes(1),
            "trt_profile_opt_shapes": _shapes(self.most),
            "trt_profile_max_shapes": _shapes(self.most),
        }


def _shapes(batch: int) -> str:
    return ",".join(f"{name}:{batch}x{CROP_SIDE}x{CROP_SIDE}x3" for name in (PIXELS, PIXELS_AS_NUMBERS))


def _plain(name: str) -> str:
    """NVIDIA H100 80GB HBM3 -> NVIDIA-H100-80GB-HBM3, as part of a path."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)


def kind_here(card: int) -> Kind:
    """Of card N in this machine, once TensorRT's libraries are loaded (`devices.tensorrt_obstacle`)."""
    return Kind(cards.cards()[card].name, tensorrt_version())


def tensorrt_version() -> str:
    """Of the library that ONNX Runtime's provider is linked to. Raises DeviceUnavailable without it."""
    provider = provider_file(this_machine().onnxruntime(), "tensorrt")
    name = next((each for each in libraries.needed_by(provider) if each.startswith(_LIBRARY)), _LIBRARY)
    found = libraries.locate(name, ctypes.CDLL)
    if found.version is None:
        raise DeviceUnavailable(f"--tensorrt: {name} doesn't tell its version ({found.problem})")
    return found.version
