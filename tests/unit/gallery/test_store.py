"""Enrolling, reading back, and refusing: the gallery as the workflows see it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import (
    GalleryDamaged,
    GalleryError,
    GalleryLocked,
    GalleryMissing,
    GalleryModelMismatch,
    InvalidSubjectName,
    OutputError,
    SubjectMissing,
)
from arcface_cli.gallery import database
from arcface_cli.gallery.entries import Added, Duplicate, EnrolledElsewhere, NewTemplate, subject_name
from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import (
    DIMENSION,
    FINGERPRINT,
    NOBODY,
    OTHER_FINGERPRINT,
    as_nobody,
    entry,
    face,
    units,
)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.create(tmp_path / "g", FINGERPRINT, model="compact", detector="scrfd_500m") as made:
        yield made


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own can't be."""
    folder = Path(tempfile.mkdtemp(prefix="arcface-test-"))
    folder.chmod(0o755)
    yield folder
    for made in (folder, *folder.rglob("*")):
        if made.is_dir():
            made.chmod(0o700)
    shutil.rmtree(folder)


# --- making and opening -----------------------------------------------------------------------


def test_a_new_gallery_is_empty_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "deep" / "g", FINGERPRINT) as gallery:
        gallery.add([entry()])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in gallery.directory.iterdir()}
        assert stat.S_IMODE(gallery.directory.stat().st_mode) == 0o700
    assert modes[FILE_NAME] == 0o600
    assert set(modes.values()) == {0o600}


def test_a_closed_gallery_is_one_file(gallery: Gallery) -> None:
    gallery.add([entry()])
    gallery.close()
    assert [path.name for path in gallery.directory.iterdir()] == [FILE_NAME]


def test_an_existing_empty_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "g"
    folder.mkdir(mode=0o755)
    Gallery.create(folder, FINGERPRINT).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_with_other_files_is_not_made_a_gallery(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(GalleryMissing, match="holds other files"):
        Gallery.open_or_create(tmp_path, FINGERPRINT)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_leftovers_of_a_killed_creation_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / f"{database.TEMPORARY_PREFIX}x").mkdir()
    Gallery.create(tmp_path, FINGERPRINT).close()


def test_a_second_creation_is_refused_and_harms_nothing(gallery: Gallery) -> None:
    gallery.add([entry()])
    with pytest.raises(GalleryError, match="holds a gallery already"):
        Gallery.create(gallery.directory, FINGERPRINT)
    assert gallery.stats().templates == 1


def test_opening_or_creating_twice_is_the_same_gallery(tmp_path: Path) -> None:
    with Gallery.open_or_create(tmp_path / "g", FINGERPRINT) as first:
        first.add([entry()])
    with Gallery.open_or_create(tmp_path / "g", FINGERPRINT) as second:
        assert second.stats().templates == 1


def test_any_bytes_may_stand_in_the_path_of_a_gallery(tmp_path: Path) -> None:
    for name in (b"100% a?b#c&d.db", b"new\nline", b"\xff\xfe", "größe".encode()):
        folder = tmp_path / os.fsdecode(name)
        with Gallery.create(folder, FINGERPRINT) as gallery:
            gallery.add([entry()])
        with Gallery.open(folder) as gallery:
            assert gallery.stats().templates == 1
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("made", ["nothing", "empty folder", "file"])
def test_no_gallery_is_said_in_one_line(tmp_path: Path, made: str) -> None:
    path = tmp_path / "g"
    if made == "empty folder":
        path.mkdir()
    elif made == "file":
        path.write_text("photo")
    with pytest.raises(GalleryMissing, match="g: ") as caught:
        Gallery.open(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_a_gallery_is_not_made_in_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "g"
    path.write_text("photo")
    for place in (path, path / "inside"):
        with pytest.raises(OutputError, match="can't be made a gallery") as caught:
            Gallery.open_or_create(place, FINGERPRINT)
        assert caught.value.hint == "a file lies where a folder is needed: name another with -g"


def test_another_model_is_refused_with_the_way_out(gallery: Gallery) -> None:
    gallery.require(FINGERPRINT)
    with pytest.raises(GalleryModelMismatch) as caught:
        gallery.require(OTHER_FINGERPRINT)
    assert FINGERPRINT.short in caught.value.message
    assert OTHER_FINGERPRINT.short in caught.value.message
    assert "(compact)" in caught.value.message
    assert "arcface gallery reembed" in str(caught.value.hint)
    with pytest.raises(GalleryModelMismatch):
        Gallery.open_or_create(gallery.directory, OTHER_FINGERPRINT)


def test_a_gallery_of_features_with_their_mirror_images_names_the_flag(tmp_path: Path) -> None:
    mirrored = replace(FINGERPRINT, flip=True)
    hints = []
    for number, (ours, theirs) in enumerate([(FINGERPRINT, mirrored), (mirrored, FINGERPRINT)]):
        with (
            Gallery.open_or_create(tmp_path / str(number), ours) as gallery,
            pytest.raises(GalleryModelMismatch) as caught,
        ):
            gallery.require(theirs)
        hints.append(str(caught.value.hint).partition(",")[0])
    assert hints == ["leave --flip out", "add --flip"]


def test_the_fingerprint_and_names_are_remembered(gallery: Gallery) -> None:
    gallery.close()
    with Gallery.open(gallery.directory) as again:
        assert (again.fingerprint, again.model, again.detector) == (FINGERPRINT, "compact", "scrfd_500m")


# --- read-only places -------------------------------------------------------------------------


def test_a_read_only_folder_can_be_searched_and_not_written(public_folder: Path) -> None:
    folder = public_folder / "g"
    with Gallery.create(folder, FINGERPRINT) as gallery:
        gallery.add([entry()])
    (folder / FILE_NAME).chmod(0o444)
    folder.chmod(0o555)

    def task() -> None:
        with Gallery.open(folder) as gallery:
            assert gallery.snapshot().subjects == ("ada",)
            assert gallery.stats().templates == 1
        with pytest.raises(OutputError, match="can't be written"):
            Gallery.open(folder, writable=True)
        assert os.listdir(folder) == [FILE_NAME]  # noqa: PTH208

    as_nobody(task)


def test_unfinished_changes_in_a_read_only_folder_are_not_silently_left_out(public_folder: Path) -> None:
    live, copy = public_folder / "live", public_folder / "copy"
    with Gallery.create(live, FINGERPRINT) as gallery:
        gallery.add([entry()])
        copy.mkdir()
        for name in (FILE_NAME, f"{FILE_NAME}-wal"):
            shutil.copy(live / name, copy / name)
            (copy / name).chmod(0o444)
    copy.chmod(0o555)

    def task() -> None:
        with pytest.raises(GalleryDamaged, match="-wal that can't be read in a read-only folder"):
            Gallery.open(copy)

    as_nobody(task)


def test_a_gallery_of_somebody_else_is_named_not_opened(public_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs a second user, which only root can become")
    Gallery.create(public_folder / "g", FINGERPRINT).close()

    def task() -> None:
        assert os.geteuid() == NOBODY
        for writable in (False, True):
            with pytest.raises(GalleryMissing, match="Permission denied"):
                Gallery.open(public_folder / "g", writable=writable)
        with pytest.raises(OutputError, match="Permission denied"):
            Gallery.create(public_folder / "mine", FINGERPRINT)

    as_nobody(task)


# --- enrolling --------------------------------------------------------------------------------


def test_a_template_comes_back_as_it_went_in(gallery: Gallery) -> None:
    path = b"people/ada/\xff\n 1.jpg"
    gallery.add([entry(source_path=path)], now=datetime(2026, 11, 24, 7, 30, tzinfo=UTC))
    (stored,) = gallery.templates_of("ada")
    sent = entry()
    assert (stored.subject, stored.source_path, stored.detector) == ("ada", path, "scrfd_500m")
    assert stored.content_sha256 == sent.content_sha256
    assert (stored.image_width, stored.image_height) == (640, 480)
    assert (stored.face.box, stored.face.detection_score, stored.face.index) == (sent.face.box, 0.875, 0)
    assert np.array_equal(stored.face.points.array, sent.face.points.array)
    assert stored.created == "2026-11-24T07:30:00.000Z"


def test_the_snapshot_holds_every_feature_bit_for_bit_in_id_order(gallery: Gallery) -> None:
    features = units(1, 5)
    names = ["eve", "ada", "eve", "bob", "ada"]
    results = gallery.add(
        [
            entry(name, f"p{i}", feature=feature)
            for i, (name, feature) in enumerate(zip(names, features, strict=True))
        ]
    )
    snapshot = gallery.snapshot()
    assert np.array_equal(snapshot.features, features)
    assert snapshot.features.flags.c_contiguous
    assert snapshot.template_ids.tolist() == [r.template_id for r in results if isinstance(r, Added)]
    assert [snapshot.subjects[row] for row in snapshot.subject_rows] == names
    assert (snapshot.fingerprint, snapshot.generation, len(snapshot)) == (FINGERPRINT, 1, 5)


def test_a_second_enrolment_of_the_same_photo_adds_nothing(gallery: Gallery) -> None:
    (first,) = gallery.add([entry()])
    assert isinstance(first, Added)
    assert gallery.add([entry(source_path=b"a copy elsewhere.jpg")]) == [Duplicate(first.template_id)]
    assert (gallery.stats().templates, gallery.stats().generation) == (1, 1)


def test_a_photo_twice_in_one_batch_is_enrolled_once(gallery: Gallery) -> None:
    first, second = gallery.add([entry(), entry()])
    assert isinstance(first, Added)
    assert second == Duplicate(first.template_id)


def test_another_detectors_box_of_the_same_face_is_the_same_face(gallery: Gallery) -> None:
    (first,) = gallery.add([entry(seen=face(left=10.0, index=0))])
    assert isinstance(first, Added)
    assert gallery.add([entry(seen=face(left=14.5, index=1))]) == [Duplicate(first.template_id)]


def test_the_same_face_under_another_name_is_refused_and_names_the_other(gallery: Gallery) -> None:
    (first,) = gallery.add([entry("ada")])
    assert isinstance(first, Added)
    assert gallery.add([entry("eve")]) == [EnrolledElsewhere("ada", first.template_id)]
    assert [subject.name for subject in gallery.subjects()] == ["ada"]


def test_two_people_on_one_photo_are_both_enrolled(gallery: Gallery) -> None:
    results = gallery.add([entry("ada", seen=face(10.0, 0)), entry("eve", seen=face(300.0, 1))])
    assert all(isinstance(result, Added) for result in results)
    assert gallery.subject_names_of(entry().content_sha256) == ["ada", "eve"]
    assert gallery.subject_names_of("0" * 64) == []


def test_a_box_without_area_is_still_the_same_box(gallery: Gallery) -> None:
    flat = face()
    flat = type(flat)(type(flat.box)(5.0, 5.0, 5.0, 9.0), flat.points, 0.5, 0)
    first, second = gallery.add([entry(seen=flat), entry(seen=flat)])
    assert isinstance(first, Added)
    assert second == Duplicate(first.template_id)


def test_the_generation_grows_by_one_a_batch_that_adds(gallery: Gallery) -> None:
    assert gallery.stats().generation == 0
    gallery.add([entry(content=f"p{i}") for i in range(10)])
    gallery.add([])
    gallery.add([entry(content="p3")])
    gallery.add([entry(content="q")])
    assert gallery.stats().generation == 2


def test_a_batch_that_fails_midway_leaves_nothing(gallery: Gallery) -> None:
    def entries() -> Iterator[NewTemplate]:
        yield entry(content="good")
        raise KeyboardInterrupt

    class Interrupted(list[NewTemplate]):
        """A batch during which somebody presses Ctrl-C."""

        passes = 0

        def __iter__(self) -> Iterator[NewTemplate]:
            self.passes += 1
            return super().__iter__() if self.passes == 1 else entries()

    with pytest.raises(KeyboardInterrupt):
        gallery.add(Interrupted([entry(content="good")]))
    assert (gallery.stats().templates, gallery.stats().subjects) == (0, 0)
    assert isinstance(gallery.add([entry(content="good")])[0], Added)


def test_stats_count_what_is_there(gallery: Gallery) -> None:
    gallery.add([entry("ada", "1"), entry("ada", "2"), entry("eve", "3")])
    stats = gallery.stats()
    assert (stats.subjects, stats.templates, stats.generation) == (2, 3, 1)
    assert (stats.fingerprint, stats.model, stats.detector) == (FINGERPRINT, "compact", "scrfd_500m")
    assert stats.detectors == ("scrfd_500m",)
    assert stats.size > 3 * 4 * DIMENSION
    assert stats.created.endswith("Z")


def test_subjects_tell_when_they_were_enrolled(gallery: Gallery) -> None:
    gallery.add([entry("eve", "1")], now=datetime(2026, 1, 1, tzinfo=UTC))
    gallery.add([entry("eve", "2"), entry("ada", "3")], now=datetime(2026, 2, 1, tzinfo=UTC))
    ada, eve = gallery.subjects()
    assert (ada.name, ada.templates) == ("ada", 1)
    assert (eve.name, eve.templates) == ("eve", 2)
    assert (eve.first_enrolled, eve.last_enrolled) == ("2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z")


def test_somebody_who_is_not_enrolled_is_named(gallery: Gallery) -> None:
    with pytest.raises(SubjectMissing, match="nobody is enrolled as 'ada'"):
        gallery.templates_of("ada")


def test_features_of_another_dimension_are_a_mistake(gallery: Gallery) -> None:
    with pytest.raises(ValueError, match=r"\(32,\), not \(16,\)"):
        gallery.add([entry(feature=units(1, 1, 16)[0])])


@pytest.mark.parametrize("factor", [0.0, 0.5, np.nan, np.inf])
def test_a_feature_without_unit_length_is_a_mistake(factor: float) -> None:
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="unit length"):
        entry(feature=units(1, 1)[0] * np.float32(factor))


def test_a_reader_cannot_write(gallery: Gallery) -> None:
    with Gallery.open(gallery.directory) as reader, pytest.raises(OutputError, match="can't be written"):
        reader.add([entry()])


def test_a_writer_that_holds_the_lock_too_long_is_named(gallery: Gallery) -> None:
    with Gallery.open(gallery.directory, writable=True, timeout=0.05) as second:
        holder = sqlite3.connect(gallery.directory / FILE_NAME, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryLocked, match="another program is writing"):
            second.add([entry()])
        assert second.stats().templates == 0  # reading goes on
        holder.execute("ROLLBACK")
        holder.close()
        assert isinstance(second.add([entry()])[0], Added)


def test_a_full_disk_loses_nothing_that_was_stored(gallery: Gallery) -> None:
    gallery.add([entry(content="stored")])
    gallery.close()
    path = gallery.directory / FILE_NAME
    connection = database.connect(path, writable=True)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with Gallery(gallery.directory, connection) as full:
        with pytest.raises(OutputError, match="the disk is full") as caught:
            full.add([entry(content=f"p{i}", source_path=b"x" * 900) for i in range(200)])
        assert caught.value.hint == "free some space, then run this again"
        assert full.stats().templates == 1
    with Gallery.open(gallery.directory, writable=True) as again:
        assert (again.stats().templates, again.stats().generation) == (1, 1)
        assert isinstance(again.add([entry(content="later")])[0], Added)


# --- names ------------------------------------------------------------------------------------


def test_a_name_is_one_name_however_it_was_typed(gallery: Gallery) -> None:
    gallery.add([entry("Zoe\u0308", "1")])
    gallery.add([entry("Zo\u00eb", "2")])
    assert [subject.name for subject in gallery.subjects()] == ["Zo\u00eb"]
    assert len(gallery.templates_of("Zoe\u0308")) == 2


@pytest.mark.parametrize("name", ["李小龍", "O'Brien; DROP TABLE", "a" * 255, "-rf", "../..", "👩‍🚀", " x "])
def test_unusual_names_are_names(gallery: Gallery, name: str) -> None:
    gallery.add([entry(name)])
    assert [subject.name for subject in gallery.subjects()] == [name]


@pytest.mark.parametrize(
    "name", ["", "  ", "\u3000", "a\nb", "\x1b[31m", "a\x00", "a\u2028b", "\udcff", "a" * 256]
)
def test_what_is_no_name_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InvalidSubjectName) as caught:
        entry(name)
    assert caught.value.message.isprintable()
    assert caught.value.exit_status == 2


@given(st.text(max_size=300))
def test_any_text_is_a_stable_name_or_refused(text: str) -> None:
    try:
        name = subject_name(text)
    except InvalidSubjectName:
        return
    assert subject_name(name) == name
    assert 1 <= len(name) <= 255
    assert name.encode().decode() == name
