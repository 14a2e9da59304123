"""`embed -f npz`: NumPy's archive of plain arrays, one row a face."""

from __future__ import annotations

import io
import zipfile
from typing import BinaryIO

import numpy as np

from arcface_cli.output.columns import Column, NumberColumn, TextColumn, folder_of
from arcface_cli.output.records import Record
from arcface_cli.output.sinks import Sink


class NpzSink(Sink):
    """Rows are spooled to temporary files beside the output, so memory stays bounded. Nothing is pickled.

    A row a face: features (N, D), box (N, 4), landmarks (N, 5, 2) and detection_score (N,) float32, face
    (N,) int64, width and height (N,) int32, input, input_b64 and sha256 (N,) text.  An input without a
    feature: unusable_input and unusable_code (M,) text, and unusable_before (M,) int64: how many rows were
    written before it, so that all can be told in the order of the inputs.  Of the run: model, detector,
    precision, fingerprint and canonical_fingerprint, text.
    """

    features = "array"

    def __init__(self, stream: BinaryIO, dimension: int) -> None:
        self._stream = stream
        folder = folder_of(stream)
        self._numbers = {
            "features": NumberColumn("<f4", (dimension,), folder),
            "face": NumberColumn("<i8", (), folder),
            "box": NumberColumn("<f4", (4,), folder),
            "landmarks": NumberColumn("<f4", (5, 2), folder),
            "detection_score": NumberColumn("<f4", (), folder),
            "width": NumberColumn("<i4", (), folder),
            "height": NumberColumn("<i4", (), folder),
        }
        self._before = NumberColumn("<i8", (), folder)
        names = ("input", "input_b64", "sha256", "unusable_input", "unusable_code")
        self._texts = {name: TextColumn(folder) for name in names}
        run = ("model", "detector", "precision", "fingerprint", "canonical_fingerprint")
        self._run = dict.fromkeys(run, "")

    def write(self, record: Record) -> None:
        """Take the faces of one record."""
        self._run |= {name: record[name] for name in self._run if name in record}
        self._run |= {name: record["run"][name] for name in ("detector", "precision")}
        if "error" in record:
            self._texts["unusable_input"].append(record["input"])
            self._texts["unusable_code"].append(record["error"]["code"])
            self._before.append(self._numbers["features"].rows)
        for index, face in enumerate(record.get("faces", [])):
            self._take(record, face | {"face": index, "features": face["feature"]})

    def _take(self, record: Record, face: Record) -> None:
        row = face | {name: record["image"][name] for name in ("width", "height", "sha256")}
        row |= {"input": record["input"], "input_b64": record.get("input_b64", "")}
        for name, numbers in self._numbers.items():
            numbers.append(row[name])
        for name in ("input", "input_b64", "sha256"):
            self._texts[name].append(row[name])

    def close(self) -> None:
        """Write the archive."""
        columns: dict[str, Column] = {**self._numbers, **self._texts, "unusable_before": self._before}
        with zipfile.ZipFile(self._stream, "w") as archive:
            for name, column in columns.items():
                with archive.open(_member(name, column), "w", force_zip64=True) as member:
                    column.write_to(member)
                column.close()
            for name, value in self._run.items():
                data = io.BytesIO()
                np.lib.format.write_array(data, np.array(value), allow_pickle=False)
                archive.writestr(_member(name, None), data.getvalue())
        self._stream.flush()


def _member(name: str, column: Column | None) -> zipfile.ZipInfo:
    """Text is compressed: one long name would widen every row. Features would not get smaller."""
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = zipfile.ZIP_DEFLATED if isinstance(column, TextColumn) else zipfile.ZIP_STORED
    return member
