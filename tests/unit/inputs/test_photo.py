from __future__ import annotations

import base64
import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import (
    EmptyFile,
    ImageTooLarge,
    MissingFile,
    NoInputs,
    NotAFile,
    PermissionDenied,
    UnreadableImage,
)
from arcface_cli.inputs.photo import Photo, opening_failed


def test_a_photo_is_read_to_its_last_byte(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "a.jpg").write_bytes(content)
    assert Photo(tmp_path / "a.jpg").read(3_000_000) == content


def test_one_byte_over_the_limit_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x" * 101)
    with pytest.raises(ImageTooLarge, match="larger than 100 bytes"):
        Photo(tmp_path / "a.jpg").read(100)


def test_a_file_that_hides_its_size_is_still_read_within_the_limit() -> None:
    status = Photo(Path("/proc/self/status"))
    if not Path("/proc/self/status").exists():
        pytest.skip("this system has no /proc")
    assert status.read(1_000_000).startswith(b"Name:")
    with pytest.raises(ImageTooLarge):
        status.read(10)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"gone\.jpg does not exist"):
        Photo(tmp_path / "gone.jpg").read()


def test_a_path_through_a_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(MissingFile):
        Photo(tmp_path / "a.jpg" / "b.jpg").read()


def test_a_broken_link_says_where_it_points(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to("no/such\nplace.jpg")
    with pytest.raises(MissingFile, match="broken link: it points to no/such") as caught:
        Photo(tmp_path / "link.jpg").read()
    assert r"no/such\nplace.jpg" in caught.value.message


def test_a_link_to_itself_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    with pytest.raises(MissingFile, match="leads back to itself"):
        Photo(tmp_path / "loop.jpg").read()


def test_a_name_that_no_file_here_can_have_is_a_path_that_is_wrong(tmp_path: Path) -> None:
    photo = Photo(tmp_path / f"{'a' * 300}.jpg", named=True)
    with pytest.raises(MissingFile, match="the name is too long for this file system") as caught:
        photo.read()
    assert (caught.value.exit_status, caught.value.hint) == (2, "check the path")


def test_a_folder_is_not_a_photograph(tmp_path: Path) -> None:
    with pytest.raises(NotAFile, match="is a folder"):
        Photo(tmp_path).read()


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(EmptyFile, match=r"a\.jpg is empty"):
        Photo(tmp_path / "a.jpg").read()


def test_a_pipe_that_nobody_writes_to_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(NotAFile, match="is a pipe"):
        Photo(tmp_path / "pipe.jpg").read()


def test_a_socket_and_a_device_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        with pytest.raises(NotAFile, match="socket"):
            Photo(tmp_path / "s.jpg").read()
    with pytest.raises(NotAFile, match="is a device"):
        Photo(Path("/dev/zero")).read()


def test_a_name_with_a_nul_byte_is_no_file() -> None:
    with pytest.raises(MissingFile, match=r"a\\x00\.jpg can't be the name of a file"):
        Photo(Path("a\0.jpg")).read()


def test_an_endless_name_is_an_error_of_ours() -> None:
    with pytest.raises(MissingFile, match="too long"):
        Photo(Path("x" * 5000)).read()


def test_a_file_of_somebody_else_is_permission_denied(tmp_path: Path) -> None:
    error = PermissionError(13, "Permission denied", "a.jpg")
    assert isinstance(opening_failed(error, b"a.jpg", "a.jpg"), PermissionDenied)
    if os.geteuid() != 0:
        (tmp_path / "a.jpg").touch(mode=0)
        with pytest.raises(PermissionDenied):
            Photo(tmp_path / "a.jpg").read()
        return
    (tmp_path / "a.jpg").touch(mode=0)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    code = (
        "import os, sys; from pathlib import Path; from arcface_cli.inputs.photo import Photo\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: Photo(Path(sys.argv[1])).read()\n"
        "except Exception as error: print(type(error).__name__)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.jpg"], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "PermissionDenied"


def test_a_failing_disk_is_told_with_the_systems_own_words() -> None:
    failed = opening_failed(OSError(5, "Input/output error"), b"a.jpg", "a.jpg")
    assert isinstance(failed, UnreadableImage)
    assert failed.message == "a.jpg can't be read: Input/output error"


def test_standard_input_is_read_within_the_limit() -> None:
    assert Photo(None, stream=io.BytesIO(b"jpeg")).read(4) == b"jpeg"
    with pytest.raises(ImageTooLarge, match="standard input"):
        Photo(None, stream=io.BytesIO(b"jpegs")).read(4)
    with pytest.raises(EmptyFile, match="standard input is empty"):
        Photo(None, stream=io.BytesIO(b"")).read()
    assert Photo(None).display == "-"


def test_a_photo_made_with_a_failure_raises_it_when_read() -> None:
    with pytest.raises(NoInputs, match="nothing here"):
        Photo(Path("folder"), failure=NoInputs("nothing here")).read()


@given(
    st.binary(min_size=1, max_size=40).filter(
        lambda raw: b"\0" not in raw and b"/" not in raw and raw != b"."
    )
)
def test_a_name_of_any_bytes_survives_and_goes_into_a_record(raw: bytes) -> None:
    photo = Photo(Path(os.fsdecode(raw)))
    assert photo.raw == raw
    photo.display.encode("utf-8")
    encoded = photo.base64_if_escaped
    assert (photo.display.encode() if encoded is None else base64.b64decode(encoded)) == raw


def test_a_name_with_a_line_break_is_not_mistaken_for_the_one_it_looks_like() -> None:
    broken, plain = Photo(Path("two\nlines.jpg")), Photo(Path(r"two\nlines.jpg"))
    assert broken.display == plain.display
    assert broken.base64_if_escaped is not None
    assert plain.base64_if_escaped is None


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"two\nlines.jpg", b"-rf.jpg", "Zoë.jpg".encode()])
def test_a_file_of_any_name_can_be_read(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118 - bytes
    with open(path, "wb") as file:  # noqa: PTH123 - bytes
        file.write(b"content")
    assert Photo(Path(os.fsdecode(path))).read() == b"content"
