"""`embed -o x.npy`: the features as one plain array, and a manifest that says whose they are."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

import numpy as np

from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.output.columns import Spool, folder_of, write_header
from arcface_cli.output.files import whole_file
from arcface_cli.output.records import Record
from arcface_cli.output.sinks import Sink, to_json

_FLOAT32 = np.dtype("<f4")
_BEGINNING = b'{"features": '


def manifest_path(features: Path) -> Path:
    """Where the manifest of x.npy is: x.manifest.jsonl."""
    return features.with_suffix(".manifest.jsonl")


def require_own_manifest(path: Path) -> None:
    """Raise UsageError for a file in the manifest's place that isn't one: nobody typed that name."""
    with contextlib.suppress(OSError), path.open("rb") as file:  # writing says why it can't be
        if file.read(len(_BEGINNING)) not in (b"", _BEGINNING):
            raise UsageError(
                f"{printable(str(path))} is no manifest of arcface embed, and would be replaced",
                hint="name another file with -o, or move that one away",
            )


class NpySink(Sink):
    """x.npy: (N, D) float32, a row a face; x.manifest.jsonl: a first line about the whole, then the records.

    The first line counts rows and records and has the SHA-256 of x.npy, so that two files that don't
    belong together are told apart. A face's `row` is its row in x.npy. Raises UsageError where another file
    has the manifest's name.
    """

    features = "array"

    def __init__(self, stream: BinaryIO, output: Path, dimension: int) -> None:
        require_own_manifest(manifest_path(output))
        self._stream = stream
        self._output = output
        self._dimension = dimension
        self._rows = self._records = 0
        self._spool = Spool(folder_of(stream))
        self._run = dict.fromkeys(("model", "detector", "fingerprint", "canonical_fingerprint"), "")
        self._write_header()

    def write(self, record: Record) -> None:
        """Write the features, hold the record."""
        self._run |= {name: record[name] for name in self._run if name in record}
        self._run["detector"] = record["run"]["detector"]
        if "faces" in record:
            record = record | {"faces": [self._without_feature(face) for face in record["faces"]]}
        self._spool.write(to_json(record) + b"\n")
        self._records += 1

    def close(self) -> None:
        """Complete the array, then place the manifest beside it."""
        self._stream.seek(0)
        self._write_header()
        self._stream.flush()
        os.fsync(self._stream.fileno())  # a full disk is noticed before an earlier manifest is replaced
        with whole_file(manifest_path(self._output)) as manifest:
            manifest.write(to_json(self._head()) + b"\n")
            shutil.copyfileobj(self._spool.read(), manifest, 1 << 20)
        self._spool.close()

    def _write_header(self) -> None:
        write_header(self._stream, _FLOAT32, (self._rows, self._dimension))

    def _without_feature(self, face: Record) -> Record:
        feature = np.ascontiguousarray(face["feature"], dtype=_FLOAT32)
        self._stream.write(feature.reshape(self._dimension).tobytes())
        self._rows += 1
        return {name: value for name, value in face.items() if name != "feature"} | {"row": self._rows - 1}

    def _head(self) -> Record:
        with Path(self._stream.name).open("rb") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
        return {
            "features": self._output.name,
            "sha256": digest,
            "rows": self._rows,
            "records": self._records,
            "dimension": self._dimension,
            **self._run,
        }
