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

_NEW_IN_2 = ("changes", "subjects", "templates", "features", "crops")
_NEW_IN_3 = frozenset({("table", "refusals"), ("index", "refusals_by_content")})

OBJECTS = {
    1: frozenset(
        {("table", "meta"), ("table", "subjects"), ("table", "templates"), ("index", "templates_by_subject")}
    ),
    2: schema.OBJECTS - _NEW_IN_3,
}
"""What a file of an older format defines."""


def from_format_1(connection: sqlite3.Connection) -> None:
    """Format 1 kept features beside their provenance, and no checksums. Needs foreign_keys off."""
    for table in ("subjects", "templates"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    connection.execute("DROP INDEX templates_by_subject")
    for name in _NEW_IN_2:
        connection.execute(f"CREATE TABLE {name} {schema.TABLES[name]}")
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
        if "ON templates" in statement:
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


def from_format_2(connection: sqlite3.Connection) -> None:
    """Format 2 remembered nothing of photographs that were refused."""
    connection.execute(f"CREATE TABLE refusals {schema.TABLES['refusals']}")
    connection.execute("CREATE INDEX refusals_by_content ON refusals (content_sha256)")
    connection.execute("PRAGMA user_version = 3")


def lend(connection: sqlite3.Connection, version: int) -> bool:
    """Give a reader of an older file what it lacks, empty and outside the file; False where that won't do.

    A million templates need not be copied for the sake of a table that holds nothing.
    """
    if version != schema.FORMAT_VERSION - 1:
        return False
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(f"CREATE TEMP TABLE refusals {schema.TABLES['refusals']}")
    return True


STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {1: from_format_1, 2: from_format_2}
"""What leads from a format to the next."""


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring an open file from `version` to today's format. Must run inside one transaction."""
    for step in range(version, schema.FORMAT_VERSION):
        STEPS[step](connection)
