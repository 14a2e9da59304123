"""NVIDIA's driver, the cards that it offers, and what memory they have left."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arcface_cli.errors import DeviceUnavailable

DRIVER_LIBRARY = "libcuda.so.1"
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
    """The GPUs that the driver offers, in its order and as CUDA_VISIBLE_DEVICES says. Makes no CUDA context.

    Raises OSError where there is no driver, DeviceUnavailable where it doesn't start.
    """
    driver = load(DRIVER_LIBRARY)
    count = ctypes.c_int(0)
    status = driver.cuInit(0)
    if status == 0:
        status = driver.cuDeviceGetCount(ctypes.byref(count))
    if status != _NO_DEVICE:
        _require(driver, status)
    return [_card(driver, number) for number in range(count.value)]


@dataclass(frozen=True, slots=True)
class Memory:
    """Of a card, in bytes."""

    free: int
    total: int


def memory(number: int, load: Callable[[str], Any] = ctypes.CDLL) -> Memory:
    """What card `number` has left, once CUDA's own context is there, which whoever computes on it shares.

    Raises OSError and DeviceUnavailable as `cards` does.
    """
    driver = load(DRIVER_LIBRARY)
    device, context = ctypes.c_int(0), ctypes.c_void_p(None)
    free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
    _require(driver, driver.cuInit(0))
    _require(driver, driver.cuDeviceGet(ctypes.byref(device), number))
    _require(driver, driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device))
    try:
        _require(driver, driver.cuCtxPushCurrent_v2(context))
        status = driver.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
        driver.cuCtxPopCurrent_v2(ctypes.byref(context))
        _require(driver, status)
    finally:
        driver.cuDevicePrimaryCtxRelease_v2(device)
    return Memory(free.value, total.value)


def _require(driver: Any, status: int) -> None:
    """Raise DeviceUnavailable with the error's name as in CUDA's documentation, which says what to do."""
    if status == 0:
        return
    name = ctypes.c_char_p(None)
    driver.cuGetErrorName(status, ctypes.byref(name))
    said = (
        f"CUDA error {status}" if name.value is None else f"{name.value.decode('ascii', 'replace')}, {status}"
    )
    raise DeviceUnavailable(f"the driver doesn't start ({said})")


def _card(driver: Any, number: int) -> Card:
    device, name, memory = ctypes.c_int(0), ctypes.create_string_buffer(_LONGEST_NAME), ctypes.c_size_t(0)
    driver.cuDeviceGet(ctypes.byref(device), number)
    driver.cuDeviceGetName(name, _LONGEST_NAME, device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return Card(name.value.decode("utf-8", "replace"), memory.value)
