"""Columns of arrays that grow row by row on disk rather than in memory, and end as NumPy's own bytes."""

from __future__ import annotations

import shutil
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.typing import NDArray

IN_MEMORY = 1 << 20
"""Bytes of one column that are held in memory before it moves to a temporary file."""

_UTF32 = 4


def folder_of(stream: BinaryIO) -> Path | None:
    """The folder of the file that is being written, for temporary files; None where it is no file."""
    name = getattr(stream, "name", None)
    return Path(name).parent if isinstance(name, str) else None


def spool(folder: Path | None) -> IO[bytes]:
    """A nameless temporary file: it goes when it is closed, and with the process."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY, dir=None if folder is None else str(folder))


class Column(ABC):
    """One array in the making."""

    def __init__(self, folder: Path | None) -> None:
        self._spool = spool(folder)
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
        self._spool.seek(0)
        shutil.copyfileobj(self._spool, stream, 1 << 20)


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
        self._spool.seek(0)
        for _ in range(self.rows):
            data = self._spool.read(int.from_bytes(self._spool.read(4), "little"))
            stream.write(data.ljust(self._width * _UTF32, b"\0"))


def write_header(stream: IO[bytes], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    """The header of a .npy file; for one dtype it is equally long whatever the number of rows is."""
    description = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(stream, description)
