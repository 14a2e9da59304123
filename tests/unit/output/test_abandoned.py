"""A run that is interrupted or fails says its one line: nothing that it held back speaks up afterwards."""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from sample_records import embedded

from arcface_cli.errors import OutputError
from arcface_cli.output.columns import IN_MEMORY, Spool
from arcface_cli.output.files import whole_file
from arcface_cli.output.records import Record
from arcface_cli.output.sinks import make_sink
from arcface_cli.settings import Format

pytest.importorskip("pyarrow")

DIMENSION, PHOTOGRAPHS = 512, 600
"""More than a megabyte of features, and more than one row group of Parquet: each has two faces."""


@pytest.fixture
def afterwards(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the interpreter would print of errors that nobody can catch."""
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda said: told.append(said.exc_value))
    return told


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def record() -> Record:
    told = embedded()
    return {**told, "faces": [{**face, "feature": np.ones(DIMENSION, np.float32)} for face in told["faces"]]}


def write(path: Path, form: Format, ending: type[BaseException] | None) -> None:
    told = record()
    if form in ("json", "jsonl", "csv", "tsv"):
        for face in told["faces"]:
            face["feature"] = face["feature"].tolist()
    with whole_file(path) as stream:
        sink = make_sink(form, stream, "embed", dimension=DIMENSION, width=90, color=False, output=path)
        for _ in range(PHOTOGRAPHS):
            sink.write(told)
        if ending is not None:
            raise ending
        sink.close()


@pytest.mark.parametrize("form", get_args(Format))
def test_an_interrupted_run_leaves_nothing_and_says_nothing_more(
    tmp_path: Path, afterwards: list[object], form: Format
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / f"x.{form}", form, KeyboardInterrupt)
    gc.collect()
    assert afterwards == []
    assert list(tmp_path.iterdir()) == []


BEYOND_MEMORY = IN_MEMORY + 50_000
"""The disk is full when features are written that no longer fit into memory."""


@pytest.mark.parametrize(
    ("form", "size"),
    [(form, 1 << 10) for form in get_args(Format)] + [("npz", BEYOND_MEMORY), ("npy", BEYOND_MEMORY)],
)
def test_a_run_that_fills_the_disk_leaves_nothing_and_says_nothing_more(
    tmp_path: Path, afterwards: list[object], form: Format, size: int
) -> None:
    with full_disk(size), pytest.raises(OutputError, match="can't be written"):
        write(tmp_path / f"x.{form}", form, None)
    gc.collect()
    assert afterwards == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY - 1, IN_MEMORY, 2 * IN_MEMORY + 5])
def test_what_was_spooled_is_read_from_the_first_byte_to_the_last(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    spool = Spool(tmp_path)
    for start in range(0, size, 100_000):
        spool.write(data[start : start + 100_000])
    assert spool.read().read() == data
    spool.close()
    assert list(tmp_path.iterdir()) == []
