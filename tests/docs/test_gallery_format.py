"""A gallery read with nothing but what docs/gallery-format.md says: its SQL, its table of checksums."""

from __future__ import annotations

import re
import sqlite3
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from arcface_cli.gallery import schema
from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import DIMENSION, FINGERPRINT, entry, refusal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gallery-format.md").read_text("utf-8")
FEATURES, MODEL, PERSON, REFUSED = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("format") / "g"
    with Gallery.create(folder, FINGERPRINT, model="compact", keep_crops=True) as gallery:
        gallery.add(
            [entry(name, f"{name}{i}", crop=b"\x89PNG made up") for name in ("ada", "eve") for i in range(3)]
        )
        gallery.remove_templates([2])
        gallery.remember_refusals([refusal("ada"), refusal("eve", source_path=b"people/eve/landscape.jpg")])
    return folder


@pytest.fixture
def connection(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{folder / FILE_NAME}?mode=ro", uri=True)


def test_the_pages_sql_gives_every_feature_with_its_owner(
    connection: sqlite3.Connection, folder: Path
) -> None:
    rows = connection.execute(FEATURES).fetchall()
    with Gallery.open(folder) as gallery:
        snapshot = gallery.snapshot()
    assert [row[0] for row in rows] == snapshot.template_ids.tolist() == [1, 3, 4, 5, 6]
    assert [row[1] for row in rows] == ["ada", "ada", "eve", "eve", "eve"]
    features = np.array([np.frombuffer(row[2], "<f4") for row in rows])
    assert np.array_equal(features, snapshot.features)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-3)


def test_the_pages_sql_tells_the_model(connection: sqlite3.Connection) -> None:
    assert dict(connection.execute(MODEL).fetchall()) == {
        "dimension": str(DIMENSION),
        "recogniser_sha256": FINGERPRINT.recogniser_sha256,
        "preprocessing": FINGERPRINT.preprocessing,
        "alignment": FINGERPRINT.alignment,
        "flip": "0",
    }


def test_the_pages_sql_tells_all_about_a_person(connection: sqlite3.Connection) -> None:
    cursor = connection.execute(PERSON)
    names = [column[0] for column in cursor.description]
    rows = cursor.fetchall()
    assert len(rows) == 2
    assert {row[names.index("png")] for row in rows} == {b"\x89PNG made up"}
    assert [row[:4] for row in connection.execute(REFUSED)] == [
        (b"people/ada/landscape.jpg", refusal().content_sha256, "ada", "no_face")
    ]


def test_the_pages_checksums_are_those_in_the_file(connection: sqlite3.Connection) -> None:
    for table, blob in (("features", "feature"), ("crops", "png")):
        for number, data, checksum in connection.execute(
            f"SELECT template_id, {blob}, checksum FROM {table}"
        ):
            assert zlib.crc32(struct.pack("<q", number) + data) == checksum
    for number, name, created, checksum in connection.execute("SELECT * FROM subjects"):
        assert zlib.crc32(struct.pack("<q", number) + name.encode() + b"\0" + created.encode()) == checksum
    columns = (
        "id, subject_id, face_index, image_width, image_height, x_min, y_min, x_max, y_max, detection_score, "
        "landmarks, content_sha256, detector, created, source_path, checksum"
    )
    for row in connection.execute(f"SELECT {columns} FROM templates"):
        numbers, landmarks, words, path, checksum = row[:10], row[10], row[11:14], row[14], row[15]
        data = struct.pack("<5q5d", *numbers) + landmarks
        data += b"".join(word.encode() + b"\0" for word in words) + path
        assert zlib.crc32(data) == checksum
    for path, *words, checksum in connection.execute("SELECT * FROM refusals"):
        assert zlib.crc32(b"".join(word.encode() + b"\0" for word in words) + path) == checksum
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    checksum = meta.pop("checksum")
    text = "".join(f"{key}\0{meta[key]}\n" for key in sorted(meta))
    assert f"{zlib.crc32(text.encode()):08x}" == checksum


def test_the_page_names_every_table_column_key_and_number(connection: sqlite3.Connection) -> None:
    tables = [
        row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")
    ]
    columns = [
        row[1]
        for table in schema.TABLES
        for row in connection.execute(f"PRAGMA table_info({table})").fetchall()
    ]
    keys = [row[0] for row in connection.execute("SELECT key FROM meta")]
    for word in {
        *tables,
        *columns,
        *keys,
        *schema.KINDS,
        f"{schema.APPLICATION_ID:#x}".upper().replace("X", "x"),
    }:
        assert f"`{word}`" in PAGE, word
    assert f"| `PRAGMA user_version` | {schema.FORMAT_VERSION}," in PAGE
