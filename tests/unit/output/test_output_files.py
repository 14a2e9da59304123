"""Output files appear whole or not at all; what can't be written is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from arcface_cli.errors import OutputError, UsageError
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import encode_jpeg
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.crops import MANIFEST, CropFolder
from arcface_cli.output.files import (
    make_folder,
    require_replaceable,
    telling_output,
    whole_file,
    write_picture,
)
from fakes import photo_file, picture_bytes
from gallery_samples import as_nobody


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with whole_file(path) as file:
        file.write(b"one\n")
        assert not path.exists()
    assert path.read_bytes() == b"one\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OutputError("no")])
def test_a_run_that_ends_badly_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException] | BaseException
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"old")
    with pytest.raises((KeyboardInterrupt, ValueError, OutputError)), whole_file(path) as file:
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_runs_that_write_one_file_each_leave_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with whole_file(path) as file:
        file.write(b"first")
    with whole_file(path) as file:
        file.write(b"second")
    assert path.read_bytes() == b"second"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this is a folder"), whole_file(tmp_path):
        pass


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xd8\xff\xe0 a photograph", "a picture"),
        (b"SQLite format 3\0 the people of a gallery", "a database, perhaps a gallery"),
    ],
)
def test_results_replace_no_photograph_and_no_gallery(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"precious is {what}"), whole_file(path) as file:
        file.write(b"results")
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


PNG, JPEG = picture_bytes(), encode_jpeg(np.zeros((19, 19, 3), np.uint8))
PHOTOGRAPHS = [
    PNG,
    JPEG,
    b"\xff\xd8\xff\xe1 with EXIF",
    b"GIF89a",
    b"II*\0 a TIFF or a raw one",
    b"\xff\xd8\xff\xe0",
    b"\x89PNG\r\n\x1a\n cut off",
]


@pytest.mark.parametrize("content", [*PHOTOGRAPHS, b"SQLite format 3\0"])
def test_a_picture_replaces_no_photograph_and_no_gallery(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "precious.jpg"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"precious\.jpg is a .*, and would be replaced"):
        write_picture(path, PNG)
    with pytest.raises(UsageError):
        require_replaceable(path, picture=True)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", [PNG, JPEG])
@pytest.mark.parametrize("new", [PNG, JPEG])
def test_a_picture_replaces_one_that_arcface_drew_but_results_dont(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    path = tmp_path / "sheet"
    write_picture(path, old)
    require_replaceable(path, picture=True)
    write_picture(path, new)
    assert np.array_equal(decode(path.read_bytes()), decode(new))
    with pytest.raises(UsageError, match="sheet is a picture"), whole_file(path):
        pass


def test_what_isnt_there_or_is_a_pipe_may_be_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "new.jpg", ".", "new/new.jpg"):
        require_replaceable(tmp_path / name, picture=True)


def test_a_link_stays_and_leads_to_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "latest.jsonl").symlink_to(tmp_path / "monday.jsonl")
    for content in (b"first", b"second"):
        with whole_file(tmp_path / "latest.jsonl") as file:
            file.write(content)
        assert (tmp_path / "latest.jsonl").is_symlink()
        assert (tmp_path / "monday.jsonl").read_bytes() == content


def test_a_pipe_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    (tmp_path / "link").symlink_to(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    for name in ("pipe", "link"):
        with whole_file(tmp_path / name) as file:
            file.write(b"one\n")
        assert os.read(reader, 100) == b"one\n"
        assert path.is_fifo()
    os.close(reader)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "pipe"]


def test_the_next_step_fits_the_reason(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as raised, whole_file(tmp_path / "missing" / "out.csv"):
        pass
    assert raised.value.hint is not None
    assert "make its folder" in raised.value.hint
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as raised:
        make_folder(tmp_path / "file")
    assert raised.value.hint is not None
    assert "a file lies where a folder is needed" in raised.value.hint


@pytest.mark.parametrize("place", ["missing/out.csv", "file/out.csv"])
def test_a_place_that_isnt_there_is_told_by_the_files_name(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(OutputError, match=r"out\.csv can't be written") as raised,
        whole_file(tmp_path / place),
    ):
        pass
    assert raised.value.exit_status == 7


@pytest.mark.parametrize("length", [256, 5000])
def test_a_name_that_is_too_long_is_told_with_what_helps(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * length)
    require_replaceable(path)
    with (
        pytest.raises(OutputError, match="the name is too long for this file system") as raised,
        whole_file(path),
    ):
        pass
    assert "shorter name" in str(raised.value.hint)


def test_a_folder_without_permission_is_told() -> None:
    def task() -> None:
        with pytest.raises(OutputError, match="Permission denied"), whole_file(Path("/out-of-reach.csv")):
            pass

    as_nobody(task)


def test_a_full_disk_is_called_a_full_disk_and_a_closed_pipe_passes() -> None:
    with pytest.raises(OutputError, match=r"^out can't be written: the disk is full$"), telling_output("out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(BrokenPipeError), telling_output("out"):
        raise BrokenPipeError


def test_a_folder_is_made_with_its_parents_and_may_be_there_already(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file can't be written"):
        make_folder(tmp_path / "file")


def crops(count: int) -> np.ndarray:
    return np.zeros((count, 112, 112, 3), np.uint8)


def test_crops_are_named_after_photograph_path_and_face_so_that_two_of_one_name_stay_apart(
    tmp_path: Path,
) -> None:
    for name in ("ada", "bob"):
        (tmp_path / name).mkdir()
    photos = [photo_file(tmp_path / name, "1.png") for name in ("ada", "bob")]
    with CropFolder(tmp_path / "crops") as folder:
        paths = [path for photo in photos for path in folder.save(photo, crops(2))]
        again = folder.save(photos[0], crops(2))
    assert len(set(paths)) == 4
    assert tuple(paths[:2]) == again
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_a_crop_replaces_no_photograph_and_follows_no_link_to_one(tmp_path: Path) -> None:
    photo = photo_file(tmp_path, "1.png")
    with CropFolder(tmp_path / "crops") as folder:
        (path,) = folder.save(photo, crops(1))
        path.unlink()
        path.symlink_to(tmp_path / "1.png")
        with pytest.raises(UsageError, match=f"{path.name} is a picture that arcface didn't draw"):
            folder.save(photo, crops(1))
    assert (tmp_path / "1.png").read_bytes() == picture_bytes()


@pytest.mark.parametrize(
    "name", ["..\\up.jpg", "new\nline.jpg", "bad \udcff.jpg", "x" * 250 + ".jpg", ".jpg", "é.jpg"]
)
def test_no_name_leads_out_of_the_folder_or_is_too_long_for_it(tmp_path: Path, name: str) -> None:
    with CropFolder(tmp_path / "crops") as folder:
        (path,) = folder.save(Photo(Path(name)), crops(1))
        (stdin,) = folder.save(Photo(None), crops(1))
    assert path.parent == tmp_path / "crops"
    assert path.is_file()
    assert stdin.name.startswith("stdin-")


def test_the_manifest_appears_when_the_run_ends_well_and_not_before(tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    with CropFolder(folder) as crop_folder:
        assert crop_folder.noted({"input": "a.jpg"}) == {"input": "a.jpg"}
        assert not (folder / MANIFEST).exists()
    assert (folder / MANIFEST).read_text() == '{"input": "a.jpg"}\n'
    with pytest.raises(KeyboardInterrupt), CropFolder(folder) as crop_folder:
        crop_folder.noted({"input": "b.jpg"})
        raise KeyboardInterrupt
    assert (folder / MANIFEST).read_text() == '{"input": "a.jpg"}\n'
