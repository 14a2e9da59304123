"""Vectors kept beside the database: used only when they are provably the database's own."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arcface_cli.errors import OutputError
from arcface_cli.faces import TemplateBatch
from arcface_cli.gallery import check
from arcface_cli.gallery.cache import FOLDER, CachedVectors, Subjects
from arcface_cli.gallery.entries import Snapshot
from arcface_cli.gallery.search import SubjectSearch
from arcface_cli.gallery.store import FILE_NAME, Gallery
from arcface_cli.gallery.vectors import StoredVectors, VectorType
from gallery_samples import FINGERPRINT, as_nobody, entry

COUNT = 40


@pytest.fixture(params=VectorType)
def kind(request: pytest.FixtureRequest) -> VectorType:
    return VectorType(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Gallery.create(tmp_path / "g", FINGERPRINT) as gallery:
        gallery.add([entry(f"s{i % 7}", f"p{i}") for i in range(COUNT)])
    return tmp_path / "g"


def cached(folder: Path, kind: VectorType) -> Snapshot:
    with Gallery.open(folder) as gallery:
        return gallery.snapshot(kind, cached_from=0)


def assert_same(folder: Path, kind: VectorType) -> None:
    """What comes by way of the cache is what the database says."""
    found = cached(folder, kind)
    with Gallery.open(folder) as gallery:
        truth = gallery.snapshot(kind, cached_from=10**9)
    assert np.array_equal(found.template_ids, truth.template_ids)
    assert np.array_equal(found.subject_rows, truth.subject_rows)
    assert np.array_equal(found.vectors.codes, truth.vectors.codes)
    assert np.array_equal(found.features, truth.features)
    assert (found.subjects, found.generation) == (truth.subjects, truth.generation)


def vectors_file(folder: Path) -> Path:
    (path,) = (folder / FOLDER).glob("*.vectors")
    return path


def test_a_small_gallery_keeps_no_cache(folder: Path) -> None:
    with Gallery.open(folder) as gallery:
        gallery.snapshot()
    assert not (folder / FOLDER).exists()


def test_the_cache_gives_what_the_database_says(folder: Path, kind: VectorType) -> None:
    assert_same(folder, kind)
    first = vectors_file(folder).stat()
    assert_same(folder, kind)
    assert vectors_file(folder).stat().st_mtime_ns == first.st_mtime_ns
    assert {path.stat().st_mode & 0o777 for path in (folder / FOLDER).iterdir()} == {0o600}


def test_new_templates_are_appended_and_the_rest_is_not_written_again(folder: Path, kind: VectorType) -> None:
    cached(folder, kind)
    before = vectors_file(folder)
    size, inode = before.stat().st_size, before.stat().st_ino
    with Gallery.open(folder, writable=True) as gallery:
        gallery.add([entry("new", f"q{i}") for i in range(5)])
    assert_same(folder, kind)
    after = vectors_file(folder).stat()
    assert (after.st_ino, after.st_size) == (inode, size // COUNT * (COUNT + 5))


def rename(gallery: Gallery) -> None:
    gallery.rename("s1", "ada")


def merge(gallery: Gallery) -> None:
    gallery.merge(["s1"], "s3")


def move(gallery: Gallery) -> None:
    gallery.relabel([(2, "s3")])


def remove(gallery: Gallery) -> None:
    gallery.remove_templates([3, 4])


def replace(gallery: Gallery) -> None:
    gallery.add([entry("s0", "another")], replacing=[1])


UNSAYING = (rename, merge, move, remove, replace)
"""What makes a name or a vector of a cache untrue."""


def left_in(folder: Path) -> list[str]:
    return [path.name for path in (folder / FOLDER).iterdir()]


@pytest.mark.parametrize("change", UNSAYING)
def test_what_is_true_no_more_leaves_the_cache_at_once(
    folder: Path, kind: VectorType, change: Callable[[Gallery], None]
) -> None:
    cached(folder, kind)
    with Gallery.open(folder, writable=True) as gallery:
        change(gallery)
        assert left_in(folder) == ["lock"]
        assert list(gallery.findings()) == []
    assert_same(folder, kind)


class AtCommit(sqlite3.Connection):
    """Something happens right before a transaction is committed."""

    happens: Callable[[], object]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.happens()
        return super().execute(sql, parameters)


def opened_so_that(folder: Path, happens: Callable[[], object]) -> Gallery:
    connection = sqlite3.connect(folder / FILE_NAME, factory=AtCommit, isolation_level=None)
    connection.happens = happens
    return Gallery(folder, connection)


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize("change", UNSAYING)
def test_no_crash_leaves_in_the_cache_what_is_true_no_more(
    folder: Path, change: Callable[[Gallery], None]
) -> None:
    cached(folder, VectorType.FLOAT32)

    def cut() -> None:
        assert left_in(folder) == ["lock"]
        raise PowerCutError

    with opened_so_that(folder, cut) as gallery, pytest.raises(PowerCutError):
        change(gallery)
    assert_same(folder, VectorType.FLOAT32)


@pytest.mark.parametrize("change", UNSAYING)
def test_a_cache_that_a_search_makes_meanwhile_goes_too(
    folder: Path, change: Callable[[Gallery], None]
) -> None:
    with opened_so_that(folder, lambda: cached(folder, VectorType.INT8)) as gallery:
        change(gallery)
    assert left_in(folder) == ["lock"]
    assert_same(folder, VectorType.INT8)


def test_a_photograph_that_lies_elsewhere_now_leaves_the_cache_alone(folder: Path) -> None:
    cached(folder, VectorType.FLOAT32)
    inode = vectors_file(folder).stat().st_ino
    with Gallery.open(folder, writable=True) as gallery:
        gallery.relabel([], [(1, b"elsewhere.jpg")])
    assert_same(folder, VectorType.FLOAT32)
    assert vectors_file(folder).stat().st_ino == inode


def test_a_restored_backup_with_the_same_generation_is_not_taken_for_the_other(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "g", FINGERPRINT) as gallery:
        gallery.add([entry("ada", "1")])
        gallery.export(tmp_path / "backup")
        gallery.add([entry("bob", "2")])
    cached(tmp_path / "g", VectorType.FLOAT32)
    shutil.copy(tmp_path / "backup", tmp_path / "g" / FILE_NAME)
    with Gallery.open(tmp_path / "g", writable=True) as gallery:
        gallery.add([entry("eve", "3")])  # as many changes, as many templates, another person
    assert_same(tmp_path / "g", VectorType.FLOAT32)


def test_a_cache_of_another_gallery_is_not_used(folder: Path, tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "other", FINGERPRINT) as gallery:
        gallery.add([entry(f"x{i}", f"x{i}") for i in range(COUNT)])
    cached(tmp_path / "other", VectorType.FLOAT32)
    shutil.copytree(tmp_path / "other" / FOLDER, folder / FOLDER)
    assert_same(folder, VectorType.FLOAT32)


def flip(offset: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[offset % len(data)] ^= 4
        path.write_bytes(data)

    return damage


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a flipped bit": flip(1234),
    "a flipped last bit": flip(-1),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)) and None,
    "half of it": lambda path: os.truncate(path, path.stat().st_size // 2),
    "nothing": lambda path: os.truncate(path, 0),
    "no file": Path.unlink,
    "a folder": lambda path: (path.unlink(), path.mkdir())[1],
}


@pytest.mark.parametrize("suffix", ["vectors", "rows", "names", "head"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_never_believed(folder: Path, kind: VectorType, suffix: str, damage: str) -> None:
    cached(folder, kind)
    (path,) = (folder / FOLDER).glob(f"*.{suffix}")
    DAMAGES[damage](path)
    with Gallery.open(folder) as gallery:
        told = [finding.code for finding in gallery.findings()]
        assert told in (["cache"], []) if suffix == "head" and damage == "no file" else told == ["cache"]
    assert_same(folder, kind)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_search_whose_gallery_was_opened_in_a_hurry_never_answers_from_damaged_vectors(
    folder: Path, kind: VectorType, damage: str
) -> None:
    cached(folder, kind)
    with Gallery.open(folder) as gallery:
        truth = gallery.snapshot(kind, cached_from=10**9)
        exact = gallery.snapshot(cached_from=10**9)
    DAMAGES[damage](vectors_file(folder))
    with Gallery.open(folder) as gallery:
        hurried = gallery.snapshot(kind, cached_from=0, hurried=True)
    probes = TemplateBatch(exact.features[::5], FINGERPRINT)
    assert SubjectSearch(hurried).search_subjects(probes, 3) == SubjectSearch(truth).search_subjects(
        probes, 3
    )
    assert np.array_equal(hurried.settled().vectors.codes, truth.vectors.codes)
    assert_same(folder, kind)


def test_a_sound_gallery_opened_in_a_hurry_stays_what_it_is(folder: Path, kind: VectorType) -> None:
    cached(folder, kind)
    with Gallery.open(folder) as gallery:
        hurried = gallery.snapshot(kind, cached_from=0, hurried=True)
    assert hurried.taken_anew is not None
    assert hurried.settled() is hurried


def test_a_gallery_that_changed_is_brought_up_to_date_however_hurried(folder: Path, kind: VectorType) -> None:
    cached(folder, kind)
    with Gallery.open(folder, writable=True) as gallery:
        gallery.add([entry("new", f"q{i}") for i in range(5)])
        assert len(gallery.snapshot(kind, cached_from=0, hurried=True).settled()) == COUNT + 5


def test_any_flipped_bit_is_seen(folder: Path, kind: VectorType) -> None:
    chance = random.Random(4)
    for _ in range(30):
        cached(folder, kind)
        path = chance.choice(sorted((folder / FOLDER).glob("*.*")))
        flip(chance.randrange(path.stat().st_size))(path)
        assert_same(folder, kind)


def test_where_the_folder_cannot_be_written_the_database_alone_answers(tmp_path: Path) -> None:
    folder = Path(f"/tmp/arcface-cache-{os.getpid()}")  # pytest's own is closed to another user
    try:
        with Gallery.create(folder, FINGERPRINT) as gallery:
            gallery.add([entry("ada", "1")])
        (folder / FILE_NAME).chmod(0o444)
        folder.chmod(0o555)

        def task() -> None:
            assert len(cached(folder, VectorType.FLOAT32)) == 1
            assert not (folder / FOLDER).exists()

        as_nobody(task)
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def make_wrongly(gallery: Gallery, change: Callable[[CachedVectors], tuple[StoredVectors, Subjects]]) -> None:
    """Write a cache with right checksums of wrong content."""
    cache = gallery._moment.cache(VectorType.FLOAT32)
    sound = cache.load()
    vectors, subjects = change(sound)
    blocks = iter([(sound.rows["id"], sound.rows["subject"], vectors)])
    with cache.locked():
        cache.make(blocks, subjects, sound.head.generation, sound.head.token)


def test_a_wrong_vector_with_a_right_checksum_is_found_by_check(folder: Path) -> None:
    cached(folder, VectorType.FLOAT32)
    with Gallery.open(folder, writable=True) as gallery:
        make_wrongly(gallery, lambda it: (StoredVectors(it.vectors.rows(slice(None, None, -1))), it.subjects))
        assert [finding.problem for finding in gallery.findings()] == ["a vector is not the database's"]


def test_a_wrong_name_with_a_right_checksum_is_found_by_check(folder: Path) -> None:
    cached(folder, VectorType.FLOAT32)
    with Gallery.open(folder, writable=True) as gallery:
        make_wrongly(gallery, lambda it: (it.vectors, (it.subjects[0], it.subjects[1][::-1])))
        assert [finding.problem for finding in gallery.findings()] == ["a name is not the database's"]


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "", "two\nlines", "e\u0301", "x" * 256])
def test_a_name_that_nobody_can_have_is_not_believed(folder: Path, name: str) -> None:
    cached(folder, VectorType.FLOAT32)
    with Gallery.open(folder, writable=True) as gallery:
        make_wrongly(gallery, lambda it: (it.vectors, (it.subjects[0], (name, *it.subjects[1][1:]))))
        assert [finding.problem for finding in gallery.findings()] == ["its names are none of ours"]
    assert_same(folder, VectorType.FLOAT32)


# --- a link in the place of the folder --------------------------------------------------------------


def test_no_vector_leaves_a_gallery_through_a_link(folder: Path, kind: VectorType, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / FOLDER).symlink_to(outside)
    assert_same(folder, kind)
    assert list(outside.iterdir()) == []


def test_nothing_is_deleted_or_taken_through_a_link(folder: Path, kind: VectorType, tmp_path: Path) -> None:
    cached(folder, kind)
    shutil.move(folder / FOLDER, tmp_path / "outside")
    (tmp_path / "outside" / "letter.txt").write_text("dear")
    before = sorted(path.name for path in (tmp_path / "outside").iterdir())
    (folder / FOLDER).symlink_to(tmp_path / "outside")
    assert_same(folder, kind)
    with (
        Gallery.open(folder, writable=True) as gallery,
        pytest.raises(OutputError, match="index: can't be deleted: it is a link") as caught,
    ):
        gallery.remove_templates([1])
    assert "delete this folder" in str(caught.value.hint)
    assert sorted(path.name for path in (tmp_path / "outside").iterdir()) == before
    with Gallery.open(folder) as gallery:
        assert gallery.stats().templates == COUNT
        assert gallery.stats().cache_size == 0


def test_check_finds_a_link_and_its_command_takes_it_away(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "float32.head").write_text("x")
    (folder / FOLDER).symlink_to(tmp_path / "outside")
    (finding,) = check.folder_findings(folder, FILE_NAME)
    assert (finding.code, finding.where) == ("cache", str(folder / FOLDER))
    assert str(tmp_path / "outside") in finding.problem
    with Gallery.open(folder) as gallery:
        assert list(gallery.findings()) == []
    os.system(finding.mend)
    assert list(check.folder_findings(folder, FILE_NAME)) == []
    assert (tmp_path / "outside" / "float32.head").exists()
