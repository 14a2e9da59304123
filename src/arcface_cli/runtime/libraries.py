"""The shared libraries that a provider of ONNX Runtime needs: which, where the loader finds them, how old.

Names are read from the provider's own ELF file (System V ABI, chapter 5), so they are right for every CUDA.
"""

from __future__ import annotations

import ctypes
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAPS = Path("/proc/self/maps")

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB = 0, 1, 5
_MOST_BYTES = 1 << 20  # of the tables that are read, which have some hundred

_CUDNN_OF_CUDA = {11: "libcudnn.so.8"}
_CUDNN = "libcudnn.so.9"

VersionOf = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library as the loader sees it. problem: why it can't be loaded, or None."""

    name: str
    path: str | None = None
    version: str | None = None
    problem: str | None = None


def needed_by(path: Path) -> list[str]:
    """Names of the libraries that a 64-bit little-endian ELF file asks for, in its order.

    Raises OSError when it can't be read, ValueError when it is no such file.
    """
    with path.open("rb") as file:
        try:
            return _needed(file)
        except (struct.error, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name}: this is no shared library") from error


def _needed(file: BinaryIO) -> list[str]:
    head = file.read(64)
    if head[:6] != b"\x7fELF\x02\x01":
        raise ValueError("this is no 64-bit little-endian ELF file")
    (start,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    segments = [struct.unpack("<IIQQQQQQ", _read(file, start + n * size, 56)) for n in range(count)]
    dynamic = next((segment for segment in segments if segment[0] == _PT_DYNAMIC), None)
    if dynamic is None:
        return []
    entries = list(
        struct.iter_unpack("<qQ", _read(file, dynamic[2], min(dynamic[5], _MOST_BYTES) // 16 * 16))
    )
    entries = entries[: next((n for n, (tag, _) in enumerate(entries) if tag == _DT_NULL), len(entries))]
    table = next(value for tag, value in [*entries, (_DT_STRTAB, 0)] if tag == _DT_STRTAB)
    offset = next(
        (s[2] + table - s[3] for s in segments if s[0] == _PT_LOAD and s[3] <= table < s[3] + s[5]), 0
    )
    return [_name(file, offset + value) for tag, value in entries if tag == _DT_NEEDED]


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _name(file: BinaryIO, offset: int) -> str:
    return _read(file, offset, 256).split(b"\0", 1)[0].decode("ascii")


def nvidia_libraries(provider: Path, cuda_major: int) -> list[str]:
    """NVIDIA's libraries that the CUDA provider needs. cuDNN is loaded by name later, so it stands nowhere.

    Raises what `needed_by` raises.
    """
    found = [name for name in needed_by(provider) if re.match(r"lib(cu|nv)", name)]
    return found if any("cudnn" in name for name in found) else [*found, cudnn_library(cuda_major)]


def cudnn_library(cuda_major: int) -> str:
    """Name of the cuDNN that goes with a CUDA."""
    return _CUDNN_OF_CUDA.get(cuda_major, _CUDNN)


def locate(name: str, load: Callable[[str], Any] = ctypes.CDLL, maps: Path = MAPS) -> Library:
    """Load a library by its name, as a program would, and say from where it came and its version."""
    try:
        library = load(name)
    except OSError as error:
        return Library(name, problem=" ".join(str(error).split()))
    path = _loaded_from(name, maps)
    return Library(name, path, version_of(name, library, path))


def _loaded_from(name: str, maps: Path) -> str | None:
    """Path of a loaded library: what is mapped under its name, or a longer one that its link leads to."""
    try:
        lines = maps.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    paths = [line.split(maxsplit=5)[5] for line in lines if line.count("/")]
    return next((path for path in paths if path.rsplit("/", 1)[1].startswith(name)), None)


def version_of(name: str, library: Any, path: str | None) -> str | None:
    """Version of a loaded library from its own function, else from the name of its file, else None."""
    stem = name.split(".", 1)[0]
    told = _VERSIONS.get(stem)
    if told is not None:
        try:
            return told(library)
        except (AttributeError, OSError):  # an older one without that function
            return _written_version(path)
    return _written_version(path)


def _written_version(path: str | None) -> str | None:
    """libcublas.so.12.4.5.8 -> 12.4.5.8"""
    match = re.search(r"\.so\.(\d+(?:\.\d+)+)$", path or "")
    return None if match is None else match[1]


def _cuda_number(function: str) -> VersionOf:
    """CUDA's own: 12040 is 12.4."""

    def told(library: Any) -> str:
        number = ctypes.c_int(0)
        getattr(library, function)(ctypes.byref(number))
        return f"{number.value // 1000}.{number.value % 1000 // 10}"

    return told


def _properties(function: str) -> VersionOf:
    """Major, minor and patch by `libraryPropertyType`."""

    def told(library: Any) -> str:
        parts = []
        for kind in range(3):
            number = ctypes.c_int(0)
            getattr(library, function)(kind, ctypes.byref(number))
            parts.append(str(number.value))
        return ".".join(parts)

    return told


def _cudnn_version(library: Any) -> str:
    """91002 is 9.10.2; before cuDNN 9 the major number counted thousands."""
    library.cudnnGetVersion.restype = ctypes.c_size_t
    number = int(library.cudnnGetVersion())
    major = 10_000 if number >= 90_000 else 1000
    return f"{number // major}.{number % major // 100}.{number % 100}"


def _tensorrt_version(library: Any) -> str:
    """101401 is 10.14.1; before TensorRT 10 the major number counted thousands."""
    number = int(library.getInferLibVersion())
    major = 10_000 if number >= 100_000 else 1000
    return f"{number // major}.{number % major // 100}.{number % 100}"


_VERSIONS: dict[str, VersionOf] = {
    "libcuda": _cuda_number("cuDriverGetVersion"),
    "libcudart": _cuda_number("cudaRuntimeGetVersion"),
    "libcublas": _properties("cublasGetProperty"),
    "libcublasLt": _properties("cublasLtGetProperty"),
    "libcufft": _properties("cufftGetProperty"),
    "libcurand": _properties("curandGetProperty"),
    "libcudnn": _cudnn_version,
    "libnvinfer": _tensorrt_version,
}
