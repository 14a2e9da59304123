"""Hostile files, endless streams, things that vanish, and full disks: one record each, never a hang."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import arcface_process, command_line, environment
from hostile_corpus import make_corpus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcface_cli.errors import MissingFile
from arcface_cli.faces import Failed
from arcface_cli.inputs.folders import photos
from arcface_cli.pipeline import Stages, process
from fakes import FakeDetector, picture_bytes

WHOLE = ("npz", "npy", "parquet", "jsonl", "csv")


def raw_name(record: dict[str, str]) -> bytes:
    """The bytes of the name that a record is about."""
    import base64

    encoded = record.get("input_b64")
    return os.fsencode(record["input"]) if encoded is None else base64.b64decode(encoded)


# --- a corpus of damage -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.usefixtures("weights")
def test_each_of_a_thousand_mutated_files_gives_one_record(tmp_path: Path) -> None:
    files = make_corpus(tmp_path / "corpus")
    assert len(files) >= 500
    start = time.monotonic()
    ran = subprocess.run(
        command_line("embed", "-r", tmp_path / "corpus", "-o", tmp_path / "x.jsonl"),
        env=environment(), capture_output=True, timeout=240, check=False,
    )  # fmt: skip
    assert ran.returncode == 3
    assert time.monotonic() - start < 120
    records = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert sorted(map(raw_name, records)) == sorted(map(os.fsencode, files))
    assert ran.stdout == b""
    assert all(line.startswith(b"arcface: ") for line in ran.stderr.splitlines())
    assert b"Traceback" not in ran.stderr
    assert b"a bug of ours" not in ran.stderr
    codes = {record["error"]["code"] for record in records if record["status"] != "done"}
    assert {"unreadable_image", "unsupported_format", "image_too_large", "empty_file"} <= codes
    assert codes <= {
        *("unreadable_image", "unsupported_format", "image_too_large", "image_too_small"),
        *("empty_file", "no_face", "degenerate_landmarks"),
    }


def test_the_corpus_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = make_corpus(tmp_path / "a"), make_corpus(tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    assert sum(a.read_bytes() != b.read_bytes() for a, b in zip(first, second, strict=True)) == 0


# --- streams without end ------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("source", ["yes", "cat /dev/zero", "cat /dev/urandom"])
def test_an_endless_stream_is_refused_within_bounds(source: str) -> None:
    with subprocess.Popen(["sh", "-c", f"exec {source}"], stdout=subprocess.PIPE) as endless:
        ran = arcface_process("embed", "-", stdin=endless.stdout)
        endless.kill()
    assert ran.returncode == 3
    (record,) = map(json.loads, ran.stdout.splitlines())
    assert record["error"]["code"] == "image_too_large"
    assert "standard input is larger than" in ran.stderr


@pytest.mark.real
@pytest.mark.usefixtures("weights")
def test_an_endless_list_of_names_is_refused() -> None:
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
        ran = arcface_process("embed", "--files-from", "-", stdin=endless.stdout)
        endless.kill()
    assert ran.returncode == 2
    assert "entry 1 of the list holds a NUL byte; add -0" in ran.stderr


# --- things that change while they are looked at ------------------------------------------------------


def test_a_photograph_that_vanishes_after_it_was_listed_is_missing(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture_bytes())
    listed = photos([tmp_path])
    first = next(listed)
    (tmp_path / "b.png").unlink()
    outcomes = dict(process(iter([first, *listed]), Stages(FakeDetector()), workers=1))
    assert [photo.display.rsplit("/", 1)[-1] for photo in outcomes] == ["a.png", "b.png"]
    last = list(outcomes.values())[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, MissingFile)


def test_a_folder_that_vanishes_during_the_walk_costs_one_record(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(picture_bytes())
    walked = photos([tmp_path], recursive=True)
    found = [next(walked)]
    shutil.rmtree(tmp_path / "b")
    found += walked
    assert [photo.failure is None for photo in found] == [True, False, True]
    assert found[1].display == str(tmp_path / "b")


@pytest.mark.real
@pytest.mark.usefixtures("weights")
def test_photographs_that_vanish_under_a_running_batch_have_their_records(
    tmp_path: Path, album: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    names = [f"{number:03}.jpg" for number in range(150)]
    for name in names:
        (folder / name).hardlink_to(album / "ada.jpg")
    with subprocess.Popen(
        command_line("embed", folder, "-j", "1"),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        first = json.loads(running.stdout.readline())
        for name in names[100:]:
            (folder / name).unlink()
        records = [first, *map(json.loads, running.stdout.read().splitlines())]
    assert [Path(record["input"]).name for record in records] == names
    assert [record["status"] for record in records[-10:]] == ["failed"] * 10
    assert records[-1]["error"]["code"] == "missing_file"
    assert running.returncode == 3


@pytest.mark.real
@pytest.mark.usefixtures("weights")
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.sets(
        st.binary(min_size=1, max_size=100).filter(
            lambda name: not set(b"/\0") & set(name) and name[:1] != b"."
        ),
        min_size=5,
        max_size=30,
    )
)
def test_files_of_any_name_are_each_told_of_once(tmp_path: Path, names: set[bytes]) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    for name in names:
        (folder / os.fsdecode(name + b".png")).write_bytes(picture_bytes(width=32, height=32))
    ran = arcface_process("embed", folder)
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {raw_name(record) for record in records} == {
        os.fsencode(folder) + b"/" + name + b".png" for name in names
    }
    assert len(records) == len(names)
    assert ran.returncode == 3


# --- outputs that can't be finished -------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "none", folder], capture_output=True, check=False
    ) if shutil.which("mount") else None  # fmt: skip
    if mounted is None or mounted.returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.real
@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("form", WHOLE)
def test_a_full_disk_ends_with_7_and_leaves_the_earlier_output(
    small_disk: Path, shared_data: Path, form: str
) -> None:
    output = small_disk / f"x.{form}"
    people = sorted((shared_data / "people").iterdir())[:5]
    assert arcface_process("embed", people[0] / "L001_0001.jpg", "-o", output).returncode == 0
    earlier = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    ran = arcface_process("embed", "-r", *people, "-o", output, "-q")
    assert ran.returncode == 7
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert "the disk is full" in line
    assert str(output) in line or "the output" in line
    assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == earlier


@pytest.mark.real
@pytest.mark.usefixtures("weights")
def test_a_gallery_on_a_full_disk_ends_with_7_and_stays_readable(small_disk: Path, album: Path) -> None:
    (small_disk / "filling").write_bytes(bytes(60 * 1024))
    ran = arcface_process("enroll", "--name", "Ada", album / "ada.jpg", "-g", small_disk / "g", "-q")
    assert ran.returncode == 7
    assert len(ran.stderr.splitlines()) == 1
    (small_disk / "filling").unlink()


@pytest.mark.real
@pytest.mark.usefixtures("weights")
def test_crops_on_a_full_disk_end_with_7(small_disk: Path, album: Path) -> None:
    ran = arcface_process(
        "align", *[album / "eight.jpg"] * 2, album / "ada.jpg", "-o", small_disk / "c", "-q"
    )
    assert ran.returncode == 7
    assert len(ran.stderr.splitlines()) == 1
    assert "the disk is full" in ran.stderr


@pytest.mark.real
@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("form", ["jsonl", "csv", "json", "npz", "parquet"])
def test_a_pipe_that_is_closed_early_ends_quietly(album: Path, form: str) -> None:
    call = " ".join(
        [f"{sys.executable} -m arcface_cli embed -q -f {form}", *["ada.jpg"] * 20, "| head -c 10"]
    )
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {call}"],
        env=environment(), cwd=album, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr, len(ran.stdout)) == (0, b"", 10)


def test_spooled_features_leave_no_file_behind(tmp_path: Path) -> None:
    from arcface_cli.output.columns import IN_MEMORY, NumberColumn

    column = NumberColumn("<f4", (512,), tmp_path)
    for _ in range(IN_MEMORY // 2048 + 10):
        column.append(np.ones(512))
    assert list(tmp_path.iterdir()) == []
    column.close()
