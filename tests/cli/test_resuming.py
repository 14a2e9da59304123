"""--resume with real networks: a run goes on with its own settings alone, and alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Arcface, arcface_process

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]

FORMATS = ("jsonl", "csv", "tsv")
OTHER_SETTINGS = (
    ("-t", "0.6"), ("--margin", "0.2"), ("-k", "2"), ("--faces", "largest"), ("--min-face", "40"),
    ("--max-yaw", "60"), ("--det-score", "0.7"), ("--fusion", "mean"), ("--draw", "drawn"),
)  # fmt: skip


@pytest.fixture
def photos(arcface: Arcface, album: Path) -> list[Path]:
    """Two photographs to identify in a gallery of one person."""
    assert arcface("enroll", "-q", "--name", "Ada", album / "ada.jpg").status == 0
    return [album / "ada2.jpg", album / "bob.jpg"]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("left", [0, 1])
def test_a_run_with_other_settings_is_refused_and_changes_nothing(
    arcface: Arcface, photos: list[Path], form: str, left: int
) -> None:
    out = Path(f"out.{form}")
    done = [*photos, *photos][: 4 - left]
    assert arcface("identify", *done, "-o", out, "--resume").status == 0
    before = out.read_bytes()
    for other in OTHER_SETTINGS:
        answer = arcface("identify", *photos, *photos, "-o", out, "--resume", *other)
        assert (answer.status, len(answer.said)) == (2, 1), other
        assert "other settings" in answer.err
        assert out.read_bytes() == before


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_with_the_same_settings_goes_on_however_they_are_said(
    arcface: Arcface, photos: list[Path], form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = Path(f"out.{form}"), Path(f"whole.{form}")
    arcface("identify", *photos, "-m", "compact", "-o", out, "--resume")
    monkeypatch.setenv("ARCFACE_MODEL", "compact")
    answer = arcface("identify", *photos, *photos, "-j", "1", "--batch", "4", "-o", out, "--resume")
    assert answer.status == 0
    assert "by an earlier run" in answer.said[-1]
    arcface("identify", *photos, *photos, "-o", whole)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("form", FORMATS)
def test_features_of_another_kind_are_not_added(arcface: Arcface, album: Path, form: str) -> None:
    out = Path(f"out.{form}")
    photos = (album / "ada.jpg", album / "bob.jpg")
    assert arcface("embed", *photos, "-o", out, "--resume").status == 0
    for other in (("--flip",), ("-m", "mobilefacenet_192"), ("--precision", "fp16"), ("--tensorrt",)):
        answer = arcface("embed", *photos, album / "ada2.jpg", "-o", out, "--resume", *other)
        assert (answer.status, len(answer.said)) == (2, 1), other


def test_crops_made_with_other_limits_are_not_added(arcface: Arcface, album: Path) -> None:
    photos = (album / "ada.jpg", album / "bob.jpg")
    assert arcface("align", *photos, "-o", "crops", "--resume").status == 0
    assert arcface("align", *photos, "-o", "crops", "--resume").status == 0
    assert arcface("align", *photos, "-o", "crops", "--resume", "--min-face", "50").status == 2


@pytest.fixture
def output_in_use(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "out.csv"
    with path.open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield path


@pytest.mark.parametrize("flag", [["--resume"], []])
def test_a_second_run_on_one_output_ends_at_once_with_7(
    album: Path, output_in_use: Path, flag: list[str]
) -> None:
    ran = arcface_process("embed", album / "ada.jpg", "-o", output_in_use, *flag)
    assert (ran.returncode, ran.stdout) == (7, "")
    assert ran.stderr.splitlines() == [
        f"arcface: {output_in_use} is being written by another arcface; let that end, or name another -o"
    ]
    assert output_in_use.read_bytes() == b""


@pytest.mark.parametrize("form", FORMATS)
def test_pairs_go_on_behind_those_that_are_written(arcface: Arcface, album: Path, form: str) -> None:
    table, out, whole = album / "pairs.csv", Path(f"out.{form}"), Path(f"whole.{form}")
    rows = ["ada.jpg,ada2.jpg", "ada.jpg,missing.jpg", "ada.jpg,", "bob.jpg,bob.jpg", "bob.jpg,coffee.png"]
    table.write_text("\n".join(["file_a,file_b", *rows, ""]))
    assert arcface("verify", "--pairs", table, "-o", whole).status == 3
    content = whole.read_bytes()
    for kept in (0, 7, len(content) // 3, len(content) // 2, len(content) - 1, len(content)):
        out.write_bytes(content[:kept])
        assert arcface("verify", "--pairs", table, "-o", out, "--resume").status == 3
        assert out.read_bytes() == content
    for other in (("-t", "0.6"), ("--faces", "one"), ("--max-yaw", "60")):
        assert arcface("verify", "--pairs", table, "-o", out, "--resume", *other).status == 2
    table.write_text("\n".join(["file_a,file_b", rows[3], rows[0], ""]))
    refused = arcface("verify", "--pairs", table, "-o", out, "--resume")
    assert refused.status == 2
    assert "goes on with" in refused.err
    assert out.read_bytes() == content


def test_one_pair_is_nothing_to_go_on_with(arcface: Arcface, album: Path) -> None:
    answer = arcface("verify", album / "ada.jpg", album / "bob.jpg", "-o", "out.jsonl", "--resume")
    assert (answer.status, len(answer.said)) == (2, 1)
    assert not Path("out.jsonl").exists()


def test_the_status_of_pairs_counts_what_an_earlier_run_answered(arcface: Arcface, album: Path) -> None:
    table = album / "pairs.csv"
    table.write_text("file_a,file_b\nada.jpg,ada2.jpg\nbob.jpg,bob.jpg\n")
    line = ("verify", "--pairs", table, "-o", "out.jsonl", "--resume")
    assert [arcface(*line).status for _ in range(2)] == [0, 0]
    table.write_text("file_a,file_b\nada.jpg,ada2.jpg\nbob.jpg,bob.jpg\nada.jpg,bob.jpg\n")
    assert [arcface(*line).status for _ in range(2)] == [1, 1]
