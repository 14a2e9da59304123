"""The promise: a gallery of any released format is read for ever, and brought up to date when written to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from arcface_cli.errors import GalleryDamaged
from arcface_cli.faces import ModelFingerprint
from arcface_cli.gallery import check, schema
from arcface_cli.gallery.entries import Added
from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import entry, refusal, units

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
FORMATS = sorted(SAMPLES.glob("gallery-format-*"))


of_the_first_format = pytest.mark.parametrize("sample", FORMATS[:1], indirect=True, ids=["gallery-format-1"])


@pytest.fixture(params=FORMATS, ids=lambda folder: folder.name)
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(request.param, tmp_path / "g"))
    folder.chmod(0o700)
    (folder / FILE_NAME).chmod(0o600)
    return folder


def expected(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "expected.json").read_text("utf-8"))
    return loaded


def version_of(folder: Path) -> int:
    with sqlite3.connect(folder / FILE_NAME) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def assert_holds_what_was_put_in(gallery: Gallery, wanted: dict[str, Any]) -> None:
    snapshot = gallery.snapshot()
    assert [[each.name, each.templates] for each in gallery.subjects()] == wanted["subjects"]
    assert snapshot.template_ids.tolist() == wanted["template_ids"]
    assert [snapshot.subjects[row] for row in snapshot.subject_rows] == wanted["owners"]
    assert hashlib.sha256(snapshot.features.tobytes()).hexdigest() == wanted["features_sha256"]
    assert snapshot.generation == wanted["generation"]
    assert [each.content_sha256 for each in gallery.templates()] == wanted["content_sha256"]
    remembered = [[each.subject, each.reason, os.fsdecode(each.source_path)] for each in gallery.refusals()]
    assert remembered == wanted.get("refusals", [])


def test_there_is_a_sample_of_every_format() -> None:
    assert [folder.name for folder in FORMATS] == [
        f"gallery-format-{number}" for number in range(1, schema.FORMAT_VERSION + 1)
    ]


def test_an_old_gallery_is_read_whole_and_reading_leaves_it_as_it_is(sample: Path) -> None:
    before = (sample / FILE_NAME).read_bytes()
    with Gallery.open(sample) as gallery:
        assert_holds_what_was_put_in(gallery, expected(sample))
        assert list(gallery.findings()) == []
    assert (sample / FILE_NAME).read_bytes() == before


def test_the_first_writer_brings_an_old_gallery_up_to_date(sample: Path) -> None:
    wanted = expected(sample)
    with Gallery.open(sample, writable=True) as gallery:
        assert_holds_what_was_put_in(gallery, wanted)
    assert version_of(sample) == schema.FORMAT_VERSION
    with Gallery.open(sample, writable=True) as gallery:
        (added,) = gallery.add([entry("new", "new", feature=units(1, 1, 8)[0])])
        assert isinstance(added, Added)
        assert added.template_id == max(wanted["template_ids"]) + 1
        assert gallery.stats().generation == wanted["generation"] + 1
        gallery.remember_refusals([refusal("new", source_path=b"people/new/landscape.jpg")])
        assert len(gallery.refusals_of("new")) == 1
        assert list(gallery.findings()) == []
    assert list(check.folder_findings(sample, FILE_NAME)) == []


@of_the_first_format
def test_a_number_that_was_removed_before_the_change_of_format_is_not_given_out_again(sample: Path) -> None:
    connection = sqlite3.connect(sample / FILE_NAME)
    connection.execute("DELETE FROM templates WHERE id = (SELECT max(id) FROM templates)")
    connection.commit()
    connection.close()
    with Gallery.open(sample, writable=True) as gallery:
        (added,) = gallery.add([entry("new", "new", feature=units(1, 1, 8)[0])])
    assert isinstance(added, Added)
    assert added.template_id == max(expected(sample)["template_ids"]) + 1


@of_the_first_format
def test_an_old_gallery_with_a_broken_row_is_refused_and_not_half_changed(sample: Path) -> None:
    connection = sqlite3.connect(sample / FILE_NAME)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("UPDATE templates SET x_min = 'wide' WHERE id = 3")
    connection.commit()
    connection.close()
    for writable in (False, True):
        with pytest.raises(GalleryDamaged, match="can't be brought up to date"):
            Gallery.open(sample, writable=writable)
    assert version_of(sample) == 1


def test_an_old_gallery_that_is_only_read_is_exported_and_imported_whole(
    sample: Path, tmp_path: Path
) -> None:
    with Gallery.open(sample) as gallery:
        gallery.export(tmp_path / "faces")
    with Gallery.open_exported(tmp_path / "faces") as gallery:
        assert_holds_what_was_put_in(gallery, expected(sample))


def test_the_sample_is_of_the_model_it_says(sample: Path) -> None:
    with Gallery.open(sample) as gallery:
        assert gallery.fingerprint == ModelFingerprint("ab" * 32, "rgb,(x-127.5)/127.5", "umeyama-1", 8)
        assert (gallery.model, gallery.detector) == ("compact", "scrfd_500m")


def test_any_bytes_in_a_path_survive_the_change_of_format(sample: Path) -> None:
    with Gallery.open(sample) as gallery:
        paths = [each.source_path for each in gallery.templates_of("Zoë")]
    assert paths[2] == "people/Zoë/2.jpg".encode() + b"\xff"
    assert os.fsdecode(paths[2]).endswith("\udcff")
