"""Shared libraries: which are needed, where they come from, which version they are."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import DeviceUnavailable
from arcface_cli.runtime.cards import Card, Memory, cards, driver_version, memory
from arcface_cli.runtime.libraries import Library, locate, needed_by, nvidia_libraries, version_of

NATIVE = next(Path(onnxruntime.__file__).parent.glob("capi/onnxruntime_pybind11_state*.so"))


def test_what_a_real_library_needs_is_read_from_its_file() -> None:
    needed = needed_by(NATIVE)
    assert {"libc.so.6", "libm.so.6"} <= set(needed)
    assert all(name.isascii() and ".so" in name for name in needed)


def test_binutils_reads_the_same() -> None:
    try:
        shown = subprocess.run(
            ["readelf", "-d", str(NATIVE)], capture_output=True, text=True, check=True
        ).stdout
    except FileNotFoundError:
        shown = "".join(
            f"(NEEDED) [{name}]\n" for name in needed_by(NATIVE)
        )  # no binutils here: nothing to add
    told = [line.rsplit("[", 1)[1].rstrip("]") for line in shown.splitlines() if "(NEEDED)" in line]
    assert needed_by(NATIVE) == told


def elf(*needed: str) -> bytes:
    """The smallest ELF file with these DT_NEEDED entries: one loaded segment, one dynamic one."""
    import struct

    names = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    table_at, dynamic_at = 64 + 2 * 56, 64 + 2 * 56 + len(names)
    offsets, at = [], 1
    for name in needed:
        offsets.append(at)
        at += len(name) + 1
    base = 0x1000  # addresses differ from offsets, as in real files
    dynamic = b"".join(struct.pack("<qQ", 1, offset) for offset in offsets)
    dynamic += struct.pack("<qQ", 5, base + table_at) + struct.pack("<qQ", 0, 0)
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    )
    total = dynamic_at + len(dynamic)
    loaded = struct.pack("<IIQQQQQQ", 1, 4, 0, base, base, total, total, 4096)
    linked = struct.pack("<IIQQQQQQ", 2, 4, dynamic_at, base + dynamic_at, 0, len(dynamic), len(dynamic), 8)
    return head + loaded + linked + names + dynamic


def test_names_are_found_where_the_loader_would_map_them(tmp_path: Path) -> None:
    path = tmp_path / "provider.so"
    path.write_bytes(elf("libcublas.so.13", "libcuda.so.1", "libc.so.6"))
    assert needed_by(path) == ["libcublas.so.13", "libcuda.so.1", "libc.so.6"]


def test_cudnn_is_needed_though_the_provider_does_not_say_so(tmp_path: Path) -> None:
    path = tmp_path / "provider.so"
    path.write_bytes(elf("libcublas.so.13", "libc.so.6"))
    assert nvidia_libraries(path, 13) == ["libcublas.so.13", "libcudnn.so.9"]
    assert nvidia_libraries(path, 11)[-1] == "libcudnn.so.8"
    path.write_bytes(elf("libcudnn.so.9", "libcudart.so.12"))
    assert nvidia_libraries(path, 12) == ["libcudnn.so.9", "libcudart.so.12"]


@pytest.mark.parametrize("content", [b"", b"MZ", b"\x7fELF\x01\x01" + bytes(60), b"\x7fELF\x02\x01"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.so").write_bytes(content)
    with pytest.raises(ValueError, match="no"):
        needed_by(tmp_path / "x.so")


@given(cut=st.integers(0, 400), at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_file_never_does_worse_than_being_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, byte: int
) -> None:
    content = bytearray(elf("libcublas.so.13", "libc.so.6"))
    if at < len(content):
        content[at] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.so"
    path.write_bytes(content[: len(content) - cut] if cut < len(content) else b"")
    try:
        names = needed_by(path)
    except (ValueError, OSError):
        return
    assert all(isinstance(name, str) for name in names)


def test_a_library_that_loads_is_told_with_its_path(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r--p 00000000 fe:00 123   /opt/my libs/libcudnn.so.9.10.2\n"
        "7f02-7f03 rw-p 0 00:00 0 [heap]\n"
    )
    loaded = SimpleNamespace()
    found = locate("libcudnn.so.9", lambda name: loaded, maps)
    assert found == Library("libcudnn.so.9", "/opt/my libs/libcudnn.so.9.10.2", "9.10.2")


def test_a_library_that_does_not_load_is_told_with_the_reason() -> None:
    def refuse(name: str) -> Any:
        raise OSError(f"{name}: cannot open\nshared object file")

    assert locate("libcuda.so.1", refuse).problem == "libcuda.so.1: cannot open shared object file"


def test_the_c_library_is_found_here() -> None:
    found = locate("libc.so.6")
    assert found.problem is None
    assert found.path is not None
    assert Path(found.path).exists()


def writes(*numbers: int) -> Callable[..., int]:
    """A C function that writes a number through its last argument, which is a pointer."""

    def function(*arguments: Any) -> int:
        arguments[-1]._obj.value = numbers[arguments[0] if len(arguments) > 1 else 0]
        return 0

    return function


class Counted:
    """A C function without arguments that returns a number."""

    restype: Any = None

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self) -> int:
        return self.number


@pytest.mark.parametrize(
    ("name", "library", "version"),
    [
        ("libcuda.so.1", SimpleNamespace(cuDriverGetVersion=writes(12040)), "12.4"),
        ("libcudart.so.13", SimpleNamespace(cudaRuntimeGetVersion=writes(13000)), "13.0"),
        ("libcublas.so.12", SimpleNamespace(cublasGetProperty=writes(12, 4, 5)), "12.4.5"),
        ("libcublasLt.so.12", SimpleNamespace(cublasLtGetProperty=writes(12, 4, 5)), "12.4.5"),
        ("libcudnn.so.9", SimpleNamespace(cudnnGetVersion=Counted(91002)), "9.10.2"),
        ("libcudnn.so.8", SimpleNamespace(cudnnGetVersion=Counted(8907)), "8.9.7"),
        ("libnvinfer.so.10", SimpleNamespace(getInferLibVersion=Counted(101401)), "10.14.1"),
        ("libnvinfer.so.8", SimpleNamespace(getInferLibVersion=Counted(8601)), "8.6.1"),
        ("libnvrtc.so.12", SimpleNamespace(), None),
    ],
)
def test_versions_are_what_the_libraries_say(name: str, library: Any, version: str | None) -> None:
    assert version_of(name, library, None) == version


class FakeDriver:
    """libcuda with two cards, or one whose start fails."""

    def __init__(self, status: int = 0, memory_status: int = 0) -> None:
        self.status = status
        self.memory_status = memory_status
        self.retained: list[int] = []

    def cuInit(self, flags: int) -> int:
        return self.status

    def cuGetErrorName(self, status: int, name: Any) -> int:
        name._obj.value = {803: b"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}.get(status)
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = 2
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:
        device._obj.value = number
        return 0

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:
        name.value = f"Card {device.value}".encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:
        memory._obj.value = 80 * 2**30
        return 0

    def cuDevicePrimaryCtxRetain(self, context: Any, device: Any) -> int:
        self.retained.append(device.value)
        return 0

    def cuCtxPushCurrent_v2(self, context: Any) -> int:
        return 0

    def cuMemGetInfo_v2(self, free: Any, total: Any) -> int:
        free._obj.value, total._obj.value = 50 * 2**30, 80 * 2**30
        return self.memory_status

    def cuCtxPopCurrent_v2(self, context: Any) -> int:
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device: Any) -> int:
        self.retained.remove(device.value)
        return 0


def test_cards_are_told_by_name_and_memory() -> None:
    assert cards(lambda name: FakeDriver()) == [Card("Card 0", 80 * 2**30), Card("Card 1", 80 * 2**30)]


@pytest.mark.parametrize("memory_status", [0, 2])
def test_what_a_card_has_left_is_asked_in_a_context_that_is_given_back(memory_status: int) -> None:
    driver = FakeDriver(memory_status=memory_status)
    if memory_status:
        with pytest.raises(DeviceUnavailable, match="CUDA error 2"):
            memory(1, lambda name: driver)
    else:
        assert memory(1, lambda name: driver) == Memory(free=50 * 2**30, total=80 * 2**30)
    assert driver.retained == []


def test_a_driver_may_have_no_cards() -> None:
    assert cards(lambda name: FakeDriver(100)) == []


@pytest.mark.parametrize(
    ("status", "told"), [(803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 803"), (4711, "CUDA error 4711")]
)
def test_a_driver_that_does_not_start_says_why(status: int, told: str) -> None:
    with pytest.raises(DeviceUnavailable, match=told):
        cards(lambda name: FakeDriver(status))


def test_the_version_of_the_driver_stands_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("550.54.15\n")
    assert driver_version(tmp_path / "version") == "550.54.15"
    assert driver_version(tmp_path / "none") is None
