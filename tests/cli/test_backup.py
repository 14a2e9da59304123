"""Export and import: a backup that is sound when it is made and gives back all that it was made of."""

from __future__ import annotations

import resource
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from command_line import Arcface, arcface_process

from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import FINGERPRINT, OTHER_FINGERPRINT, entry, face, refusal

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
SAMPLES = Path(__file__).resolve().parents[1] / "samples"
CALIBRATION = '{"threshold": 0.5}'  # stored as it is, and read by nobody here


def make(folder: Path, *, keep_crops: bool = True) -> Path:
    with Gallery.create(folder, FINGERPRINT, model="compact", keep_crops=keep_crops) as gallery:
        for name in ("ada", "bob"):
            faces = [f"{name}-{i}" for i in range(3)]
            gallery.add([entry(name, each, crop=PNG, source_path=f"/p/{each}".encode()) for each in faces])
        gallery.remove_templates([2])
        gallery.rename("bob", "Bob")
        gallery.remember_refusals([refusal()])
        gallery.set_operating_point(CALIBRATION)
    return folder


@pytest.fixture
def gallery(own_place: Path) -> Path:
    return make(own_place / "gallery")


def sql(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)


def contents(file: Path) -> dict[str, list[object]]:
    with closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: database.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}


def test_a_new_gallery_is_the_exported_one_to_the_last_row(arcface: Arcface, gallery: Path) -> None:
    assert arcface("gallery", "export", "faces").status == 0
    answer = arcface("gallery", "import", "faces", "-g", "new")
    assert (answer.status, answer.said) == (0, [])
    (row,) = answer.records
    assert row == {"file": "faces", "added": 5, "duplicate": 0, "enrolled_as_another": 0, "refusals": 1}
    assert contents(Path("new", FILE_NAME)) == contents(gallery / FILE_NAME)
    assert arcface("gallery", "check", "-g", "new").records == []
    assert [path.name for path in Path("new").iterdir()] == [FILE_NAME]
    with Gallery.open(Path("new"), writable=True) as made:
        made.add([entry("eve", "later")])
        assert made.templates_of("eve")[0].template_id == 7


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("gallery-format-*")), ids=lambda path: path.name)
def test_an_export_of_any_format_is_taken_over_whole(arcface: Arcface, own_place: Path, sample: Path) -> None:
    shutil.copyfile(sample / FILE_NAME, "faces")
    before = Path("faces").read_bytes()
    assert arcface("gallery", "import", "faces").status == 0
    assert Path("faces").read_bytes() == before
    with Gallery.open(sample) as old, Gallery.open(own_place / "gallery", writable=True) as new:
        assert repr(new.templates()) == repr(old.templates())
        assert (new.refusals(), new.stats().created) == (old.refusals(), old.stats().created)
        assert list(new.findings()) == []


def test_another_choice_of_crops_takes_all_else(arcface: Arcface, own_place: Path) -> None:
    gallery = make(own_place / "gallery", keep_crops=False)
    arcface("gallery", "export", "faces")
    assert arcface("gallery", "import", "faces", "-g", "new", "--keep-crops").records[0]["added"] == 5
    with Gallery.open(gallery) as old, Gallery.open(Path("new")) as new:
        assert (new.keeps_crops, new.operating_point) == (True, CALIBRATION)
        assert new.subjects() == old.subjects()  # with their times
        assert new.refusals() == old.refusals()


def test_a_gallery_that_is_there_keeps_its_calibration_and_is_told_so(
    arcface: Arcface, gallery: Path
) -> None:
    with Gallery.create(Path("other"), FINGERPRINT) as other:
        other.set_operating_point('{"threshold": 0.6}')
    arcface("gallery", "export", "faces")
    answer = arcface("gallery", "import", "faces", "-g", "other")
    assert (answer.status, answer.said) == (
        0,
        ["arcface: other: keeps its own threshold; the calibration in faces was not taken"],
    )
    with Gallery.open(gallery) as old, Gallery.open(Path("other")) as new:
        assert new.operating_point == '{"threshold": 0.6}'
        assert new.subjects() == old.subjects()
    assert arcface("gallery", "import", "faces", "-g", "other", "-q").said == []


def test_who_is_somebody_else_there_is_named(arcface: Arcface, gallery: Path) -> None:
    with Gallery.create(Path("other"), FINGERPRINT) as other:
        other.add([entry("eve", each, seen=face(11.0)) for each in ("bob-1", "bob-2")])
    arcface("gallery", "export", "faces")
    answer = arcface("gallery", "import", "faces", "-g", "other")
    assert (answer.status, answer.records[0]["enrolled_as_another"]) == (3, 2)
    assert answer.said[1:] == [
        f"arcface: /p/bob-{number}: this face is enrolled as eve (template {number}), not Bob"
        for number in (1, 2)
    ]


def test_an_export_of_another_model_is_refused_in_words_that_are_true(
    arcface: Arcface, gallery: Path
) -> None:
    Gallery.create(Path("other"), OTHER_FINGERPRINT, model="big").close()
    arcface("gallery", "export", "faces")
    answer = arcface("gallery", "import", "faces", "-g", "other")
    assert (answer.status, len(answer.said)) == (6, 1)
    assert f"faces is of {FINGERPRINT.short}: their templates can't be compared; name another" in answer.err
    assert "this run" not in answer.err
    assert " -m" not in answer.err


DAMAGE = {
    "crop": "UPDATE crops SET png = x'00' WHERE template_id = 4",
    "feature": "UPDATE features SET checksum = 1 WHERE template_id = 4",
    "path": "UPDATE templates SET source_path = x'2f78' WHERE id = 4",
    "name": "UPDATE subjects SET name = 'Mallory' WHERE id = 1",
    "refusal": "UPDATE refusals SET reason = 'none'",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_gallery_is_not_exported(arcface: Arcface, gallery: Path, damage: str) -> None:
    sql(gallery / FILE_NAME, DAMAGE[damage])
    answer = arcface("gallery", "export", "faces")
    assert (answer.status, len(answer.said)) == (6, 1)
    assert "nothing was exported; see what is damaged and how to mend it with: arcface gallery" in answer.err
    assert [path.name for path in gallery.parent.iterdir()] == ["gallery"]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_export_leaves_no_trace_and_no_empty_gallery(
    arcface: Arcface, gallery: Path, damage: str
) -> None:
    arcface("gallery", "export", "faces")
    sql(Path("faces"), DAMAGE[damage])
    make(Path("there"))
    before = contents(Path("there", FILE_NAME))
    for target in ("deep/down/new", "there"):
        answer = arcface("gallery", "import", "faces", "-g", target)
        assert (answer.status, answer.out, len(answer.said)) == (6, "", 1)
        assert "faces: is damaged: " in answer.err
        assert "export it again" in answer.err
    assert not Path("deep").exists()
    assert contents(Path("there", FILE_NAME)) == before


def test_a_truncated_export_is_refused_with_a_next_step(arcface: Arcface, gallery: Path) -> None:
    arcface("gallery", "export", "faces")
    with Path("faces").open("r+b") as file:
        file.truncate(60_000)
    answer = arcface("gallery", "import", "faces", "-g", "new")
    assert (answer.status, len(answer.said)) == (6, 1)
    assert "export it again" in answer.err
    assert not Path("new").exists()


# --- a full disk ----------------------------------------------------------------------------------


def limited(size: int) -> Callable[[], None]:
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_is_told_in_words_that_are_true(own_place: Path) -> None:
    folder = own_place / "gallery"
    with Gallery.create(folder, FINGERPRINT, keep_crops=True) as made:
        made.add([entry("ada", str(i), crop=PNG * 100) for i in range(40)])
    exported = arcface_process("gallery", "export", "faces", preexec_fn=limited(200_000))
    assert exported.returncode == 7
    assert "faces: can't be written" in exported.stderr
    assert "no export was written, and the gallery is as it was" in exported.stderr
    assert [path.name for path in own_place.iterdir()] == ["gallery"]
    compacted = arcface_process("gallery", "compact", preexec_fn=limited(200_000))
    assert compacted.returncode == 7
    assert "the file stays as large as it was, with all that it holds" in compacted.stderr
    removed = arcface_process("gallery", "remove", "ada", "-y", preexec_fn=limited(40_000))
    assert (removed.returncode, "nothing was removed" in removed.stderr) == (7, True)
    with Gallery.open(folder) as left:
        assert left.stats().templates == 40


def test_a_gallery_that_has_no_room_leaves_no_folder(own_place: Path) -> None:
    make(own_place / "gallery")
    assert arcface_process("gallery", "export", "faces").returncode == 0
    answer = arcface_process("gallery", "import", "faces", "-g", "a/b", preexec_fn=limited(40_000))
    assert (answer.returncode, "no gallery was made" in answer.stderr) == (7, True)
    assert not Path("a").exists()
