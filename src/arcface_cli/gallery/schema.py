"""The tables of gallery.sqlite3, format 3. docs/gallery-format.md describes them in words."""

from __future__ import annotations

APPLICATION_ID = 0x41726346
"""Stands in the file's header: "ArcF" in ASCII."""

FORMAT_VERSION = 3
"""SQLite's user_version. A reader refuses a greater one, and brings a smaller one up to date."""

PAGE_SIZE = 16384
"""Bytes. Seven 512-d features fill such a page; the usual 4096 would hold one and waste the rest."""

LANDMARKS_SIZE = 5 * 2 * 4
"""Bytes of five points, little-endian float32."""

REQUIRED_META = (
    "recogniser_sha256",
    "preprocessing",
    "alignment",
    "dimension",
    "flip",
    "gallery_id",
    "crops",
    "created",
    "arcface_version",
    "checksum",
)

KINDS = ("create", "add", "rename", "relabel", "remove", "reembed")
"""What a change can be. `add` leaves every earlier template as it was; `relabel` moves some to another
subject; `remove` and `reembed` make vectors that were read before worthless; `rename` touches none."""

REWRITING_KINDS = ("relabel", "remove", "reembed")

TABLES = {
    "meta": "(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
    "changes": f"""(
        generation INTEGER PRIMARY KEY,
        token      TEXT NOT NULL CHECK (length(token) = 16),
        kind       TEXT NOT NULL CHECK (kind IN {KINDS}),
        created    TEXT NOT NULL
    )""",
    "subjects": """(
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        name     TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 255),
        created  TEXT NOT NULL,
        checksum INTEGER NOT NULL
    )""",
    "templates": f"""(
        id              INTEGER PRIMARY KEY AUTOINCREMENT,
        subject_id      INTEGER NOT NULL REFERENCES subjects (id),
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
        checksum        INTEGER NOT NULL,
        UNIQUE (content_sha256, subject_id, x_min, y_min, x_max, y_max)
    )""",
    "features": """(
        template_id INTEGER PRIMARY KEY REFERENCES templates (id) ON DELETE CASCADE,
        feature     BLOB NOT NULL CHECK (typeof(feature) = 'blob' AND length(feature) > 0),
        checksum    INTEGER NOT NULL
    )""",
    "crops": """(
        template_id INTEGER PRIMARY KEY REFERENCES templates (id) ON DELETE CASCADE,
        png         BLOB NOT NULL CHECK (typeof(png) = 'blob' AND length(png) > 0),
        checksum    INTEGER NOT NULL
    )""",
    "refusals": """(
        source_path    BLOB PRIMARY KEY NOT NULL CHECK (typeof(source_path) = 'blob'),
        content_sha256 TEXT NOT NULL CHECK (length(content_sha256) = 64),
        subject        TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
        reason         TEXT NOT NULL CHECK (length(reason) > 0),
        decided_by     TEXT NOT NULL CHECK (length(decided_by) = 64),
        created        TEXT NOT NULL,
        checksum       INTEGER NOT NULL
    ) WITHOUT ROWID""",
}
"""Columns of each table. Features stand apart from provenance: reading one doesn't turn the other's pages."""

INDEXES = (
    "CREATE INDEX templates_by_subject ON templates (subject_id)",
    "CREATE INDEX templates_by_source ON templates (source_path)",
    "CREATE INDEX refusals_by_content ON refusals (content_sha256)",
)

OBJECTS = frozenset(
    {
        *(("table", name) for name in TABLES),
        ("index", "templates_by_subject"),
        ("index", "templates_by_source"),
        ("index", "refusals_by_content"),
    }
)
"""All that the file defines. A trigger or a view in it is none of ours."""


def statements() -> tuple[str, ...]:
    """SQL that makes the tables."""
    return (
        *(f"CREATE TABLE {name} {columns}" for name, columns in TABLES.items()),
        *INDEXES,
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {FORMAT_VERSION}",
    )
