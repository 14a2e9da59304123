"""What is written into an open gallery. Every function here runs inside one transaction of the caller's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from arcface_cli.faces import BoundingBox
from arcface_cli.gallery import checksums, reading, refusals
from arcface_cli.gallery.entries import Added, AddResult, Duplicate, EnrolledElsewhere, NewTemplate
from arcface_cli.gallery.migrations import row_checksum

SAME_FACE_OVERLAP = 0.5
"""Intersection over union from which two boxes on one photograph are the same face, whoever detected them."""

_SUBJECT_ID, _SOURCE_PATH = 1, 2  # places in a row of `templates`


def add(
    connection: sqlite3.Connection, path: Path, entry: NewTemplate, created: str, *, keep_crop: bool
) -> AddResult:
    """Enrol one face, unless it is enrolled already."""
    faces = reading.faces_of(connection, path, entry.content_sha256)
    known = enrolled_already(faces, entry.subject, entry.face.box)
    if known is not None:
        return known
    return Added(_insert(connection, path, entry, created, keep_crop=keep_crop))


def enrolled_already(
    faces: Iterable[tuple[int, str, BoundingBox]], subject: str, box: BoundingBox
) -> Duplicate | EnrolledElsewhere | None:
    """What one of the enrolled faces of a photograph means for a face on it; None: it can be enrolled.

    faces: template id, subject and box of each.
    """
    same_face = [(known, owner) for known, owner, there in faces if overlap(there, box) >= SAME_FACE_OVERLAP]
    for template_id, owner in same_face:
        if owner == subject:
            return Duplicate(template_id)
    for template_id, owner in same_face:
        return EnrolledElsewhere(owner, template_id)
    return None


def _insert(
    connection: sqlite3.Connection, path: Path, entry: NewTemplate, created: str, *, keep_crop: bool
) -> int:
    created = entry.created or created
    template_id = _next_id(connection, "templates")
    row: tuple[Any, ...] = (
        template_id,
        subject_id(connection, path, entry.subject, created),
        entry.source_path,
        entry.content_sha256,
        entry.face.index,
        *map(float, entry.face.box.as_tuple()),
        entry.face.points.array.astype("<f4").tobytes(),
        float(entry.face.detection_score),
        entry.detector,
        entry.image_width,
        entry.image_height,
        created,
    )
    marks = ", ".join("?" * 16)
    connection.execute(f"INSERT INTO templates VALUES ({marks})", (*row, row_checksum(row)))
    put_feature(connection, template_id, entry.feature.astype("<f4").tobytes())
    refusals.forget_enrolled(connection, entry)
    if keep_crop and entry.crop is not None:
        connection.execute(
            "INSERT INTO crops VALUES (?, ?, ?)",
            (template_id, entry.crop, checksums.of_blob(template_id, entry.crop)),
        )
    return template_id


def put_feature(connection: sqlite3.Connection, template_id: int, feature: bytes) -> None:
    """Store a template's feature, in place of the one that it had."""
    connection.execute(
        "INSERT OR REPLACE INTO features VALUES (?, ?, ?)",
        (template_id, feature, checksums.of_blob(template_id, feature)),
    )


def subject_id(connection: sqlite3.Connection, path: Path, name: str, created: str) -> int:
    """Row of a subject, made if there is none. Raises GalleryDamaged for one that isn't as written."""
    known = reading.sound_subject_id(connection, path, name)
    if known is not None:
        return known
    new = _next_id(connection, "subjects")
    row = (new, name, created, checksums.of_subject(new, name, created))
    connection.execute("INSERT INTO subjects VALUES (?, ?, ?, ?)", row)
    return new


def _next_id(connection: sqlite3.Connection, table: str) -> int:
    """One that was never used; the checksum of a row covers its id, so it must be known first."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 1 if row is None else int(row[0]) + 1


def remove_templates(connection: sqlite3.Connection, template_ids: Sequence[int]) -> None:
    """Remove templates with their features and crops, and the subjects that have none left.

    What was remembered of the same photographs goes too: it may hold only beside these templates.
    """
    for template_id in template_ids:
        refusals.forget_photograph_of(connection, template_id)
        connection.execute("DELETE FROM crops WHERE template_id = ?", (template_id,))
        connection.execute("DELETE FROM features WHERE template_id = ?", (template_id,))
        owner = connection.execute("SELECT subject_id FROM templates WHERE id = ?", (template_id,)).fetchone()
        connection.execute("DELETE FROM templates WHERE id = ?", (template_id,))
        if owner is not None:
            drop_if_empty(connection, owner[0])


def drop_if_empty(connection: sqlite3.Connection, subject_id: int) -> None:
    """Forget a subject who has no template."""
    connection.execute(
        "DELETE FROM subjects WHERE id = ? AND NOT EXISTS "
        "(SELECT 1 FROM templates WHERE subject_id = subjects.id)",
        (subject_id,),
    )


def rename(connection: sqlite3.Connection, path: Path, subject_id: int, name: str) -> None:
    """Give a subject another name, which nobody has. Raises GalleryDamaged for one that isn't as written."""
    row = connection.execute(
        f"SELECT {reading.SUBJECT_COLUMNS} FROM subjects s WHERE s.id = ?", (subject_id,)
    ).fetchone()
    reading.check_subject(row, path)
    _put_subject(connection, subject_id, name, row[2])


def mend_subject(connection: sqlite3.Connection, path: Path, subject_id: int, name: str) -> None:
    """Write a subject's row anew: the name as the user says it, the time of the earliest template.

    Raises GalleryDamaged for a template that isn't as it was written.
    """
    rows = connection.execute(
        f"SELECT {reading.TEMPLATE_COLUMNS} FROM templates t WHERE t.subject_id = ?", (subject_id,)
    ).fetchall()
    for row in rows:
        reading.check_template(row, path)
    _put_subject(connection, subject_id, name, min((row[14] for row in rows), default=""))


def _put_subject(connection: sqlite3.Connection, subject_id: int, name: str, created: str) -> None:
    connection.execute(
        "UPDATE subjects SET name = ?, created = ?, checksum = ? WHERE id = ?",
        (name, created, checksums.of_subject(subject_id, name, created), subject_id),
    )


def relabel(connection: sqlite3.Connection, path: Path, template_id: int, subject_id: int) -> None:
    """Give a template to another subject; drop it if the very same box of the photograph is there already.

    Raises GalleryDamaged for one that isn't as it was written: a new checksum would hide that.
    """
    old = _row(connection, path, template_id)
    row = [*old]
    row[_SUBJECT_ID] = subject_id
    twin = connection.execute(
        "SELECT 1 FROM templates WHERE content_sha256 = ? AND subject_id = ? AND id <> ? "
        "AND (x_min, y_min, x_max, y_max) = (?, ?, ?, ?)",
        (row[3], subject_id, template_id, *row[5:9]),
    ).fetchone()
    if twin is not None:
        remove_templates(connection, [template_id])
        return
    _update(connection, row, "subject_id", subject_id)
    drop_if_empty(connection, old[_SUBJECT_ID])


def move(connection: sqlite3.Connection, path: Path, template_id: int, source_path: bytes) -> None:
    """Note that a template's photograph lies elsewhere now. Raises GalleryDamaged as `relabel` does."""
    row = [*_row(connection, path, template_id)]
    row[_SOURCE_PATH] = source_path
    _update(connection, row, "source_path", source_path)


def put_meta(connection: sqlite3.Connection, path: Path, values: dict[str, str]) -> None:
    """Set some keys of the meta table, and its checksum. Raises GalleryDamaged unless that held."""
    known = reading.meta(connection, path) | values
    known[checksums.META_KEY] = checksums.of_meta(known)
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", known.items())


def _row(connection: sqlite3.Connection, path: Path, template_id: int) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(
        f"SELECT {reading.TEMPLATE_COLUMNS} FROM templates t WHERE t.id = ?", (template_id,)
    ).fetchone()
    reading.check_template(row, path)
    return row[:15]


def _update(connection: sqlite3.Connection, row: list[Any], column: str, value: object) -> None:
    connection.execute(
        f"UPDATE templates SET {column} = ?, checksum = ? WHERE id = ?",
        (value, row_checksum(tuple(row)), row[0]),
    )


def overlap(a: BoundingBox, b: BoundingBox) -> float:
    """Intersection over union, 0 to 1; equal boxes overlap wholly even when they have no area."""
    if a == b:
        return 1.0
    width = min(a.x_max, b.x_max) - max(a.x_min, b.x_min)
    height = min(a.y_max, b.y_max) - max(a.y_min, b.y_min)
    if width <= 0.0 or height <= 0.0:
        return 0.0
    return width * height / (a.area + b.area - width * height)
