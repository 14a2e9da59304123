"""`-f parquet`: one row a face, columns by command as in CSV, written a row group at a time."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, BinaryIO

from arcface_cli.errors import PackageMissing
from arcface_cli.installing import install
from arcface_cli.output.records import Record
from arcface_cli.output.rows import BOX, COLUMNS, LANDMARKS, QUALITY, Row, rows_of
from arcface_cli.output.sinks import Sink

ROW_GROUP = 1024
"""Rows held back and written together: 2 MB of features with 512 dimensions."""

_FLOATS = frozenset(
    {*BOX, *LANDMARKS, *QUALITY, "detection_score", "similarity", "distance", "margin", "threshold"}
)
_INTEGERS = frozenset({"face", "template", "width", "height"})
_BOOLEANS = frozenset({"same_person"})


class ParquetSink(Sink):
    """Numbers are float64 and int64, `same_person` is a boolean, all else text; empty cells are null.

    `embed` adds `feature`, a list of D float32.
    """

    features = "array"

    def __init__(self, stream: BinaryIO, command: str, dimension: int | None) -> None:
        if find_spec("pyarrow") is None:
            raise PackageMissing(
                "parquet needs pyarrow, which is not installed",
                hint=f"install it with: {install('parquet')}, or use -f jsonl or csv",
            )
        import pyarrow
        from pyarrow import parquet

        self._arrow: Any = pyarrow
        self._dimension = dimension
        self._schema: Any = pyarrow.schema([(name, self._type(name)) for name in COLUMNS[command]])
        if dimension is not None:
            self._schema = self._schema.append(
                pyarrow.field("feature", pyarrow.list_(pyarrow.float32(), dimension))
            )
        self._stream = stream
        texts = [field.name for field in self._schema if field.type == pyarrow.string()]
        self._writer: Any = _abandonable(parquet.ParquetWriter)(
            stream, self._schema, use_dictionary=texts, write_page_checksum=True
        )
        self._rows: list[Row] = []

    def write(self, record: Record) -> None:
        """Hold the rows until there are enough for a row group."""
        faces = record.get("faces", [])
        rows = rows_of(record)
        for row, face in zip(rows, faces, strict=False):
            row["feature"] = face.get("feature")
        self._rows += rows
        if len(self._rows) >= ROW_GROUP:
            self._write_group()

    def close(self) -> None:
        """Write the rest and the footer."""
        if self._rows:
            self._write_group()
        self._writer.close()
        self._stream.flush()

    def _write_group(self) -> None:
        columns = [self._column(field) for field in self._schema]
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))
        self._rows = []

    def _column(self, field: Any) -> Any:
        values = [row.get(field.name) for row in self._rows]
        if field.type == self._arrow.string():
            values = [None if value is None else _text(value) for value in values]
        return self._arrow.array(values, type=field.type)

    def _type(self, name: str) -> Any:
        if name in _FLOATS:
            return self._arrow.float64()
        if name in _INTEGERS:
            return self._arrow.int64()
        return self._arrow.bool_() if name in _BOOLEANS else self._arrow.string()


def _abandonable(writer: type[Any]) -> type[Any]:
    """Arrow's writer, but one that is dropped without having been closed says nothing.

    Arrow's own would then complete the file of an interrupted run, find it closed and print a traceback.
    """
    return type("Writer", (writer,), {"__del__": lambda _: None})


def _text(value: object) -> str:
    """Text that is UTF-8, with what is not escaped."""
    return str(value).encode("utf-8", "backslashreplace").decode()
