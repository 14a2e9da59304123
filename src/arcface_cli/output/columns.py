"""Columns of arrays that grow row by row on disk rather than in memory, and end as NumPy's own bytes."""

from __future__ import annotations

import io
import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 1 << 20
"""Bytes of one column that are held in memory before it moves to a temporary file."""

_UTF32 = 4


def folder_of(stream: BinaryIO) -> Path | None:
    """The folder of the file that is being written, for temporary files; None where it is no file."""
    name = getattr(stream, "name", None)
    return Path(name).parent if isinstance(name, str) else None


class Spool:
    """Bytes that are written, then read from the first on; many of them in a nameless temporary file.

    It goes when it is closed or dropped, and with the process. What it still holds back then is not written
    on the way, as a buffered file's would be: on a full disk that would fail once more, with nobody to tell.
    """

    def __init__(self, folder: Path | None) -> None:
        self._held = bytearray()
        self._file: IO[bytes] | None = None
        self._folder = folder

    def write(self, data: bytes) -> None:
        """Add to the end."""
        self._held += data
        if len(self._held) >= IN_MEMORY:
            self._spill()

    def read(self) -> IO[bytes]:
        """All of it, to be read once; nothing is written any more."""
        if self._file is None:
            return io.BytesIO(self._held)
        self._spill()
        self._file.seek(0)
        return io.BufferedReader(cast("io.FileIO", self._file))

    def close(self) -> None:
        """Let go of the temporary file."""
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        if self._file is None:
            folder = None if self._folder is None else str(self._folder)
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - lives as long as this
        left = memoryview(self._held)
        while left:
            left = left[self._file.write(left) :]
        self._held = bytearray()


class Column(ABC):
    """One array in the making."""

    def __init__(self, folder: Path | None) -> None:
        self._spool = Spool(folder)
        self.rows = 0

    def close(self) -> None:
        """Let go of the temporary file."""
        self._spool.close()

    @abstractmethod
    def write_to(self, stream: IO[bytes]) -> None:
        """Write the array as a .npy file (format 1.0)."""


class NumberColumn(Column):
    """Rows of one shape and type: (N, *shape)."""

    def __init__(self, dtype: str, shape: tuple[int, ...], folder: Path | None) -> None:
        super().__init__(folder)
        self._dtype = np.dtype(dtype)
        self._shape = shape

    def append(self, row: object) -> None:
        """Take one row."""
        values: NDArray[np.generic] = np.ascontiguousarray(row, dtype=self._dtype)
        self._spool.write(values.reshape(self._shape).tobytes())
        self.rows += 1

    def write_to(self, stream: IO[bytes]) -> None:
        """Write the array as a .npy file."""
        write_header(stream, self._dtype, (self.rows, *self._shape))
        shutil.copyfileobj(self._spool.read(), stream, 1 << 20)


class TextColumn(Column):
    """Rows of text: (N,) of NumPy's fixed-width Unicode, as wide as the longest."""

    def __init__(self, folder: Path | None) -> None:
        super().__init__(folder)
        self._width = 1

    def append(self, text: str) -> None:
        """Take one row."""
        data = text.encode("utf-32-le", "surrogatepass")
        self._spool.write(len(data).to_bytes(4, "little") + data)
        self._width = max(self._width, len(data) // _UTF32)
        self.rows += 1

    def write_to(self, stream: IO[bytes]) -> None:
        """Write the array as a .npy file."""
        write_header(stream, np.dtype(f"<U{self._width}"), (self.rows,))
        spooled = self._spool.read()
        for _ in range(self.rows):
            data = spooled.read(int.from_bytes(spooled.read(4), "little"))
            stream.write(data.ljust(self._width * _UTF32, b"\0"))


def write_header(stream: IO[bytes], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    """The header of a .npy file; for one dtype it is equally long whatever the number of rows is."""
    description = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(stream, description)
