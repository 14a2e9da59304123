"""Files of features, written by the sinks that write the real ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import MissingFile
from arcface_cli.faces import (
    DetectedFace,
    Done,
    Failed,
    ModelFingerprint,
    RefusedFace,
    Skipped,
    TemplateBatch,
)
from arcface_cli.inputs.embeddings import StoredFace, UnusableRow, stored_features
from arcface_cli.inputs.photo import Photo
from arcface_cli.output import records
from arcface_cli.output.files import whole_file
from arcface_cli.output.records import Run
from arcface_cli.output.sinks import FeatureForm, make_sink
from arcface_cli.results import PhotoFaces, Picture
from arcface_cli.settings import Format
from fakes import face_at, fingerprint, seen_faces

FORMATS: tuple[Format, ...] = ("npz", "npy", "parquet", "jsonl", "json", "csv", "tsv")
RUN = Run("embed", "0.1.0", "compact", "yunet", "cpu", "fp32")
NAMES = ("ada/1.jpg", 'bob smith/2 ,\t"x".jpg', "zoë/three.png")


def unit_rows(count: int, dimension: int = 4, seed: int = 7) -> NDArray[np.float32]:
    raw = np.random.default_rng(seed).normal(size=(count, dimension))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def photo_faces(
    features: NDArray[np.float32], made_by: ModelFingerprint, digest: str, faces: Sequence[DetectedFace]
) -> PhotoFaces:
    seen = seen_faces(faces)
    return PhotoFaces(
        Picture(640, 480, digest), len(faces), tuple(faces), seen.aligned, TemplateBatch(features, made_by)
    )


def missing_record(name: str, form: FeatureForm) -> records.Record:
    failure = Failed(MissingFile(f"{name} does not exist"))
    return records.embedded(RUN, Photo(Path(name)), failure, form)


def write_features(
    path: Path,
    features: NDArray[np.float32],
    names: Iterable[str | Path] = NAMES,
    *,
    made_by: ModelFingerprint | None = None,
    missing: Sequence[str] = (),
    missing_first: Sequence[str] = (),
    per_photo: int = 1,
    refused: tuple[RefusedFace, ...] = (),
) -> Path:
    """What `arcface embed -o path` writes for photographs of these names with these features.

    refused: on each of them, and all that there is on one more, refused.jpg.
    """
    form: Format = path.suffix.removeprefix(".")  # type: ignore[assignment]
    dimension = features.shape[1]
    made_by = fingerprint(dimension) if made_by is None else made_by
    faces = [face_at(10 + 150 * number, index=number) for number in range(per_photo)]
    with whole_file(path) as stream:
        sink = make_sink(form, stream, "embed", dimension=dimension, width=None, color=False, output=path)
        for name in missing_first:
            sink.write(missing_record(name, sink.features))
        for number, name in enumerate(names):
            rows = features[number * per_photo : (number + 1) * per_photo]
            seen = photo_faces(rows, made_by, f"{number + 1:064x}", faces)
            seen = replace(seen, refused=refused)
            sink.write(records.embedded(RUN, Photo(Path(name)), Done(seen), sink.features))
        if refused:
            skipped = Skipped(refused[0].reason, refused)
            sink.write(records.embedded(RUN, Photo(Path("refused.jpg")), skipped, sink.features))
        for name in missing:
            sink.write(missing_record(name, sink.features))
        sink.close()
    return path


def read_features(path: Path) -> tuple[list[StoredFace], list[UnusableRow]]:
    rows = list(stored_features(path).rows)
    faces = [row for row in rows if isinstance(row, StoredFace)]
    return faces, [row for row in rows if isinstance(row, UnusableRow)]
