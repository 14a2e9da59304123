"""NVIDIA's driver and the cards that it offers, asked without making a CUDA context."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arcface_cli.errors import DeviceUnavailable
from arcface_cli.runtime.devices import DRIVER_LIBRARY

MODULE_VERSION = Path("/sys/module/nvidia/version")
_LONGEST_NAME = 256
_NO_DEVICE = 100


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU. memory: bytes."""

    name: str
    memory: int


def driver_version(path: Path = MODULE_VERSION) -> str | None:
    """Version of the kernel's part of the driver, or None where it isn't loaded or doesn't show."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip() or None
    except OSError:
        return None


def cards(load: Callable[[str], Any] = ctypes.CDLL) -> list[Card]:
    """The GPUs that the driver offers, in its order and as CUDA_VISIBLE_DEVICES says.

    Raises OSError where there is no driver, DeviceUnavailable where it doesn't start.
    """
    driver = load(DRIVER_LIBRARY)
    count = ctypes.c_int(0)
    status = driver.cuInit(0)
    if status == 0:
        status = driver.cuDeviceGetCount(ctypes.byref(count))
    if status not in (0, _NO_DEVICE):
        raise DeviceUnavailable(f"the driver doesn't start ({_error_name(driver, status)})")
    return [_card(driver, number) for number in range(count.value)]


def _error_name(driver: Any, status: int) -> str:
    """As in CUDA's documentation, which says what to do: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH."""
    name = ctypes.c_char_p(None)
    driver.cuGetErrorName(status, ctypes.byref(name))
    return (
        f"CUDA error {status}" if name.value is None else f"{name.value.decode('ascii', 'replace')}, {status}"
    )


def _card(driver: Any, number: int) -> Card:
    device, name, memory = ctypes.c_int(0), ctypes.create_string_buffer(_LONGEST_NAME), ctypes.c_size_t(0)
    driver.cuDeviceGet(ctypes.byref(device), number)
    driver.cuDeviceGetName(name, _LONGEST_NAME, device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return Card(name.value.decode("utf-8", "replace"), memory.value)
