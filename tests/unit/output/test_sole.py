"""One run at a time writes a file, to replace or to continue it; what a killed one left is no hindrance."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from arcface_cli.errors import OutputError
from arcface_cli.output.crops import CropFolder
from arcface_cli.output.files import whole_file, write_picture
from arcface_cli.output.resume import locked_output
from arcface_cli.output.sole import sole_writer
from fakes import picture_bytes


def replace(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"second")


def go_on(path: Path) -> None:
    locked_output(path).close()


def align_into(path: Path) -> None:
    with CropFolder(path.parent):
        pass


WRITERS = (replace, go_on)


def killed_while_it_writes(path: Path) -> None:
    child = os.fork()
    if not child:
        with whole_file(path) as file:
            file.write(b"half of a record, and more than the next run will write")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


@pytest.mark.parametrize("second", WRITERS)
@pytest.mark.parametrize("old", [None, b"old"])
def test_a_second_run_is_refused_from_the_start_and_the_first_loses_nothing(
    tmp_path: Path, second: Callable[[Path], None], old: bytes | None
) -> None:
    path = tmp_path / "out.jsonl"
    if old is not None:
        path.write_bytes(old)
    with whole_file(path) as file:
        file.write(b"first")
        with pytest.raises(OutputError, match=r"out\.jsonl is being written by another arcface") as caught:
            second(path)
        assert path.exists() == (old is not None)
    assert caught.value.exit_status == 7
    assert path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_link_and_the_file_that_it_leads_to_are_one_output(tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(tmp_path / "monday")
    for second in WRITERS:
        with whole_file(tmp_path / "monday"), pytest.raises(OutputError, match="latest is being written"):
            second(tmp_path / "latest")


def test_a_folder_of_crops_has_one_writer(tmp_path: Path) -> None:
    with CropFolder(tmp_path), pytest.raises(OutputError, match=r"manifest\.jsonl is being written"):
        align_into(tmp_path / "manifest.jsonl")
    align_into(tmp_path / "manifest.jsonl")


@pytest.mark.parametrize("second", WRITERS)
def test_what_a_killed_run_left_is_taken_over_and_gone(
    tmp_path: Path, second: Callable[[Path], None]
) -> None:
    path = tmp_path / "out.jsonl"
    killed_while_it_writes(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [".out.jsonl.arcface.part"]
    second(path)
    assert path.read_bytes() == (b"second" if second is replace else b"")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_run_that_goes_on_leaves_nothing_beside_its_output(tmp_path: Path) -> None:
    with locked_output(tmp_path / "out.jsonl"):
        assert [entry.name for entry in tmp_path.iterdir()] == ["out.jsonl"]


def test_another_file_under_the_name_is_never_written_into(tmp_path: Path) -> None:
    part, diary = tmp_path / ".out.arcface.part", tmp_path / "diary"
    diary.write_bytes(b"dear diary")
    os.link(diary, part)
    replace(tmp_path / "out")
    part.symlink_to(diary)
    with pytest.raises(OutputError, match=r"\.out\.arcface\.part beside it is in the way") as caught:
        replace(tmp_path / "out")
    assert "remove that" in str(caught.value.hint)
    assert diary.read_bytes() == b"dear diary"
    assert part.is_symlink()


def test_a_pipe_under_the_name_is_removed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".out.arcface.part")
    replace(tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_pictures_wait_for_one_another(tmp_path: Path) -> None:
    """Each is written in a moment: two runs that draw the same photograph both go on."""
    path, begun = tmp_path / "a.png", threading.Event()

    def draw() -> None:
        begun.set()
        write_picture(path, picture_bytes())

    other = threading.Thread(target=draw)
    with sole_writer(path, "a.png") as file:
        other.start()
        assert begun.wait(10)
        other.join(0.05)
        assert other.is_alive()
        file.write(picture_bytes())
        Path(file.name).replace(path)
    other.join(10)
    assert not other.is_alive()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("reason", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_each_run_writes_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr("fcntl.flock", refuse)
    with sole_writer(tmp_path / "out", "out") as file:
        assert str(os.getpid()) in Path(file.name).name
        assert [str(entry) for entry in tmp_path.iterdir()] == [file.name]
    replace(tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_what_is_held_back_when_a_run_fails_on_a_full_disk_is_not_tried_again(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        whole_file(tmp_path / "out") as file,
        open("/dev/full", "wb", buffering=0) as full,  # noqa: PTH123
    ):
        file.write(b"held back")
        os.dup2(full.fileno(), file.fileno())
        raise KeyboardInterrupt


@pytest.mark.parametrize("length", [239, 255])
def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path, length: int) -> None:
    target = tmp_path / ("x" * length)
    with sole_writer(target, "x"), pytest.raises(OutputError), sole_writer(target, "x"):
        pass
    assert list(tmp_path.iterdir()) == []
