"""Processes killed, competing, or out of disk: what was reported stays, and nothing is torn."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import arcface_cli
from arcface_cli.gallery.entries import Added
from arcface_cli.gallery.store import Gallery
from gallery_samples import FINGERPRINT, entry

HERE = Path(__file__).resolve().parent
BATCH = 7
ROUNDS = 20


def start(*arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE.parent), str(Path(arcface_cli.__file__).parents[1])])
    return subprocess.Popen(
        [sys.executable, str(HERE / "enrolling.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
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


def test_two_writers_and_a_reader_disturb_nobody(tmp_path: Path) -> None:
    directory = tmp_path / "g"
    writers = [start(str(directory), name, "150") for name in ("left", "right")]
    seen: list[int] = [0]
    while any(writer.poll() is None for writer in writers):
        if (directory / "gallery.sqlite3").exists():
            seen.append(len(enrolled_now(directory)))
            assert seen[-1] >= seen[-2]  # what was once visible stays
    assert len(set(seen)) > 3, "the reader came too late to see anything change"
    for writer in writers:
        output, errors = writer.communicate()
        assert writer.returncode == 0, errors
        assert len(committed(output)) == 150
    assert len(enrolled(directory)) == 300


def enrolled_now(directory: Path) -> set[str]:
    """Subjects of one moment, each with a whole batch."""
    with Gallery.open(directory) as gallery:
        snapshot = gallery.snapshot()
    assert len(snapshot) == BATCH * len(snapshot.subjects)
    assert snapshot.generation == len(snapshot.subjects)
    return set(snapshot.subjects)


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
    assert not (tmp_path / "g" / "gallery.sqlite3").exists()
