"""Processes killed, competing, or out of disk: what was reported stays, and nothing is torn."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import arcface_cli
from arcface_cli.gallery.check import folder_findings
from arcface_cli.gallery.entries import Added
from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import FINGERPRINT, entry

HERE = Path(__file__).resolve().parent
BATCH = 7
ROUNDS = int(os.environ.get("ARCFACE_CRASH_ROUNDS", "20"))
FAILURES = int(os.environ.get("ARCFACE_CRASH_FAILURES", "9"))
SECONDS = float(os.environ.get("ARCFACE_CRASH_SECONDS", "6"))
"""`make crash` asks for more than the sample that every run of the tests takes."""


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE.parent), str(Path(arcface_cli.__file__).parents[1])])
    return subprocess.Popen(
        [sys.executable, str(HERE / "enrolling.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path, "ARCFACE_CRASH_CACHE": "1"} | variables,
    )


def committed(output: str) -> set[str]:
    return {line.split()[1] for line in output.splitlines() if line.startswith("committed ")}


def enrolled(directory: Path) -> dict[str, int]:
    """Templates a subject, after checking that every batch is there as a whole."""
    with Gallery.open(directory) as gallery:
        counts = {subject.name: subject.templates for subject in gallery.subjects()}
        stats = gallery.stats()
        assert len(gallery.snapshot()) == stats.templates == sum(counts.values())
        assert stats.generation == len(counts)
        assert [*gallery.findings(), *folder_findings(directory, FILE_NAME)] == []
        assert len(gallery.snapshot(cached_from=0)) == stats.templates
    assert set(counts.values()) <= {BATCH}
    return counts


def test_batches_reported_before_a_kill_are_there_and_no_other_is_torn(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    directory = tmp_path / "g"
    reported: set[str] = set()
    for round_number in range(ROUNDS):
        process = start(str(directory), f"r{round_number}", "endless")
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        output, errors = process.communicate()
        assert process.returncode == -9, errors
        reported |= committed(first + output)
        counts = enrolled(directory)
        assert reported <= set(counts)
        assert len(counts) <= len(reported) + round_number + 1  # one a round was stored but not yet reported
    assert len(reported) > ROUNDS
    with Gallery.open(directory, writable=True) as gallery:
        assert isinstance(gallery.add([entry("afterwards", "p")])[0], Added)


def test_a_kill_while_a_gallery_is_made_leaves_a_whole_one_or_none(tmp_path: Path) -> None:
    chance = random.Random(7)
    for round_number in range(8):
        directory = tmp_path / f"g{round_number}"
        process = start(str(directory), "w", "1")
        deadline = time.monotonic() + 20
        while not directory.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.0005)
        time.sleep(chance.uniform(0.0, 0.03))
        process.kill()
        process.communicate()
        with Gallery.open_or_create(directory, FINGERPRINT) as gallery:
            assert gallery.stats().templates in (0, BATCH)
            assert isinstance(gallery.add([entry("afterwards", "p")])[0], Added)


def test_two_writers_and_four_readers_disturb_nobody(tmp_path: Path) -> None:
    directory = tmp_path / "g"
    Gallery.create(directory, FINGERPRINT).close()
    writers = [start(str(directory), name, "endless") for name in ("left", "right")]
    deadline = time.monotonic() + SECONDS
    with ThreadPoolExecutor(4) as pool:
        readers = [
            pool.submit(read_until, directory, deadline, cached=number % 2 == 0) for number in range(4)
        ]
        seen = [reader.result() for reader in readers]  # an error of a reader is ours
    for writer in writers:
        writer.terminate()
    told: set[str] = set()
    for writer in writers:
        output, errors = writer.communicate()
        assert errors == ""
        told |= committed(output)
        assert len(committed(output)) > 3, "a writer never got its turn"
    assert min(seen) > 3, "a reader came too late to see anything change"
    counts = enrolled(directory)  # a batch, and no more, of every subject: nothing lost, nothing doubled
    assert told <= set(counts)
    assert len(counts) <= len(told) + 2  # one a writer may be stored and not yet told


def read_until(directory: Path, deadline: float, *, cached: bool) -> int:
    """How many states were seen, each whole, and none older than the one before."""
    states = 0
    newest: set[str] = set()
    while time.monotonic() < deadline:
        with Gallery.open(directory) as gallery:
            snapshot = gallery.snapshot(cached_from=0 if cached else sys.maxsize)
        assert len(snapshot) == BATCH * len(snapshot.subjects)
        assert snapshot.generation == len(snapshot.subjects)
        found = set(snapshot.subjects)
        assert newest <= found
        states += found != newest
        newest = found
    return states


def test_calls_that_fail_cost_the_batch_under_way_and_nothing_else(tmp_path: Path, shim: Path) -> None:
    chance = random.Random(11)
    said: set[str] = set()
    for number in range(FAILURES):
        directory = tmp_path / f"g{number // 3}"  # the next ones go on with what the failed ones left
        call = ("write", "fsync", "rename")[number % 3]
        failing = {
            "LD_PRELOAD": str(shim),
            "FAIL_CALL": call,
            "FAIL_AT": str(chance.randrange(1, 60 if call == "write" else 25)),
            "FAIL_IN": str(directory),
        }
        if chance.random() < 0.5:
            failing["FAIL_ON"] = "1"
        before = set(enrolled(directory)) if (directory / FILE_NAME).exists() else set()
        process = start(str(directory), f"r{number}", "12", **failing)
        output, errors = process.communicate(timeout=60)
        assert process.returncode in (0, 7), (failing, errors)
        assert "Traceback" not in errors, errors
        assert errors.count("\n") == (process.returncode == 7)
        said |= {call} if process.returncode == 7 else set()
        if (directory / FILE_NAME).exists():
            counts = set(enrolled(directory))
            assert before | committed(output) <= counts
            assert len(counts) <= len(before | committed(output)) + 1
        else:
            assert not committed(output)
    assert said, "no failure was ever seen: the calls were not reached"
    with Gallery.open_or_create(tmp_path / "g0", FINGERPRINT) as gallery:
        assert isinstance(gallery.add([entry("afterwards", "p")])[0], Added)


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes calls fail."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler, to make the operating system's calls fail")
    library = tmp_path_factory.mktemp("shim") / "failing_calls.so"
    source = HERE / "failing_calls.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


@pytest.mark.parametrize("limit", [120_000, 250_000, 600_000])
def test_a_disk_that_fills_up_costs_the_last_batch_alone(tmp_path: Path, limit: int) -> None:
    directory = tmp_path / "g"
    Gallery.create(directory, FINGERPRINT).close()
    process = start(str(directory), "w", "endless", str(limit))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 7, errors
    assert errors.count("\n") == 1
    assert "gallery.sqlite3" in errors
    assert set(enrolled(directory)) == committed(output)
    with Gallery.open(directory, writable=True) as gallery:
        assert isinstance(gallery.add([entry("afterwards", "p")])[0], Added)


def test_no_room_even_for_an_empty_gallery_is_one_line(tmp_path: Path) -> None:
    process = start(str(tmp_path / "g"), "w", "1", "4096")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 7, errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "g").exists()
