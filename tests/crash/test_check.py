"""Every kind of damage that can be planted is found by `check`, and named with a way to mend it."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arcface_cli.errors import ArcfaceError, GalleryDamaged
from arcface_cli.gallery import check, checksums, database, places
from arcface_cli.gallery.check import Finding
from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import FINGERPRINT, entry, refusal

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("check") / "sound"
    with Gallery.create(folder, FINGERPRINT, keep_crops=True) as gallery:
        for name in ("ada", "bob", "eve"):
            gallery.add([entry(name, f"{name}-{i}", crop=PNG + name.encode()) for i in range(20)])
        gallery.remove_templates([5, 6])
        gallery.rename("bob", "Bob")
        gallery.remember_refusals([refusal()])
        gallery.snapshot(cached_from=0)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    copied = Path(shutil.copytree(sound, tmp_path / "g"))
    copied.chmod(0o700)
    return copied


def findings(folder: Path) -> list[Finding]:
    found = list(check.folder_findings(folder, FILE_NAME))
    with Gallery.open(folder) as gallery:
        return found + list(gallery.findings())


def sql(folder: Path, statement: str) -> None:
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(statement)
    connection.close()


def test_a_sound_gallery_has_no_findings(folder: Path) -> None:
    assert findings(folder) == []


FLIPPED = "CAST(substr({0}, 1, 40) || x'ff' || substr({0}, 42) AS BLOB)"


@pytest.mark.parametrize(
    ("statement", "code", "where"),
    [
        (f"UPDATE features SET feature = {FLIPPED.format('feature')} WHERE template_id = 7", "feature", "7"),
        ("UPDATE features SET checksum = checksum + 1 WHERE template_id = 7", "feature", "7"),
        ("UPDATE features SET feature = zeroblob(12) WHERE template_id = 7", "feature", "7"),
        ("DELETE FROM features WHERE template_id = 7", "feature", "7"),
        ("UPDATE features SET template_id = 5 WHERE template_id = 7", "reference", "5"),
        (f"UPDATE crops SET png = {FLIPPED.format('png')} WHERE template_id = 7", "crop", "7"),
        ("UPDATE templates SET subject_id = 3 WHERE id = 7", "template", "7"),
        ("UPDATE templates SET source_path = x'41' WHERE id = 7", "template", "7"),
        (
            "UPDATE templates SET content_sha256 = replace(content_sha256, 'a', 'b') WHERE id = 7",
            "template",
            "7",
        ),
        ("UPDATE templates SET x_min = x_min + 1 WHERE id = 7", "template", "7"),
        ("UPDATE templates SET detection_score = 'high' WHERE id = 7", "template", "7"),
        ("UPDATE templates SET created = '2020' WHERE id = 7", "template", "7"),
        ("UPDATE templates SET detector = 'other' WHERE id = 7", "template", "7"),
        (f"UPDATE templates SET landmarks = {FLIPPED.format('landmarks')} WHERE id = 7", "template", "7"),
        ("UPDATE subjects SET name = 'ava' WHERE id = 1", "subject", "ava"),
        ("UPDATE subjects SET created = '2020' WHERE id = 1", "subject", "ada"),
        ("DELETE FROM templates WHERE subject_id = 1", "subject", "ada"),
        ("DELETE FROM subjects WHERE id = 1", "reference", "templates"),
        ("DELETE FROM changes WHERE generation = 2", "history", "changes"),
        ("UPDATE refusals SET reason = 'no_fate'", "refusal", "landscape"),
        ("UPDATE refusals SET subject = 'eve'", "refusal", "landscape"),
        ("UPDATE refusals SET source_path = x'41'", "refusal", "A"),
        ("UPDATE refusals SET checksum = 'none'", "refusal", "landscape"),
        ("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'templates'", "history", "templates"),
    ],
)
def test_a_changed_row_is_found_and_named(folder: Path, statement: str, code: str, where: str) -> None:
    sql(folder, statement)
    found = findings(folder)
    assert [each for each in found if each.code == code and where in each.where], found
    assert all(each.mend and "\n" not in each.problem for each in found)


def test_what_others_may_read_is_found(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / FILE_NAME).chmod(0o640)
    found = findings(folder)
    assert [each.code for each in found] == ["readable_by_others"] * 2
    for each in found:
        os.system(each.mend)
    assert findings(folder) == []


def test_what_a_killed_process_left_long_ago_is_found(folder: Path) -> None:
    left = folder / f"{database.TEMPORARY_PREFIX}x"
    left.mkdir()
    assert findings(folder) == []  # it may be at work
    os.utime(left, (time.time() - 7200,) * 2)
    assert [each.code for each in findings(folder)] == ["leftover"]


def test_a_bad_template_can_be_removed_as_check_says(folder: Path) -> None:
    sql(folder, "UPDATE features SET checksum = 1 WHERE template_id = 7")
    sql(folder, "UPDATE templates SET checksum = 1 WHERE id = 9")
    with Gallery.open(folder, writable=True) as gallery:
        gallery.remove_templates([each.template_id for each in gallery.findings() if each.template_id])
    assert findings(folder) == []


def contents(folder: Path) -> list[object]:
    """All that the tables say, but for the random words of the history."""
    connection = sqlite3.connect(folder / FILE_NAME)
    connection.text_factory = bytes
    tables = ("meta", "subjects", "templates", "features", "crops")
    rows: list[object] = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    rows += connection.execute("SELECT generation FROM changes").fetchall()
    connection.close()
    return rows


def test_any_flipped_bit_is_found_or_changes_nothing(sound: Path, tmp_path: Path) -> None:
    whole, truth = (sound / FILE_NAME).read_bytes(), contents(sound)
    chance = random.Random(9)
    told = 0
    for number in range(250):
        folder = tmp_path / f"g{number}"
        folder.mkdir(mode=0o700)
        flipped = bytearray(whole)
        flipped[chance.randrange(100, len(whole))] ^= 1 << chance.randrange(8)
        (folder / FILE_NAME).write_bytes(flipped)
        (folder / FILE_NAME).chmod(0o600)
        if is_told(folder):
            told += 1
        else:
            assert contents(folder) == truth
        shutil.rmtree(folder)
    assert told > 25


def is_told(folder: Path) -> bool:
    try:
        return bool(findings(folder))
    except ArcfaceError:
        return True


NFS = (
    "server:/faces /mnt/faces nfs4 rw 0 0\nnone / ext4 rw 0 0\nx /mnt/with\\040space cifs rw 0 0\n"
    "x /mnt/Müller\\134 nfs rw 0 0\n"
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/faces/g", "nfs4"),
        ("/mnt/with space/g", "cifs"),
        ("/mnt/Müller\\/g", "nfs"),
        ("/home/g", None),
        ("/mnt/facesg", None),
    ],
)
def test_a_network_file_system_is_known_by_its_mount(tmp_path: Path, path: str, kind: str | None) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(NFS)
    assert places.network_file_system(Path(path), mounts) == kind


def test_without_a_list_of_mounts_nothing_is_claimed(tmp_path: Path) -> None:
    assert places.network_file_system(tmp_path, tmp_path / "none") is None


def test_the_checksum_of_a_row_covers_its_number() -> None:
    make: Callable[[int], int] = lambda number: checksums.of_blob(number, b"same")  # noqa: E731
    assert make(1) != make(2)


def test_a_broken_refusal_is_forgotten_as_check_says(folder: Path) -> None:
    sql(folder, "UPDATE refusals SET decided_by = replace(decided_by, 'e', 'f')")
    with Gallery.open(folder) as gallery, pytest.raises(GalleryDamaged) as caught:
        gallery.refusals_of("ada")
    assert "compact" in str(caught.value.hint)
    with Gallery.open(folder, writable=True) as gallery:
        gallery.compact()
        assert gallery.refusals() == []
    assert findings(folder) == []
