"""The tables of gallery.sqlite3, format 1. docs/gallery-format.md describes them in words."""

from __future__ import annotations

APPLICATION_ID = 0x41726346
"""Stands in the file's header: "ArcF" in ASCII."""

FORMAT_VERSION = 1
"""SQLite's user_version. A reader refuses a greater one."""

PAGE_SIZE = 16384
"""Bytes. Seven 512-d templates fill such a page; the usual 4096 would hold one and waste the rest."""

LANDMARKS_SIZE = 5 * 2 * 4
"""Bytes of five points, little-endian float32."""

OBJECTS = frozenset(
    {("table", "meta"), ("table", "subjects"), ("table", "templates"), ("index", "templates_by_subject")}
)
"""All that the file defines. A trigger or a view in it is none of ours."""

REQUIRED_META = (
    "recogniser_sha256",
    "preprocessing",
    "alignment",
    "dimension",
    "flip",
    "generation",
    "created",
    "arcface_version",
)


def statements(dimension: int) -> tuple[str, ...]:
    """SQL that makes the tables for templates of `dimension` float32 numbers."""
    return (
        "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE subjects (
            id      INTEGER PRIMARY KEY AUTOINCREMENT,
            name    TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 255),
            created TEXT NOT NULL
        )
        """,
        f"""
        CREATE TABLE templates (
            id              INTEGER PRIMARY KEY AUTOINCREMENT,
            subject_id      INTEGER NOT NULL REFERENCES subjects (id),
            feature         BLOB NOT NULL
                            CHECK (typeof(feature) = 'blob' AND length(feature) = {4 * dimension}),
            source_path     BLOB NOT NULL CHECK (typeof(source_path) = 'blob'),
            content_sha256  TEXT NOT NULL CHECK (length(content_sha256) = 64),
            face_index      INTEGER NOT NULL CHECK (face_index >= 0),
            x_min REAL NOT NULL, y_min REAL NOT NULL, x_max REAL NOT NULL, y_max REAL NOT NULL,
            landmarks       BLOB NOT NULL
                            CHECK (typeof(landmarks) = 'blob' AND length(landmarks) = {LANDMARKS_SIZE}),
            detection_score REAL NOT NULL CHECK (detection_score BETWEEN 0 AND 1),
            detector        TEXT NOT NULL,
            image_width     INTEGER NOT NULL CHECK (image_width > 0),
            image_height    INTEGER NOT NULL CHECK (image_height > 0),
            created         TEXT NOT NULL,
            UNIQUE (content_sha256, subject_id, x_min, y_min, x_max, y_max)
        )
        """,
        "CREATE INDEX templates_by_subject ON templates (subject_id)",
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {FORMAT_VERSION}",
    )
