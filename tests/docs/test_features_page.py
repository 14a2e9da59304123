"""docs/features.md names every array, column and key that a file of features has."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np

from arcface_cli.faces import Done
from arcface_cli.inputs.photo import Photo
from arcface_cli.output import records
from arcface_cli.output.files import whole_file
from arcface_cli.output.npy import NpySink
from arcface_cli.output.npz import NpzSink
from arcface_cli.output.records import Run
from arcface_cli.output.rows import COLUMNS, LANDMARKS
from fakes import face_at, seen_faces, unit

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "features.md").read_text(encoding="utf-8")
CODES = set(re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)))
RUN = Run("embed", "0.1.0", "compact", "yunet", "cpu", "fp32")


def record() -> records.Record:
    seen = Done(seen_faces([face_at()], unit(1, 0, 0, 0)))
    return records.embedded(RUN, Photo(Path("a/b.jpg")), seen, "array")


def test_the_page_names_every_array_of_npz() -> None:
    stream = io.BytesIO()
    sink = NpzSink(stream, 4)
    sink.write(record())
    sink.close()
    with np.load(io.BytesIO(stream.getvalue()), allow_pickle=False) as archive:
        assert set(archive) <= CODES


def test_the_page_names_every_key_of_a_manifests_first_line(tmp_path: Path) -> None:
    with whole_file(tmp_path / "x.npy") as stream:
        sink = NpySink(stream, tmp_path / "x.npy", 4)
        sink.write(record())
        sink.close()
    first = json.loads((tmp_path / "x.manifest.jsonl").read_text().splitlines()[0])
    assert set(first) <= CODES


def test_the_page_names_every_column_of_csv() -> None:
    assert set(COLUMNS["embed"]) - set(LANDMARKS) <= CODES
    assert {LANDMARKS[0], LANDMARKS[-1]} <= CODES
