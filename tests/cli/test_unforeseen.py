"""What nobody foresaw is one line, too: what the machine refused, or that it is a bug."""

from __future__ import annotations

import errno

import pytest

from arcface_cli.cli.app import _say_unforeseen


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (MemoryError(), 5, "out of memory; close other programs"),
        (MemoryError("r.onnx: cpu\nfull"), 5, "there is too little memory (r.onnx: cpu"),
        (OSError(errno.EIO, "Input/output error"), 7, "the operating system refused"),
        (ZeroDivisionError("by\nzero"), 70, "a bug of ours: ZeroDivisionError: by zero; nothing enrolled"),
    ],
)
def test_it_is_told_in_one_line_with_a_status(
    error: Exception, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _say_unforeseen(error, []) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"arcface: {said}")
    assert err.count("\n") == 1


def test_a_bug_shows_its_trace_to_whoever_asks(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as error:
        assert _say_unforeseen(error, ["-vv"]) == 70
    assert "Traceback" in capsys.readouterr().err
