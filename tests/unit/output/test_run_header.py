"""What a record says of its run."""

from __future__ import annotations

from arcface_cli.output.records import Run

HEADER = {"version": "0.1.0", "device": "cuda:0,1", "precision": "fp16", "detector": "yunet"}


def test_tensorrt_is_told_by_its_version_where_it_ran_and_not_at_all_elsewhere() -> None:
    run = Run("embed", "0.1.0", "r100", "yunet", "cuda:0,1", "fp16")
    assert run.header() == HEADER
    by_tensorrt = Run("embed", "0.1.0", "r100", "yunet", "cuda:0,1", "fp16", tensorrt="10.14.1")
    assert by_tensorrt.header() == {**HEADER, "tensorrt": "10.14.1"}
