"""Renaming, merging, removing, moving: what changes, and that nothing else does."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from arcface_cli.errors import (
    GalleryError,
    GalleryLocked,
    MissingFile,
    NotAFile,
    OutputError,
    SubjectExists,
    SubjectMissing,
    TemplateMissing,
)
from arcface_cli.faces import ModelFingerprint
from arcface_cli.gallery import proof, writer_note
from arcface_cli.gallery.entries import Added
from arcface_cli.gallery.store import FILE_NAME, Gallery
from arcface_cli.workflows.transfer import transfer
from gallery_samples import FINGERPRINT, entry, face, refusal, units

PNG = b"\x89PNG\r\n\x1a\n" + os.urandom(400)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.create(tmp_path / "g", FINGERPRINT, model="compact", keep_crops=True) as made:
        made.add(
            [
                entry(name, f"{name}{i}", crop=PNG, source_path=f"/p/{name}{i}.jpg".encode())
                for name in ("ada", "bob", "eve")
                for i in range(3)
            ]
        )
        yield made


def who(gallery: Gallery) -> dict[str, list[int]]:
    return {
        each.name: [t.template_id for t in gallery.templates_of(each.name)] for each in gallery.subjects()
    }


def test_a_new_name_keeps_every_template(gallery: Gallery) -> None:
    gallery.rename("bob", "Zoë")
    assert who(gallery) == {"Zoë": [4, 5, 6], "ada": [1, 2, 3], "eve": [7, 8, 9]}
    assert list(gallery.findings()) == []


def test_a_name_that_is_taken_is_refused_with_the_way_to_merge(gallery: Gallery) -> None:
    with pytest.raises(SubjectExists) as caught:
        gallery.rename("bob", "ada")
    assert "merge" in str(caught.value.hint)
    with pytest.raises(SubjectMissing):
        gallery.rename("nobody", "x")
    assert gallery.stats().generation == 1


def test_merged_people_are_one(gallery: Gallery) -> None:
    assert gallery.merge(["bob", "eve"], "ada") == 6
    assert who(gallery) == {"ada": list(range(1, 10))}
    assert list(gallery.findings()) == []


def test_somebody_merged_into_himself_stays(gallery: Gallery) -> None:
    assert gallery.merge(["ada"], "ada") == 0
    assert (gallery.stats().subjects, gallery.stats().generation) == (3, 1)


def test_two_faces_of_one_photograph_survive_a_merge(gallery: Gallery) -> None:
    gallery.add([entry("x", "both", seen=face(10.0)), entry("y", "both", seen=face(300.0, 1))])
    gallery.merge(["y"], "x")
    assert len(who(gallery)["x"]) == 2


def test_the_last_template_takes_its_subject_along(gallery: Gallery) -> None:
    gallery.remove_templates([4, 5, 6, 7])
    assert who(gallery) == {"ada": [1, 2, 3], "eve": [8, 9]}
    with pytest.raises(TemplateMissing):
        gallery.template(4)
    assert list(gallery.findings()) == []


def test_a_number_is_never_given_out_again(gallery: Gallery) -> None:
    gallery.remove_templates([7, 8, 9])
    (added,) = gallery.add([entry("new", "new")])
    assert added == Added(10)


def test_nothing_of_who_was_removed_is_left_in_any_file(gallery: Gallery) -> None:
    with Gallery.open(gallery.directory) as reader:
        reader.snapshot(cached_from=0)
    ids = who(gallery)["bob"]
    needles = gallery.needles_of(ids)
    assert {needle.what.split(" of ")[0] for needle in needles} == {"feature", "png", "hash", "path"}
    assert proof.traces(gallery.directory, needles)
    gallery.remove_templates(ids)
    assert gallery.empty_log()
    left = [trace for trace in proof.traces(gallery.directory, needles) if "png" not in trace]
    assert left == []  # all crops are the same bytes here, and the others' have a right to stay


def test_many_removals_in_any_order_leave_no_trace(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "many", FINGERPRINT, keep_crops=True) as gallery:
        for batch in range(12):
            gallery.add(
                [
                    entry(
                        f"s{i % 9}",
                        f"{batch}-{i}",
                        crop=os.urandom(3000),
                        source_path=b"/q/%d/%d.jpg" % (batch, i),
                    )
                    for i in range(25)
                ]
            )
        ids = np.random.default_rng(1).permutation(np.arange(1, 301))[:140].tolist()
        needles = gallery.needles_of(ids)
        for start in range(0, len(ids), 20):
            gallery.remove_templates(ids[start : start + 20])
        assert gallery.empty_log()
        assert proof.traces(gallery.directory, needles) == []
        assert list(gallery.findings()) == []


def refused(gallery: Gallery) -> list[tuple[str, bytes]]:
    return [(each.subject, each.source_path) for each in gallery.refusals()]


def test_a_refusal_is_remembered_without_a_new_generation(gallery: Gallery) -> None:
    before = gallery.stats()
    gallery.remember_refusals([refusal(), refusal("new")])
    after = gallery.stats()
    assert (after.generation, after.templates, after.subjects) == (before.generation, 9, 3)
    assert (before.refusals, after.refusals) == (0, 1)
    assert refused(gallery) == [("new", b"people/ada/landscape.jpg")]
    assert gallery.refusals()[0].created.endswith("Z")


def test_what_is_enrolled_after_all_is_refused_no_more(gallery: Gallery) -> None:
    gallery.remember_refusals(
        [refusal(), refusal("bob", source_path=b"/p/bob/landscape.jpg"), refusal(source_path=b"/p/copy")]
    )
    gallery.add([entry("ada", "landscape", source_path=b"people/ada/landscape.jpg")])
    assert refused(gallery) == [("bob", b"/p/bob/landscape.jpg")]


def test_a_new_name_and_a_merge_take_refusals_along(gallery: Gallery) -> None:
    gallery.remember_refusals([refusal("ada", source_path=b"/p/1"), refusal("bob", source_path=b"/p/2")])
    gallery.rename("ada", "Zoë")
    gallery.merge(["bob"], "eve")
    assert refused(gallery) == [("Zoë", b"/p/1"), ("eve", b"/p/2")]
    assert list(gallery.findings()) == []


def test_whoever_is_removed_is_remembered_by_no_refusal(gallery: Gallery) -> None:
    theirs = refusal("ada", "private", source_path=b"/somewhere/nobody/else/is.jpg")
    copied = refusal("bob", "ada0", source_path=b"/p/bob/copy-of-ada.jpg", reason="enrolled_as_another")
    others = refusal("bob", "others", source_path=b"/p/bob/landscape.jpg")
    gallery.remember_refusals([theirs, copied, others])
    needles = [each for each in gallery.needles_of([1, 2, 3], ["ada"]) if "png" not in each.what]
    gallery.remove_templates([1, 2, 3], forgetting=["ada"])
    gallery.empty_log()
    assert refused(gallery) == [("bob", others.source_path)]
    looked_for = {needle.data for needle in needles}
    assert {theirs.source_path, theirs.content_sha256.encode(), copied.source_path} <= looked_for
    assert proof.traces(gallery.directory, needles) == []


def test_what_somebody_else_shares_is_no_trace(gallery: Gallery) -> None:
    gallery.remember_refusals(
        [refusal("ada", source_path=b"/p/1.jpg"), refusal("bob", source_path=b"/p/2.jpg")]
    )
    needles = gallery.needles_of([], ["ada"])
    assert [needle.data for needle in needles] == [b"/p/1.jpg"]


def test_somebody_of_whom_only_refusals_are_known_can_be_removed(gallery: Gallery) -> None:
    gallery.remember_refusals([refusal("Nobody")])
    before = gallery.stats().generation
    gallery.remove_templates([], forgetting=["Nobody"])
    assert (refused(gallery), gallery.stats().generation) == ([], before)


def test_an_export_is_one_private_file_that_comes_back_whole(gallery: Gallery, tmp_path: Path) -> None:
    file = tmp_path / "faces.arcface"
    with Gallery.open(gallery.directory) as reader:
        reader.export(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with Gallery.open_exported(file) as exported:
        assert list(exported.findings()) == []
        with Gallery.create(tmp_path / "h", FINGERPRINT, keep_crops=True) as target:
            counts, _ = transfer(exported.entries(), target.add)
            assert counts == {"added": 9, "duplicate": 0, "enrolled_as_another": 0}
            assert transfer(exported.entries(), target.add)[0]["duplicate"] == 9
            assert who(target) == who(gallery)
            assert target.crop(1) == PNG
            assert np.array_equal(target.snapshot().features, gallery.snapshot().features)


def test_an_export_replaces_nothing(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        gallery.export(tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(OutputError):
        gallery.export(tmp_path / "no" / "folder" / "x")


def test_what_a_killed_export_left_is_cleared_and_what_another_works_on_is_not(
    gallery: Gallery, tmp_path: Path
) -> None:
    left, under_way, other = (
        tmp_path / name for name in (".faces.ab.part", ".faces.cd.part", ".fazes.ef.part")
    )
    for path in (left, under_way, other, tmp_path / ".faces.ab.part-journal"):
        path.write_bytes(b"faces")
    with under_way.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        gallery.export(tmp_path / "faces")
    assert sorted(path.name for path in tmp_path.iterdir()) == [under_way.name, other.name, "faces", "g"]


def test_what_is_no_export_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("faces")
    with pytest.raises(GalleryError, match="is no exported gallery"):
        Gallery.open_exported(tmp_path / "x")
    with pytest.raises(NotAFile):
        Gallery.open_exported(tmp_path)
    for gone in (tmp_path / "gone", tmp_path / "x" / "y"):
        with pytest.raises(MissingFile):
            Gallery.open_exported(gone)


def test_compacting_gives_the_space_back(gallery: Gallery) -> None:
    gallery.add([entry("many", f"m{i}", crop=os.urandom(5000)) for i in range(300)])
    gallery.remove_templates([each.template_id for each in gallery.templates_of("many")])
    before = gallery.stats().size
    gallery.compact()
    assert gallery.stats().size < before / 3
    assert list(gallery.findings()) == []


def test_another_model_replaces_every_feature_at_once(gallery: Gallery) -> None:
    other = ModelFingerprint("cd" * 32, "rgb", "a", 8)
    features = dict(zip(range(1, 9), units(3, 8, 8), strict=True))  # none for template 9
    gallery.reembed(features, other, "small", gallery.stats().generation)
    assert (gallery.fingerprint, gallery.model, gallery.stats().templates) == (other, "small", 8)
    assert np.array_equal(gallery.snapshot().features, units(3, 8, 8))
    assert list(gallery.findings()) == []
    with Gallery.open(gallery.directory) as again:
        again.require(other)


def test_a_gallery_that_changed_meanwhile_is_not_reembedded(gallery: Gallery) -> None:
    seen = gallery.stats().generation
    gallery.add([entry("late", "late")])
    with pytest.raises(GalleryLocked, match="changed meanwhile"):
        gallery.reembed({}, FINGERPRINT, None, seen)
    assert gallery.stats().templates == 10


def test_whether_crops_are_kept_is_chosen_once(gallery: Gallery, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="keeps crops, as was chosen"):
        Gallery.open_or_create(gallery.directory, FINGERPRINT, keep_crops=False)
    with Gallery.open_or_create(tmp_path / "none", FINGERPRINT) as other:
        other.add([entry(crop=PNG)])
        assert (other.keeps_crops, other.stats().crops, other.crop(1)) == (False, 0, None)
    assert (gallery.stats().keeps_crops, gallery.stats().crops) == (True, 9)


# --- who holds the lock -----------------------------------------------------------------------


def test_a_lock_is_told_with_the_process_that_holds_it(gallery: Gallery) -> None:
    with (
        Gallery.open(gallery.directory, writable=True, timeout=0.05) as second,
        gallery._writing(),
        pytest.raises(GalleryLocked, match=rf"by process {os.getpid()} on {socket.gethostname()} \("),
    ):
        second.add([entry("x", "x")])
    assert not (gallery.directory / writer_note.FILE_NAME).exists()


def note(gallery: Gallery, **fields: object) -> None:
    known = {"pid": os.getpid(), "host": socket.gethostname(), "command": "x", "since": "now", "started": 1}
    (gallery.directory / writer_note.FILE_NAME).write_text(json.dumps(known | fields))


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1])  # a number given out again, and one of nobody
def test_the_note_of_a_process_that_has_ended_accuses_nobody(gallery: Gallery, pid: int) -> None:
    note(gallery, pid=pid)
    found = writer_note.read(gallery.directory)
    assert found is not None
    assert found.is_gone
    holder = sqlite3.connect(gallery.directory / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with (
        Gallery.open(gallery.directory, writable=True, timeout=0.05) as second,
        pytest.raises(GalleryLocked, match="another program is writing"),
    ):
        second.add([entry("x", "x")])
    holder.execute("ROLLBACK")
    holder.close()
    assert isinstance(gallery.add([entry("x", "x")])[0], Added)


def test_a_process_of_another_machine_is_never_called_ended(gallery: Gallery) -> None:
    note(gallery, host="elsewhere", pid=1)
    found = writer_note.holder(gallery.directory)
    assert found is not None
    assert "process 1 on elsewhere" in found.described


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "x": 2}', "\xff" * 9000])
def test_a_note_that_says_nothing_is_no_note(gallery: Gallery, text: str) -> None:
    (gallery.directory / writer_note.FILE_NAME).write_text(text)
    assert writer_note.holder(gallery.directory) is None


def test_a_note_cannot_move_the_cursor_of_a_terminal(gallery: Gallery) -> None:
    note(gallery, command="\x1b[2J", host="elsewhere")
    assert writer_note.read(gallery.directory) is None
