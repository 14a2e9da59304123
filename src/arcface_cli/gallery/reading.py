"""What is read from an open gallery file. Every value is checked: the file may come from anywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import GalleryDamaged, InvalidSubjectName
from arcface_cli.faces import BoundingBox, DetectedFace, FivePoints, ModelFingerprint
from arcface_cli.gallery import database, schema
from arcface_cli.gallery.entries import (
    Snapshot,
    StoredTemplate,
    SubjectSummary,
    has_unit_length,
    subject_name,
)

MAX_DIMENSION = 16384
_ROWS_AT_ONCE = 2048


# --- meta -------------------------------------------------------------------------------------


def meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """The key-value table. Raises GalleryDamaged when a needed key is missing or no text."""
    values = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    for key in schema.REQUIRED_META:
        if key not in values:
            raise database.damaged(path, f"its meta table has no {key}")
    for key, value in values.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise database.damaged(path, f"its meta table holds {key!a} = {value!a}")
    return values


def fingerprint(values: Mapping[str, str], path: Path) -> ModelFingerprint:
    """The model whose templates the gallery holds."""
    dimension = _whole_number(values["dimension"], "dimension", path)
    if not 1 <= dimension <= MAX_DIMENSION:
        raise database.damaged(path, f"its dimension is {dimension}")
    return ModelFingerprint(
        recogniser_sha256=values["recogniser_sha256"],
        preprocessing=values["preprocessing"],
        alignment=values["alignment"],
        dimension=dimension,
        flip=values["flip"] == "1",
    )


def generation(connection: sqlite3.Connection, path: Path) -> int:
    """How often the gallery has changed."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    if row is None:
        raise database.damaged(path, "its meta table has no generation")
    return _whole_number(row[0], "generation", path)


def _whole_number(text: str, key: str, path: Path) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 18):
        raise database.damaged(path, f"its {key} is {text!a}")
    return int(text)


# --- subjects and provenance ------------------------------------------------------------------


class Counts(NamedTuple):
    """How much a gallery holds, and which detectors its templates came through."""

    subjects: int
    templates: int
    detectors: tuple[str, ...]


def counts(connection: sqlite3.Connection) -> Counts:
    """Rows of the two tables."""
    (subject_count,) = connection.execute("SELECT count(*) FROM subjects").fetchone()
    (template_count,) = connection.execute("SELECT count(*) FROM templates").fetchone()
    rows = connection.execute("SELECT DISTINCT detector FROM templates ORDER BY detector")
    return Counts(subject_count, template_count, tuple(name for (name,) in rows))


def subject_id(connection: sqlite3.Connection, name: str) -> int | None:
    """Row of a subject, None when nobody has that name. The name must be normalised."""
    row = connection.execute("SELECT id FROM subjects WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def subjects(connection: sqlite3.Connection, path: Path) -> list[SubjectSummary]:
    """Everybody, by name."""
    rows = connection.execute(
        "SELECT s.name, count(t.id), min(t.created), max(t.created) "
        "FROM subjects s LEFT JOIN templates t ON t.subject_id = s.id GROUP BY s.id ORDER BY s.name"
    )
    return [SubjectSummary(_known_name(name, path), *rest) for name, *rest in rows]


def subject_names_of(connection: sqlite3.Connection, content_sha256: str) -> list[str]:
    """Subjects enrolled from a photograph with this content, by name."""
    rows = connection.execute(
        "SELECT DISTINCT s.name FROM templates t JOIN subjects s ON s.id = t.subject_id "
        "WHERE t.content_sha256 = ? ORDER BY s.name",
        (content_sha256,),
    )
    return [name for (name,) in rows]


def faces_of(
    connection: sqlite3.Connection, path: Path, content_sha256: str
) -> Iterator[tuple[int, str, BoundingBox]]:
    """Template id, subject and box of every face enrolled from a photograph with this content."""
    rows = connection.execute(
        "SELECT t.id, s.name, t.x_min, t.y_min, t.x_max, t.y_max "
        "FROM templates t JOIN subjects s ON s.id = t.subject_id WHERE t.content_sha256 = ? ORDER BY t.id",
        (content_sha256,),
    )
    for template_id, subject, *corners in rows:
        yield template_id, subject, _box(corners, template_id, path)


def templates_of(connection: sqlite3.Connection, path: Path, subject: str) -> list[StoredTemplate]:
    """Provenance of a subject's templates, oldest first."""
    rows = connection.execute(
        "SELECT t.id, t.source_path, t.content_sha256, t.detector, t.image_width, t.image_height, t.created, "
        "t.face_index, t.detection_score, t.landmarks, t.x_min, t.y_min, t.x_max, t.y_max "
        "FROM templates t JOIN subjects s ON s.id = t.subject_id WHERE s.name = ? ORDER BY t.id",
        (subject,),
    )
    return [_stored_template(row, subject, path) for row in rows]


def _stored_template(row: tuple[Any, ...], subject: str, path: Path) -> StoredTemplate:
    template_id, source_path, content_sha256, detector, width, height, created, *face = row
    _check_types(row[1:7], (bytes, str, str, int, int, str), template_id, path)
    return StoredTemplate(
        template_id=template_id,
        subject=subject,
        source_path=source_path,
        content_sha256=content_sha256,
        face=_face(face, template_id, path),
        detector=detector,
        image_width=width,
        image_height=height,
        created=created,
    )


def _face(values: list[Any], template_id: int, path: Path) -> DetectedFace:
    index, score, landmarks, *corners = values
    _check_types((index, score, landmarks), (int, float, bytes), template_id, path)
    box = _box(corners, template_id, path)
    try:
        points = FivePoints(np.frombuffer(landmarks, "<f4").reshape(5, 2))
        return DetectedFace(box, points, score, index)
    except ValueError as error:
        raise _bad_template(path, template_id, str(error)) from error


def _box(corners: list[Any], template_id: int, path: Path) -> BoundingBox:
    _check_types(corners, (float,) * 4, template_id, path)
    try:
        return BoundingBox(*corners)
    except ValueError as error:
        raise _bad_template(path, template_id, str(error)) from error


def _check_types(values: Sequence[Any], types: Sequence[type], template_id: int, path: Path) -> None:
    """SQLite stores any type in any column, and a foreign file may lack our CHECKs."""
    for value, expected in zip(values, types, strict=True):
        if not isinstance(value, expected):
            raise _bad_template(path, template_id, f"{value!a} is no {expected.__name__}")


def _bad_template(path: Path, template_id: int | np.int64, reason: str) -> GalleryDamaged:
    return database.damaged(path, f"template {template_id}: {reason}")


def _known_name(name: object, path: Path) -> str:
    """A stored name in stored form; anything else was not written by us, and could upset a terminal."""
    try:
        if isinstance(name, str) and subject_name(name) == name:
            return name
    except InvalidSubjectName as error:
        raise database.damaged(path, error.message) from error
    raise database.damaged(path, f"a subject is named {name!a}")


# --- everything, for a search -----------------------------------------------------------------


def snapshot(connection: sqlite3.Connection, path: Path, model: ModelFingerprint) -> Snapshot:
    """All templates in id order. Must run inside one transaction."""
    names = connection.execute("SELECT id, name FROM subjects ORDER BY id").fetchall()
    template_ids, owners, features = _features(connection, path, model.dimension)
    subject_ids = np.array([row[0] for row in names], dtype=np.int64)
    return Snapshot(
        template_ids=template_ids,
        features=features,
        subject_rows=_subject_rows(owners, subject_ids, template_ids, path),
        subjects=tuple(_known_name(name, path) for _, name in names),
        fingerprint=model,
        generation=generation(connection, path),
    )


def _features(
    connection: sqlite3.Connection, path: Path, dimension: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Template ids (N,), subject ids (N,) and features (N, D), copied a block of rows at a time."""
    (count,) = connection.execute("SELECT count(*) FROM templates").fetchone()
    ids = np.empty(count, dtype=np.int64)
    owners = np.empty(count, dtype=np.int64)
    features = np.empty((count, dimension), dtype=np.float32)
    cursor = connection.execute("SELECT id, subject_id, feature FROM templates ORDER BY id")
    start = 0
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        block = slice(start, start + len(rows))
        ids[block], owners[block], blobs = zip(*rows, strict=True)
        features[block] = _decoded(blobs, ids[block], dimension, path)
        start += len(rows)
    if start != count:
        raise database.damaged(path, f"it counts {count} templates and shows {start}")
    return ids, owners, features


def _decoded(
    blobs: tuple[bytes, ...], ids: NDArray[np.int64], dimension: int, path: Path
) -> NDArray[np.float32]:
    for template_id, blob in zip(ids, blobs, strict=True):
        if not isinstance(blob, bytes) or len(blob) != 4 * dimension:
            raise _bad_template(path, template_id, f"its feature is not {dimension} float32 numbers")
    block = np.frombuffer(b"".join(blobs), dtype="<f4").reshape(-1, dimension)
    bad = np.flatnonzero(~has_unit_length(block))
    if len(bad):
        raise _bad_template(path, ids[bad[0]], "its feature has no unit length")
    return block


def _subject_rows(
    owners: NDArray[np.int64], subject_ids: NDArray[np.int64], template_ids: NDArray[np.int64], path: Path
) -> NDArray[np.int64]:
    """(N,) place of each template's subject in the ascending `subject_ids`."""
    rows = np.searchsorted(subject_ids, owners)
    known = rows < len(subject_ids)
    known[known] = subject_ids[rows[known]] == owners[known]
    if not known.all():
        raise _bad_template(path, template_ids[np.flatnonzero(~known)[0]], "its subject is missing")
    return rows.astype(np.int64)
