"""Older formats -> today's, inside one transaction: a file is of the one or of the other, never between."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from arcface_cli.gallery import checksums, schema

_PROVENANCE = (
    "id, subject_id, source_path, content_sha256, face_index, x_min, y_min, x_max, y_max, landmarks, "
    "detection_score, detector, image_width, image_height, created"
)

FORMAT_1_OBJECTS = frozenset(
    {("table", "meta"), ("table", "subjects"), ("table", "templates"), ("index", "templates_by_subject")}
)


def from_format_1(connection: sqlite3.Connection) -> None:
    """Format 1 kept features beside their provenance, and no checksums. Needs foreign_keys off."""
    for table in ("subjects", "templates"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    connection.execute("DROP INDEX templates_by_subject")
    for name, columns in schema.TABLES.items():
        if name != "meta":
            connection.execute(f"CREATE TABLE {name} {columns}")
    connection.executemany("INSERT INTO subjects VALUES (?, ?, ?, ?)", _subjects(connection))
    marks = ", ".join("?" * 16)
    connection.executemany(f"INSERT INTO templates VALUES ({marks})", _templates(connection))
    connection.executemany("INSERT INTO features VALUES (?, ?, ?)", _features(connection))
    for table in ("subjects", "templates"):
        connection.execute(
            f"UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM sqlite_sequence "
            f"WHERE name IN ('{table}', '{table}_1')) WHERE name = '{table}'"
        )
    for table in ("templates_1", "subjects_1"):
        connection.execute(f"DROP TABLE {table}")
    for statement in schema.INDEXES:
        connection.execute(statement)
    _carry_meta(connection)
    connection.execute("PRAGMA user_version = 2")


def _subjects(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    for subject_id, name, created in connection.execute("SELECT id, name, created FROM subjects_1"):
        yield subject_id, name, created, checksums.of_subject(subject_id, name, created)


def _templates(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    for row in connection.execute(f"SELECT {_PROVENANCE} FROM templates_1 ORDER BY id"):
        yield *row, row_checksum(row)


def row_checksum(row: tuple[Any, ...]) -> int:
    """Of a row of `templates`, columns in the schema's order, with or without the checksum behind them."""
    (
        template_id,
        subject_id,
        path,
        sha256,
        face_index,
        *box,
        landmarks,
        score,
        detector,
        wide,
        high,
        created,
    ) = row[:15]
    x_min, y_min, x_max, y_max = box
    return checksums.of_template(
        template_id,
        subject_id,
        face_index,
        (wide, high),
        (x_min, y_min, x_max, y_max, score),
        landmarks,
        (sha256, detector, created),
        path,
    )


def _features(connection: sqlite3.Connection) -> Iterator[tuple[int, bytes, int]]:
    for template_id, feature in connection.execute("SELECT id, feature FROM templates_1 ORDER BY id"):
        yield template_id, feature, checksums.of_blob(template_id, feature)


def _carry_meta(connection: sqlite3.Connection) -> None:
    """The generation moves to `changes`: one row stands for all that came before."""
    values = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    generation = int(values.pop("generation"))
    connection.execute("DELETE FROM meta WHERE key = 'generation'")
    connection.execute(
        "INSERT INTO changes VALUES (?, ?, 'create', ?)",
        (generation, secrets.token_hex(8), values["created"]),
    )
    values |= {"gallery_id": secrets.token_hex(16), "crops": "none"}
    values[checksums.META_KEY] = checksums.of_meta(values)
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: from_format_1}
"""What leads from a format to the next."""


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring an open file from `version` to today's format. Must run inside one transaction."""
    for step in range(version, schema.FORMAT_VERSION):
        STEPS[step](connection)
