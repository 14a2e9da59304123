from __future__ import annotations

import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from arcface_cli.errors import DownloadFailed
from arcface_cli.weights.archives import extract_member

Make = Callable[[Path, dict[str, bytes]], Path]


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def make_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return path


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_one_named_member_comes_out_with_its_hash(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", {"package/a.onnx": b"face", "package/b.onnx": b"other"})
    digest = extract_member(archive, "package/a.onnx", tmp_path / "out", 4)
    assert digest == hashlib.sha256(b"face").hexdigest()
    assert (tmp_path / "out").read_bytes() == b"face"


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_folder_too_many_around_the_member_is_no_obstacle(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", {"deep/er/a.onnx": b"face"})
    extract_member(archive, "antelopev2/a.onnx", tmp_path / "out", 4)
    assert (tmp_path / "out").read_bytes() == b"face"


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_two_members_that_could_be_meant_are_not_guessed_between(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", {"x/a.onnx": b"1", "y/a.onnx": b"2"})
    with pytest.raises(DownloadFailed, match=r"no member a\.onnx"):
        extract_member(archive, "a.onnx", tmp_path / "out", 1)


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_hostile_name_writes_nothing_outside(tmp_path: Path, make: Make) -> None:
    inside = tmp_path / "in" / "side"
    inside.mkdir(parents=True)
    archive = make(inside / "archive", {"../../evil.onnx": b"evil", "/evil.onnx": b"evil", "a.onnx": b"face"})
    extract_member(archive, "a.onnx", inside / "out", 4)
    extract_member(archive, "../../evil.onnx", inside / "out", 4)
    assert sorted(path.name for path in inside.iterdir()) == ["archive", "out"]
    assert not (tmp_path / "evil.onnx").exists()


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_a_member_larger_than_expected_is_cut_off(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", {"a.onnx": bytes(5_000_000)})
    with pytest.raises(DownloadFailed, match="larger than the 4 bytes expected"):
        extract_member(archive, "a.onnx", tmp_path / "out", 4)
    assert (tmp_path / "out").stat().st_size <= 4


def test_a_zip_that_lies_about_the_size_is_called_damaged(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive", {"a.onnx": bytes(5_000_000)})
    raw = archive.read_bytes().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 4))
    archive.write_bytes(raw)
    with pytest.raises(DownloadFailed, match="damaged"):
        extract_member(archive, "a.onnx", tmp_path / "out", 4)
    assert (tmp_path / "out").stat().st_size <= 4


def test_a_link_in_a_tar_is_no_member(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w:gz") as archive:
        link = tarfile.TarInfo("a.onnx")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DownloadFailed, match="no member"):
        extract_member(tmp_path / "archive", "a.onnx", tmp_path / "out", None)


def test_no_archive_at_all_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("<html>not found</html>")
    with pytest.raises(DownloadFailed, match="the archive is damaged"):
        extract_member(tmp_path / "archive", "a.onnx", tmp_path / "out", None)
