"""Files that are no gallery, or no longer: refused in one line that names the file, and never a traceback."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from arcface_cli.errors import ArcfaceError, GalleryDamaged, GalleryError, GalleryNewer
from arcface_cli.gallery import checksums, schema
from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import DIMENSION, FINGERPRINT, entry, units

Damage = Callable[[Path], None]
SUBJECTS = ("ada", "bob", "eve")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("damage") / "sound"
    with Gallery.create(directory, FINGERPRINT) as gallery:
        gallery.add([entry(name, f"{name}-{i}") for name in SUBJECTS for i in range(60)])
    return directory


@pytest.fixture
def directory(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "g"))


def sql(directory: Path, *statements: str, parameters: tuple[object, ...] = ()) -> None:
    """Change the file behind our back, with SQLite's own guards down."""
    connection = sqlite3.connect(directory / FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    for statement in statements:
        connection.execute(statement, parameters)
    connection.close()


def use(directory: Path) -> None:
    """Everything that reads."""
    with Gallery.open(directory) as gallery:
        snapshot = gallery.snapshot()
        gallery.stats()
        for subject in gallery.subjects():
            gallery.templates_of(subject.name)
        assert snapshot.features.shape == (180, DIMENSION)
        assert snapshot.subjects == SUBJECTS


def replace_with_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replace_with_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replace_with_other_database(file: Path) -> None:
    file.unlink()
    sqlite3.connect(file).execute("CREATE TABLE photos (id)").connection.close()


def shorten(part: float) -> Damage:
    return lambda file: os.truncate(file, int(file.stat().st_size * part))


def overwrite(offset: int, data: bytes) -> Damage:
    def damage(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.seek(offset)
            opened.write(data)

    return damage


DAMAGES: dict[str, Damage] = {
    "zero bytes": shorten(0.0),
    "half of the file": shorten(0.5),
    "all but the last bytes": shorten(0.999),
    "fifty bytes": lambda file: os.truncate(file, 50),
    "the header alone": lambda file: os.truncate(file, 100),
    "one page": lambda file: os.truncate(file, schema.PAGE_SIZE),
    "a text file": lambda file: file.write_text("ada,1.jpg\n" * 100) and None,
    "a JPEG": lambda file: file.write_bytes(b"\xff\xd8\xff\xe0" + bytes(5000)) and None,
    "a folder": replace_with_folder,
    "a pipe": replace_with_pipe,
    "another program's database": replace_with_other_database,
    "the magic flipped": overwrite(0, b"s"),
    "another application id": overwrite(68, b"\x00\x00\x00\x01"),
    "the page size zeroed": overwrite(16, b"\x00\x00"),
    "the schema page zeroed": overwrite(100, bytes(4000)),
    "a page of zeros in the middle": overwrite(4 * schema.PAGE_SIZE, bytes(schema.PAGE_SIZE)),
    "a page of noise in the middle": overwrite(
        4 * schema.PAGE_SIZE, random.Random(1).randbytes(schema.PAGE_SIZE)
    ),
    "format 0": overwrite(60, b"\x00\x00\x00\x00"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_named_with_a_way_out(directory: Path, name: str) -> None:
    DAMAGES[name](directory / FILE_NAME)
    for writable in (False, True):
        with pytest.raises(GalleryDamaged) as caught:
            Gallery.open(directory, writable=writable)
        assert str(directory / FILE_NAME) in caught.value.message
        assert "\n" not in caught.value.message
        assert caught.value.hint
        assert caught.value.exit_status == 6
    with pytest.raises(GalleryError):
        Gallery.open_or_create(directory, FINGERPRINT)


def test_a_newer_format_asks_for_a_newer_program(directory: Path) -> None:
    sql(directory, f"PRAGMA user_version = {schema.FORMAT_VERSION + 1}")
    for writable in (False, True):
        with pytest.raises(GalleryNewer, match="has gallery format 4; this arcface reads up to 3"):
            Gallery.open(directory, writable=writable)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM meta WHERE key = 'dimension'", "no dimension"),
        ("DELETE FROM changes", "no generation"),
        ("UPDATE meta SET value = '-1' WHERE key = 'dimension'", "differs from its checksum"),
        ("UPDATE meta SET value = '31' WHERE key = 'dimension'", "differs from its checksum"),
        ("UPDATE meta SET value = 'none ' WHERE key = 'crops'", "differs from its checksum"),
        ("UPDATE meta SET value = x'ff00' WHERE key = 'preprocessing'", "preprocessing"),
        ("UPDATE subjects SET name = 'a' || char(10) || 'b' WHERE id = 1", "control character"),
        ("UPDATE subjects SET name = '' WHERE id = 1", "blank"),
        ("UPDATE subjects SET name = CAST(x'ff' AS TEXT) WHERE id = 1", "UTF-8"),
        ("DELETE FROM subjects WHERE id = 2", "template 61: its subject is missing"),
        (
            "UPDATE subjects SET name = 'eva' WHERE name = 'eve'",
            "subject 3 ('eva'): differs from",
        ),
        ("UPDATE templates SET subject_id = 1 WHERE id = 99", "template 99: its provenance differs"),
        ("UPDATE features SET feature = x'00' WHERE template_id = 17", "template 17: its feature is not 32"),
        ("UPDATE features SET feature = 'text' WHERE template_id = 17", "template 17: its feature is not 32"),
        ("DELETE FROM features WHERE template_id = 17", "template 17: its feature is not 32"),
        ("UPDATE templates SET landmarks = x'00' WHERE id = 17", "template 17: its provenance differs"),
        ("UPDATE templates SET x_max = -1e9 WHERE id = 17", "template 17: its provenance differs"),
        ("UPDATE templates SET x_max = 9e999 WHERE id = 17", "template 17: its provenance differs"),
        ("UPDATE templates SET x_max = 'wide' WHERE id = 17", "template 17: 'wide' is no float"),
        ("UPDATE templates SET source_path = 'text' WHERE id = 17", "template 17: 'text' is no bytes"),
        ("DROP TABLE meta", "meta"),
        ("DROP INDEX templates_by_subject", "'templates_by_subject' is missing"),
        (
            "CREATE TRIGGER t AFTER INSERT ON templates BEGIN DELETE FROM subjects; END",
            "'t' is missing or none",
        ),
        ("CREATE VIEW v AS SELECT 1", "'v' is missing or none"),
        ("ALTER TABLE features RENAME COLUMN feature TO vector", "feature"),
    ],
)
def test_contents_that_we_never_wrote_are_damage(directory: Path, statement: str, named: str) -> None:
    sql(directory, statement)
    with pytest.raises(GalleryDamaged) as caught:
        use(directory)
    assert named in caught.value.message
    assert FILE_NAME in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 0.9])
def test_a_feature_that_is_no_unit_vector_is_named_by_its_template(directory: Path, value: float) -> None:
    feature = units(1, 1)[0] * np.float32(0.9)
    if value != 0.9:
        feature[3] = value
    put_feature(directory, 99, feature.tobytes())
    with pytest.raises(GalleryDamaged, match="template 99: its feature has no unit length"):
        use(directory)


def test_a_feature_of_wrong_length_is_named_whatever_its_checksum_says(directory: Path) -> None:
    put_feature(directory, 42, bytes(124))
    with pytest.raises(GalleryDamaged, match="template 42: its feature is not 32 float32 numbers"):
        use(directory)


def test_a_flipped_sign_which_leaves_the_length_as_it_was_is_seen(directory: Path) -> None:
    connection = sqlite3.connect(directory / FILE_NAME)
    (feature,) = connection.execute("SELECT feature FROM features WHERE template_id = 17").fetchone()
    connection.close()
    flipped = bytearray(feature)
    flipped[3] ^= 0x80
    sql(directory, "UPDATE features SET feature = ? WHERE template_id = 17", parameters=(bytes(flipped),))
    with pytest.raises(GalleryDamaged, match="template 17: its feature differs from its checksum"):
        use(directory)


def put_feature(directory: Path, template_id: int, feature: bytes) -> None:
    """With a checksum that fits, as only a broken program could."""
    checksum = checksums.of_blob(template_id, feature)
    sql(
        directory,
        "UPDATE features SET feature = ?, checksum = ? WHERE template_id = ?",
        parameters=(feature, checksum, template_id),
    )


def test_any_flipped_bit_of_the_header_is_harmless_or_said(sound: Path, tmp_path: Path) -> None:
    whole = (sound / FILE_NAME).read_bytes()
    said = 0
    for offset in range(100):
        bit = 1 << (offset % 8)
        said += is_refused_or_right(tmp_path / f"g{offset}", whole, offset, bit)
    assert said >= 30


def test_any_flipped_bit_elsewhere_is_no_traceback(sound: Path, tmp_path: Path) -> None:
    whole = (sound / FILE_NAME).read_bytes()
    chance = random.Random(3)
    for number in range(150):
        offset = chance.randrange(100, len(whole))
        is_refused_or_right(tmp_path / f"g{number}", whole, offset, 1 << chance.randrange(8))


def is_refused_or_right(directory: Path, whole: bytes, offset: int, bit: int) -> bool:
    """Whether a copy with one flipped bit is refused. Anything but our error, or another count, fails."""
    directory.mkdir()
    flipped = bytearray(whole)
    flipped[offset] ^= bit
    (directory / FILE_NAME).write_bytes(flipped)
    try:
        with Gallery.open(directory) as gallery:
            assert gallery.snapshot().features.shape == (180, DIMENSION)
            gallery.stats()
            for subject in gallery.subjects():
                gallery.templates_of(subject.name)
    except ArcfaceError as error:
        assert FILE_NAME in error.message, error.message
        return True
    return False
