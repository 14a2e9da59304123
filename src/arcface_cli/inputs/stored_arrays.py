"""Rows of .npz and of .npy with its manifest, a few megabytes at a time. No pickle is ever opened."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import math
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import UnreadableFeatures
from arcface_cli.inputs.embeddings import LONGEST_NAME, FieldsOrError, Rows
from arcface_cli.inputs.stored_rows import json_faces, json_lines

CHUNK = 1 << 22
"""Bytes of one array that are in memory at a time."""

_PER_FACE = {
    "features": "feature",
    **{
        name: name
        for name in (
            *("input", "input_b64", "face", "box", "landmarks"),
            *("detection_score", "width", "height", "sha256"),
        )
    },
}
_PER_RUN = ("model", "detector", "canonical_fingerprint")
_LONGEST_HEADER = 10_000
_PLAIN_TYPE = re.compile(r"[<>|=]?(?:[fiu][0-9]{1,2}|U[0-9]{1,6}|O)")


_Failure = tuple[int, tuple[str, FieldsOrError]]
"""How many faces come before an input without one (all of them, in files that don't tell), and what it is."""


class ArrayReader:
    """A .npy file or member, row by row. Raises UnreadableFeatures for one that is no plain array."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name
        shape, fortran, self.dtype = _header(stream, name)
        if self.dtype.hasobject:
            raise UnreadableFeatures(
                f"{name} holds pickled objects, which could run code: they are not read",
                hint="save plain arrays",
            )
        if fortran and len(shape) > 1:
            raise UnreadableFeatures(f"{name} is stored column by column", hint="save it in C order")
        if self.dtype.kind not in "fiuU" or self.dtype.itemsize > 4 * LONGEST_NAME:
            raise UnreadableFeatures(f"{name} has type {self.dtype}, which no feature file has")
        self.rows = shape[0] if shape else 1
        self.shape = shape[1:]
        self._row_size = self.dtype.itemsize * math.prod(self.shape)
        if self._row_size > CHUNK:
            raise UnreadableFeatures(f"{name} claims rows of {self._row_size:,} bytes")

    def __iter__(self) -> Iterator[NDArray[Any]]:
        size = self._row_size
        together = max(1, CHUNK // max(size, 1))
        for start in range(0, self.rows, together):
            count = min(together, self.rows - start)
            data = self._stream.read(count * size)
            if len(data) < count * size:
                raise UnreadableFeatures(f"{self._name} is truncated at row {start + len(data) // size + 1}")
            yield from np.frombuffer(data, self.dtype).reshape(count, *self.shape)


def npz_rows(path: Path, shown: str) -> Rows:
    """Rows of what `embed -f npz` wrote; checksums are verified before the first one is told."""
    with _reported(shown), zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged is not None:
            raise UnreadableFeatures(f"{shown} is damaged: the checksum of {damaged[:100]!a} is wrong")
        run = {name: _only(archive, name, shown) for name in _PER_RUN}
        yield from _in_order(_archive_faces(archive, run, shown), _archive_failures(archive, shown))


def npy_rows(path: Path, shown: str) -> Rows:
    """Rows of a .npy file and the manifest beside it; that they belong together is verified first."""
    manifest = path.with_suffix(".manifest.jsonl")
    with _reported(shown):
        if not manifest.is_file():
            raise UnreadableFeatures(
                f"{shown} has no {manifest.name} beside it, so nobody knows whose features they are",
                hint="keep both files that arcface embed -o wrote together",
            )
        with path.open("rb") as stream:
            reader = ArrayReader(stream, shown)
            _check_pair(path, manifest, reader, shown)
            yield from _manifest_rows(manifest, reader, shown)


def _manifest_rows(manifest: Path, reader: ArrayReader, shown: str) -> Rows:
    features = iter(reader)
    lines = json_lines(manifest, manifest.name)
    next(lines, None)
    row = 0
    for where, record in lines:
        for place, fields in json_faces(where, record):
            if isinstance(fields, dict) and fields.get("row") is not None:
                if fields["row"] != row:
                    raise UnreadableFeatures(f"{place} names row {fields['row']!r:.40}, where {row} is next")
                yield f"{shown}, row {row + 1}", fields | {"feature": next(features)}
                row += 1
            else:
                yield place, fields


def _check_pair(path: Path, manifest: Path, reader: ArrayReader, shown: str) -> None:
    head, faces, records = _summed_up(manifest)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    told = (head.get("rows"), head.get("records"), head.get("sha256"), head.get("dimension"))
    if told != (faces, records, digest, *reader.shape) or reader.rows != faces:
        raise UnreadableFeatures(
            f"{shown} and {manifest.name} don't belong together, or one of them is damaged: the manifest "
            f"tells of {faces} faces of {told[0]!r:.20}, the array has {reader.rows} rows",
            hint="write both again with: arcface embed -o",
        )


def _summed_up(manifest: Path) -> tuple[dict[str, Any], int, int]:
    """The manifest's first line, and how many faces and records follow it."""
    faces = records = 0
    with manifest.open("rb") as stream:
        try:
            head = json.loads(stream.readline(1 << 16))
        except (ValueError, RecursionError):
            head = None
        for _, record in json_lines(manifest, manifest.name, skip=1):
            records += 1
            seen = record.get("faces", ()) if isinstance(record, dict) else ()
            faces += len(seen) if isinstance(seen, list) else 0
    return head if isinstance(head, dict) else {}, faces, records


def _archive_faces(archive: zipfile.ZipFile, run: dict[str, str], shown: str) -> Rows:
    with contextlib.ExitStack() as stack:
        columns = {
            field: ArrayReader(stack.enter_context(_member(archive, name, shown)), f"{shown}: {name}")
            for name, field in {**_PER_FACE, **_optional(archive, "subject")}.items()
        }
        lengths = {column.rows for column in columns.values()}
        if len(lengths) != 1:
            raise UnreadableFeatures(f"{shown}: its arrays have {sorted(lengths)} rows, which don't match")
        for number, values in enumerate(zip(*columns.values(), strict=True), start=1):
            fields = {name: _plain(value) for name, value in zip(columns, values, strict=True)}
            yield f"{shown}, row {number}", fields | run


def _archive_failures(archive: zipfile.ZipFile, shown: str) -> Iterator[_Failure]:
    if "unusable_input.npy" not in archive.namelist():
        return
    with contextlib.ExitStack() as stack:
        inputs, codes, *told = (
            ArrayReader(stack.enter_context(_member(archive, name, shown)), f"{shown}: {name}")
            for name in ("unusable_input", "unusable_code", *_optional(archive, "unusable_before"))
        )
        if any(places.shape or places.dtype.kind not in "iu" for places in told):
            raise UnreadableFeatures(f"{shown}: unusable_before holds more than whole numbers")
        before: Iterator[Any] = chain(told[0] if told else (), repeat(sys.maxsize))
        for number, (name, code, place) in enumerate(zip(inputs, codes, before, strict=False), start=1):
            failure = {"input": str(name), "code": str(code)}
            yield int(place), (f"{shown}, unusable input {number}", failure)


def _in_order(faces: Rows, failures: Iterator[_Failure]) -> Rows:
    """Both kinds, as the inputs came."""
    failure = next(failures, None)
    for number, face in enumerate(faces):
        while failure is not None and failure[0] <= number:
            yield failure[1]
            failure = next(failures, None)
        yield face
    while failure is not None:
        yield failure[1]
        failure = next(failures, None)


def _optional(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    return {name: name} if f"{name}.npy" in archive.namelist() else {}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, np.str_) else value


def _member(archive: zipfile.ZipFile, name: str, shown: str) -> IO[bytes]:
    try:
        return archive.open(f"{name}.npy")
    except KeyError:
        raise UnreadableFeatures(f"{shown} has no array {name!r}, which arcface embed writes") from None


def _only(archive: zipfile.ZipFile, name: str, shown: str) -> str:
    with _member(archive, name, shown) as stream:
        return next((str(value) for value in ArrayReader(stream, f"{shown}: {name}")), "")


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, column order and type of a .npy file (NEP 1); NumPy's own reader would even try Python 2's."""
    magic = stream.read(8)
    size_bytes = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4, b"\x93NUMPY\x03\x00": 4}.get(magic)
    size = 0 if size_bytes is None else int.from_bytes(stream.read(size_bytes), "little")
    try:
        said = ast.literal_eval(stream.read(min(size, _LONGEST_HEADER)).decode("latin-1"))
        descr, fortran, shape = said["descr"], said["fortran_order"], said["shape"]
        dtype = _plain_type(descr)
        sides = tuple(int(side) for side in shape)
    except (ValueError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise UnreadableFeatures(f"{name} is no array of NumPy, or its header is damaged") from error
    if any(not 0 <= side < 1 << 40 for side in sides):
        raise UnreadableFeatures(f"{name} claims the shape {shape!r:.80}")
    return sides, bool(fortran), dtype


@contextlib.contextmanager
def _reported(shown: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableFeatures(f"{shown} is truncated or damaged: {reason}") from error


def _plain_type(description: object) -> np.dtype[Any]:
    """Raises TypeError for structures and everything else that no column of ours has."""
    if not isinstance(description, str) or not _PLAIN_TYPE.fullmatch(description):
        raise TypeError("no plain type")
    return np.dtype(description)
