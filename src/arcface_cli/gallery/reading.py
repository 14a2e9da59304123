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
from arcface_cli.gallery import checksums, database, schema
from arcface_cli.gallery.entries import (
    Enrolled,
    StoredTemplate,
    SubjectSummary,
    has_unit_length,
    places_among,
    subject_name,
)
from arcface_cli.gallery.migrations import row_checksum

MAX_DIMENSION = 16384
_ROWS_AT_ONCE = 4096

TEMPLATE_COLUMNS = (
    "t.id, t.subject_id, t.source_path, t.content_sha256, t.face_index, t.x_min, t.y_min, t.x_max, t.y_max, "
    "t.landmarks, t.detection_score, t.detector, t.image_width, t.image_height, t.created, t.checksum"
)
SUBJECT_COLUMNS = "s.id, s.name, s.created, s.checksum"
_TEMPLATE_TYPES = (int, bytes, str, int, float, float, float, float, bytes, float, str, int, int, str, int)


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
    if values[checksums.META_KEY] != checksums.of_meta(values):
        raise database.damaged(path, "its meta table differs from its checksum")
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


def last_change(connection: sqlite3.Connection, path: Path) -> tuple[int, str]:
    """The generation, which grows by one with every change, and its token."""
    row = connection.execute(
        "SELECT generation, token FROM changes ORDER BY generation DESC LIMIT 1"
    ).fetchone()
    if row is None or not (isinstance(row[0], int) and isinstance(row[1], str)):
        raise database.damaged(path, "its changes table has no generation")
    return row[0], row[1]


def generation(connection: sqlite3.Connection, path: Path) -> int:
    """How often the gallery has changed."""
    return last_change(connection, path)[0]


def kinds_since(connection: sqlite3.Connection, generation: int, token: str) -> set[str] | None:
    """What kinds of change followed a generation; None when this gallery never was at it."""
    known = connection.execute(
        "SELECT 1 FROM changes WHERE generation = ? AND token = ?", (generation, token)
    ).fetchone()
    if known is None:
        return None
    rows = connection.execute("SELECT DISTINCT kind FROM changes WHERE generation > ?", (generation,))
    return {kind for (kind,) in rows}


def _whole_number(text: str, key: str, path: Path) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 18):
        raise database.damaged(path, f"its {key} is {text!a}")
    return int(text)


# --- subjects and provenance ------------------------------------------------------------------


class Counts(NamedTuple):
    """How much a gallery holds, and which detectors its templates came through."""

    subjects: int
    templates: int
    crops: int
    refusals: int
    detectors: tuple[str, ...]


def counts(connection: sqlite3.Connection) -> Counts:
    """Rows of the tables."""
    (subject_count,) = connection.execute("SELECT count(*) FROM subjects").fetchone()
    (template_count,) = connection.execute("SELECT count(*) FROM templates").fetchone()
    (crop_count,) = connection.execute("SELECT count(*) FROM crops").fetchone()
    (refusal_count,) = connection.execute("SELECT count(*) FROM refusals").fetchone()
    rows = connection.execute("SELECT DISTINCT detector FROM templates ORDER BY detector")
    return Counts(subject_count, template_count, crop_count, refusal_count, tuple(name for (name,) in rows))


def subject_id(connection: sqlite3.Connection, name: str) -> int | None:
    """Row of a subject, sound or not; None when nobody has that name. The name must be normalised."""
    row = connection.execute("SELECT id FROM subjects WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row[0])


def sound_subject_id(connection: sqlite3.Connection, path: Path, name: str) -> int | None:
    """As `subject_id`. Raises GalleryDamaged for a row that isn't as it was written."""
    row = connection.execute(f"SELECT {SUBJECT_COLUMNS} FROM subjects s WHERE s.name = ?", (name,)).fetchone()
    if row is None:
        return None
    check_subject(row, path)
    return int(row[0])


def check_subject(row: Sequence[Any], path: Path) -> str:
    """The name in a row of `subjects` (`SUBJECT_COLUMNS`). Raises GalleryDamaged unless it is as written."""
    subject_id, name, created, checksum = row
    known = known_name(name, path)
    if not isinstance(created, str) or checksums.of_subject(subject_id, known, created) != checksum:
        raise database.damaged(path, f"subject {subject_id} ({known!a}): differs from its checksum")
    return known


def subjects(connection: sqlite3.Connection, path: Path) -> list[SubjectSummary]:
    """Everybody, by name."""
    rows = connection.execute(
        f"SELECT {SUBJECT_COLUMNS}, count(t.id), min(t.created), max(t.created) "
        "FROM subjects s LEFT JOIN templates t ON t.subject_id = s.id GROUP BY s.id ORDER BY s.name"
    )
    return [SubjectSummary(check_subject(row[:4], path), *row[4:]) for row in rows]


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
    for row, subject in _sound(connection, path, "t.content_sha256 = ?", (content_sha256,)):
        yield row[0], subject, _box(list(row[5:9]), row[0], path)


def templates_of(connection: sqlite3.Connection, path: Path, subject: str) -> list[StoredTemplate]:
    """Provenance of a subject's templates, oldest first."""
    return list(_stored(connection, path, "WHERE s.name = ?", (subject,)))


def template(connection: sqlite3.Connection, path: Path, template_id: int) -> StoredTemplate | None:
    """Provenance of one template; None when there is none of that number."""
    return next(_stored(connection, path, "WHERE t.id = ?", (template_id,)), None)


def has_template(connection: sqlite3.Connection, template_id: int) -> bool:
    """Whether there is a template of that number, damaged or not."""
    return connection.execute("SELECT 1 FROM templates WHERE id = ?", (template_id,)).fetchone() is not None


def without_template(connection: sqlite3.Connection) -> list[int]:
    """Numbers that features or crops go by and no template has, as damage leaves them."""
    rows = connection.execute(
        "SELECT template_id FROM features UNION SELECT template_id FROM crops EXCEPT SELECT id FROM templates"
    )
    return [number for (number,) in rows]


def all_templates(connection: sqlite3.Connection, path: Path) -> Iterator[StoredTemplate]:
    """Provenance of every template, in id order."""
    return _stored(connection, path, "", ())


def _stored(
    connection: sqlite3.Connection, path: Path, condition: str, parameters: tuple[Any, ...]
) -> Iterator[StoredTemplate]:
    rows = connection.execute(
        f"SELECT {TEMPLATE_COLUMNS}, {SUBJECT_COLUMNS}, c.template_id FROM templates t "
        "LEFT JOIN subjects s ON s.id = t.subject_id LEFT JOIN crops c ON c.template_id = t.id "
        f"{condition} ORDER BY t.id",
        parameters,
    )
    for *row, crop in rows:
        yield _stored_template(tuple(row[:16]), row[16:], path, has_crop=crop is not None)


def _stored_template(
    row: tuple[Any, ...], subject: Sequence[Any], path: Path, *, has_crop: bool
) -> StoredTemplate:
    check_template(row, path)
    template_id, _, source_path, sha256, index, *box, landmarks, score, detector, wide, high, created, _ = row
    if subject[0] is None:
        raise _bad_template(path, template_id, "its subject is missing")
    return StoredTemplate(
        template_id=template_id,
        subject=check_subject(subject, path),
        source_path=source_path,
        content_sha256=sha256,
        face=_face([index, score, landmarks, *box], template_id, path),
        detector=detector,
        image_width=wide,
        image_height=high,
        created=created,
        has_crop=has_crop,
    )


def check_template(row: tuple[Any, ...], path: Path) -> None:
    """Raise GalleryDamaged unless a row of `templates` (`TEMPLATE_COLUMNS`) is as it was written."""
    _check_types(row[1:], _TEMPLATE_TYPES, row[0], path)
    if row_checksum(row) != row[-1]:
        raise _bad_template(path, row[0], "its provenance differs from its checksum")


def crop(connection: sqlite3.Connection, path: Path, template_id: int) -> bytes | None:
    """A template's aligned face as a PNG; None where none is kept."""
    row = connection.execute(
        "SELECT png, checksum FROM crops WHERE template_id = ?", (template_id,)
    ).fetchone()
    if row is None:
        return None
    if not isinstance(row[0], bytes) or checksums.of_blob(template_id, row[0]) != row[1]:
        raise _bad_template(path, template_id, "its crop differs from its checksum")
    return row[0]


def enrolled_below(connection: sqlite3.Connection, path: Path, folder: bytes) -> list[Enrolled]:
    """Templates whose photograph lies, or lay, below a folder, given as its path's bytes."""
    return _enrolled(connection, path, "t.source_path >= ? AND t.source_path < ?", paths_below(folder))


def paths_below(folder: bytes) -> tuple[bytes, bytes]:
    """The first path below a folder, and the first behind the last."""
    start = folder.rstrip(b"/") + b"/"
    return start, start[:-1] + bytes([start[-1] + 1])


def enrolled_from(connection: sqlite3.Connection, path: Path, content_sha256: str) -> list[Enrolled]:
    """Templates of photographs with this content."""
    return _enrolled(connection, path, "t.content_sha256 = ?", (content_sha256,))


def _enrolled(
    connection: sqlite3.Connection, path: Path, condition: str, parameters: tuple[Any, ...]
) -> list[Enrolled]:
    found = _sound(connection, path, condition, parameters)
    return [Enrolled(row[0], subject, row[2], row[3]) for row, subject in found]


def _sound(
    connection: sqlite3.Connection, path: Path, condition: str, parameters: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Rows of templates with their subjects' names, both as they were written, in id order."""
    rows = connection.execute(
        f"SELECT {TEMPLATE_COLUMNS}, {SUBJECT_COLUMNS} FROM templates t "
        f"JOIN subjects s ON s.id = t.subject_id WHERE {condition} ORDER BY t.id",
        parameters,
    )
    for row in rows:
        check_template(row[:16], path)
        yield row[:16], check_subject(row[16:], path)


def _face(values: list[Any], template_id: int, path: Path) -> DetectedFace:
    index, score, landmarks, *corners = values
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


def known_name(name: object, path: Path) -> str:
    """A stored name in stored form; anything else was not written by us, and could upset a terminal."""
    try:
        if isinstance(name, str) and subject_name(name) == name:
            return name
    except InvalidSubjectName as error:
        raise database.damaged(path, error.message) from error
    raise database.damaged(path, f"a subject is named {name!a}")


# --- everything, for a search -----------------------------------------------------------------


class Block(NamedTuple):
    """Some templates, in id order: ids (B,), subject ids (B,), features (B, D) float32."""

    ids: NDArray[np.int64]
    subject_ids: NDArray[np.int64]
    features: NDArray[np.float32]


def blocks(connection: sqlite3.Connection, path: Path, dimension: int, *, after: int = 0) -> Iterator[Block]:
    """The templates with an id above `after`, a block at a time, each row checked."""
    cursor = connection.execute(
        f"SELECT {TEMPLATE_COLUMNS}, f.feature, f.checksum FROM templates t "
        "LEFT JOIN features f ON f.template_id = t.id WHERE t.id > ? ORDER BY t.id",
        (after,),
    )
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for row in rows:
            check_template(row[:-2], path)
            _check_feature(row[0], row[-2], row[-1], dimension, path)
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        owners = np.array([row[1] for row in rows], dtype=np.int64)
        features = np.frombuffer(b"".join(row[-2] for row in rows), dtype="<f4").reshape(-1, dimension)
        bad = np.flatnonzero(~has_unit_length(features))
        if len(bad):
            raise _bad_template(path, ids[bad[0]], "its feature has no unit length")
        yield Block(ids, owners, features)


def _check_feature(template_id: int, feature: object, checksum: object, dimension: int, path: Path) -> None:
    if not isinstance(feature, bytes) or len(feature) != 4 * dimension:
        raise _bad_template(path, template_id, f"its feature is not {dimension} float32 numbers")
    if checksums.of_blob(template_id, feature) != checksum:
        raise _bad_template(path, template_id, "its feature differs from its checksum")


def subject_table(connection: sqlite3.Connection, path: Path) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Subject ids, ascending, and their names, each row checked."""
    rows = connection.execute(f"SELECT {SUBJECT_COLUMNS} FROM subjects s ORDER BY s.id").fetchall()
    for row in rows:
        check_subject(row, path)
    return np.array([row[0] for row in rows], dtype=np.int64), tuple(row[1] for row in rows)


def subject_rows(
    owners: NDArray[np.int64], subject_ids: NDArray[np.int64], template_ids: NDArray[np.int64], path: Path
) -> NDArray[np.int64]:
    """(N,) place of each template's subject in the ascending `subject_ids`."""
    rows = places_among(subject_ids, owners)
    missing = np.flatnonzero(rows < 0)
    if missing.size:
        raise _bad_template(path, template_ids[missing[0]], "its subject is missing")
    return rows
