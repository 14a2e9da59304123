"""Rewritten graphs on disk: made once, never believed when damaged, and no burden to the next version."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcface_cli.runtime.rewritten import DIGEST_BYTES, REWRITE_VERSION, kept_or_made

KEY = "ab12-10-rgb,127.5,127.5-fp16"


def never() -> bytes:
    raise AssertionError("it was kept, and was made again")


def test_a_graph_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "rewritten"
    assert kept_or_made(folder, KEY, lambda: b"graph") == b"graph"
    assert kept_or_made(folder, KEY, never) == b"graph"
    assert [path.name for path in folder.iterdir()] == [f"{KEY}-{REWRITE_VERSION}"]


@pytest.mark.parametrize("harm", [b"", b"short", b"\0" * DIGEST_BYTES + b"graph"])
def test_a_damaged_one_is_made_anew(tmp_path: Path, harm: bytes) -> None:
    kept_or_made(tmp_path, KEY, lambda: b"graph")
    (tmp_path / f"{KEY}-{REWRITE_VERSION}").write_bytes(harm)
    assert kept_or_made(tmp_path, KEY, lambda: b"anew") == b"anew"
    assert kept_or_made(tmp_path, KEY, never) == b"anew"


def test_a_folder_that_can_not_be_written_costs_time_only(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert kept_or_made(blocked, KEY, lambda: b"graph") == b"graph"
    assert kept_or_made(None, KEY, lambda: b"graph") == b"graph"


def test_what_another_version_left_goes_and_nothing_else(tmp_path: Path) -> None:
    others = [f"{KEY}-part", f"{KEY}-1.77.part", "ab12-10-fp16-1", f"{KEY[:-4]}fp32-1", "notes.txt"]
    for name in (f"{KEY}-1", f"{KEY}-{REWRITE_VERSION + 1}", *others):
        (tmp_path / name).write_bytes(b"old")
    kept_or_made(tmp_path, KEY, lambda: b"graph")
    assert {path.name for path in tmp_path.iterdir()} == {f"{KEY}-{REWRITE_VERSION}", *others}
