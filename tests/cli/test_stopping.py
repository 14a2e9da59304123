"""A run that is told to stop keeps what was done, leaves no half-written file, and says how to go on."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import SOURCES, Arcface, command_line, environment

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def words(album: Path, own_place: Path) -> list[str]:
    """To embed more photographs than are done before the run is stopped."""
    names = own_place / "names"
    names.write_text(f"{album / 'ada.jpg'}\n{album / 'eight.jpg'}\n" * 1000)
    return ["embed", "--files-from", str(names), "--no-progress", "-o", str(own_place / "out" / "out.jsonl")]


@pytest.fixture
def folder(own_place: Path) -> Path:
    (own_place / "out").mkdir()
    return own_place / "out"


@contextmanager
def running(words: list[str], **streams: int) -> Iterator[subprocess.Popen[str]]:
    """A run in a session of its own; it is gone when the block ends."""
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, **streams}
    with subprocess.Popen(
        command_line(*words), env=environment(), text=True, start_new_session=True, **pipes
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(happened: Callable[[], bool]) -> None:
    patience = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < patience
        time.sleep(0.01)


def size_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_stopped_leaves_no_part_of_a_file(
    words: list[str], folder: Path, number: signal.Signals
) -> None:
    with running(words) as process:
        wait_until(lambda: size_in(folder) > 0)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert said.startswith("arcface: interrupted; run it again")
    assert said.count("\n") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_continued_keeps_its_records(
    words: list[str], folder: Path, number: signal.Signals
) -> None:
    with running([*words, "--resume"]) as process:
        wait_until(lambda: size_in(folder) > 0)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "what was written stays" in said
    assert [path.name for path in folder.iterdir()] == ["out.jsonl"]
    assert (folder / "out.jsonl").read_bytes().endswith(b"}\n")


@pytest.fixture
def known(album: Path, weights: Path, arcface: Arcface) -> None:
    """A gallery with somebody in it."""
    assert arcface("enroll", album / "bob.jpg", "--name", "Bob").status == 0


@pytest.mark.parametrize(
    ("line", "records", "number"),
    [
        ("embed", "stdout", signal.SIGINT),
        ("embed -j 1", "stdout", signal.SIGTERM),
        ("identify", "stdout", signal.SIGHUP),
        ("identify --draw drawn", "stdout", signal.SIGINT),
        ("align -o crops", "stdout", signal.SIGINT),
        ("align -o crops --resume", "crops/manifest.jsonl", signal.SIGTERM),
        ("embed -o out.jsonl --resume", "out.jsonl", signal.SIGINT),
    ],
)
@pytest.mark.usefixtures("known")
def test_a_photograph_that_is_done_is_told_though_the_next_name_is_long_in_coming(
    album: Path, own_place: Path, line: str, records: str, number: signal.Signals
) -> None:
    told, names = own_place / records, ["ada.jpg", "bob.jpg"]
    words = [*line.split(), "--files-from", "-", "--no-progress"]
    with (
        (own_place / "stdout").open("wb") as out,
        running(words, stdin=subprocess.PIPE, stdout=out.fileno()) as process,
    ):
        assert process.stdin is not None
        for count, name in enumerate(names, start=1):
            process.stdin.write(f"{album / name}\n")
            process.stdin.flush()
            wait_until(lambda count=count: told.exists() and told.read_text().count("\n") == count)
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    assert [Path(json.loads(record)["input"]).name for record in told.read_text().splitlines()] == names


@pytest.mark.parametrize(
    "line", ["embed -", "identify -", "verify - {bob}", "enroll - --name Ada", "embed {bob} -"]
)
@pytest.mark.usefixtures("known")
def test_a_run_that_waits_for_a_photograph_on_standard_input_is_stopped(album: Path, line: str) -> None:
    words = [word.format(bob=album / "bob.jpg") for word in line.split()]
    with running([*words, "--no-progress"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write("half a photograph")
        process.stdin.flush()
        wait_until(lambda: threads(process) > 2)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143


@pytest.mark.usefixtures("known")
def test_whoever_asks_only_whether_is_told_at_the_first_match(album: Path) -> None:
    with running(["identify", "-e", "-q", "--files-from", "-"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"{album / 'ada.jpg'}\n{album / 'bob.jpg'}\n")
        process.stdin.flush()
        assert process.wait(20) == 0


def threads(process: subprocess.Popen[str]) -> int:
    return len(list(Path(f"/proc/{process.pid}/task").iterdir()))


def test_a_person_is_enrolled_though_the_next_row_is_long_in_coming(album: Path, own_place: Path) -> None:
    told = own_place / "stdout"
    os.mkfifo("rows.csv")
    with (
        told.open("wb") as out,
        running(["enroll", "--manifest", "rows.csv", "--no-progress"], stdout=out.fileno()) as process,
        Path("rows.csv").open("w") as rows,
    ):
        for count, name in enumerate(["ada", "bob"], start=1):
            rows.write(("file,person\n" if count == 1 else "") + f"{album / name}.jpg,{name}\n")
            rows.flush()
            wait_until(lambda count=count: told.read_text().count("\n") == count)
        rows.close()
        assert process.wait(30) == 0


SIGNALLED_WHILE_LOADING = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000): pass
except BaseException as error:
    raise ImportError("half loaded") from error
"""


def test_a_library_that_makes_an_error_of_its_own_of_a_signal_is_not_blamed(
    album: Path, own_place: Path
) -> None:
    (own_place / "fakes").mkdir()
    (own_place / "fakes" / "onnxruntime.py").write_text(SIGNALLED_WHILE_LOADING)
    answer = subprocess.run(
        command_line("embed", album / "bob.jpg"),
        env=environment(PYTHONPATH=f"{own_place / 'fakes'}{os.pathsep}{SOURCES}"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 130
    assert answer.stderr.startswith("arcface: interrupted; run it again")
    assert answer.stderr.count("\n") == 1


def test_a_signal_that_comes_twice_at_once_is_one_signal(words: list[str], folder: Path) -> None:
    with running(words) as process:
        wait_until(lambda: size_in(folder) > 0)
        for _ in range(20):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert list(folder.iterdir()) == []


SWALLOWS = """
import os, signal, sys, time
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)
except KeyboardInterrupt:
    pass
sys.path.remove(os.path.dirname(__file__))
del sys.modules[__name__]
import simplejpeg
"""
"""A library that is loading when the signal comes, and takes the exception for its own affair."""


def test_a_signal_that_a_loading_library_swallowed_stops_the_run_all_the_same(
    words: list[str], folder: Path, own_place: Path
) -> None:
    (own_place / "fakes").mkdir()
    (own_place / "fakes" / "simplejpeg.py").write_text(SWALLOWS)
    answer = subprocess.run(
        command_line(*words, "--resume"),
        env=environment(PYTHONPATH=f"{own_place / 'fakes'}{os.pathsep}{SOURCES}"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 143
    assert answer.stderr.startswith("arcface: interrupted; what was written stays")
    assert (folder / "out.jsonl").read_text().count("\n") == 1


def test_a_signal_that_comes_while_the_program_loads_is_told_in_one_line(own_place: Path) -> None:
    (own_place / "fakes").mkdir()
    (own_place / "fakes" / "typer.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    answer = subprocess.run(
        command_line("verify", "a.jpg", "b.jpg"),
        env=environment(PYTHONPATH=f"{own_place / 'fakes'}{os.pathsep}{SOURCES}"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (130, "arcface: interrupted; run it again\n")


def test_a_run_outlives_its_terminal_with_nohup(words: list[str], folder: Path) -> None:
    line = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *command_line(*words)]
    with subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_until(lambda: size_in(folder) > 0)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143


def test_a_terminal_that_goes_away_ends_the_run_like_any_signal(words: list[str], folder: Path) -> None:
    ours, theirs = pty.openpty()
    with running(
        [word for word in words if word != "--no-progress"], stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        wait_until(lambda: size_in(folder) > 0)
        os.close(ours)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 129
    assert list(folder.iterdir()) == []
