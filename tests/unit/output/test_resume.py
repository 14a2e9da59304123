"""An output that was cut off anywhere is continued to the very bytes of an undisturbed run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcface_cli.cli.resuming import refuse_other_command, resumable, skip_done
from arcface_cli.cli.tally import Tally
from arcface_cli.errors import UsageError
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.files import continued_file
from arcface_cli.output.records import Record
from arcface_cli.output.resume import ResumableFormat, earlier_conditions, earlier_records
from arcface_cli.output.sinks import make_sink

NAMES = ["a.jpg", "b, c.jpg", 'd "e".jpg', "a.jpg", "a.jpg", "müller.jpg", "g.jpg"]
FACES = [2, 0, 1, 1, 3, 0, 2]


def record(name: str, faces: int) -> Record:
    head = {"schema": 1, "command": "identify", "input": name, "model": "m", "run": {"device": "cpu"}}
    if not faces:
        error = {"code": "no_face", "message": f"{name}: no face was found", "hint": None}
        return {**head, "status": "skipped", "error": error}
    face = {"box": [1.0, 2.0, 3.0, 4.0], "detection_score": 0.9, "decision": "match", "subject": "Ann"}
    return {**head, "status": "done", "faces": [face] * faces}


RECORDS = [record(name, faces) for name, faces in zip(NAMES, FACES, strict=True)]


def write(path: Path, format_: ResumableFormat, records: list[Record], keep: int = 0) -> None:
    with continued_file(path, keep) as stream:
        sink = make_sink(format_, stream, "identify", dimension=None, width=None, color=False)
        for each in records:
            sink.write(each)
        sink.close()


def photos() -> Iterator[Photo]:
    return (Photo(Path(name)) for name in NAMES)


@pytest.fixture(params=["jsonl", "csv", "tsv"])
def format_(request: pytest.FixtureRequest) -> ResumableFormat:
    name: ResumableFormat = request.param
    return name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_an_output_cut_at_any_byte_is_continued_to_the_same_bytes(
    tmp_path: Path, format_: ResumableFormat, data: st.DataObject
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.unlink(missing_ok=True)
    write(whole, format_, RECORDS)
    content = whole.read_bytes()
    cut.write_bytes(content[: data.draw(st.integers(0, len(content)))])

    left = photos()
    tally = Tally()
    keep = skip_done(left, cut, format_, tally)
    rest = list(left)
    assert tally.earlier + len(rest) == len(NAMES)
    write(cut, format_, RECORDS[tally.earlier :], keep)

    assert cut.read_bytes() == content


def test_earlier_outcomes_count_towards_the_summary_and_the_status(
    tmp_path: Path, format_: ResumableFormat
) -> None:
    output = tmp_path / "out"
    write(output, format_, RECORDS)
    tally = Tally()
    skip_done(photos(), output, format_, tally)

    assert tally.skipped["no_face"] >= 1
    assert tally.matches >= 3
    assert tally.status() == 3
    assert "by an earlier run" in tally.summary("identify", 1.0)


def test_records_of_other_inputs_are_not_continued(tmp_path: Path, format_: ResumableFormat) -> None:
    output = tmp_path / "out"
    write(output, format_, RECORDS)
    others = iter([Photo(Path("z.jpg"))])
    with pytest.raises(UsageError, match=r"goes on with a\.jpg, the inputs with z\.jpg"):
        skip_done(others, output, format_, Tally())


def test_records_of_another_command_are_not_mixed_in(tmp_path: Path, format_: ResumableFormat) -> None:
    output = tmp_path / "out"
    refuse_other_command(output, format_, "embed", 512)  # nothing there yet
    write(output, format_, RECORDS)
    refuse_other_command(output, format_, "identify", None)
    with pytest.raises(UsageError, match="was not written by arcface embed"):
        refuse_other_command(output, format_, "embed", 512)


@pytest.mark.parametrize("content", [b"hello\n", b"[1, 2]\n", b'{"input": 3}\n', b"a,b\n1,2\n"])
def test_a_file_that_no_arcface_wrote_is_refused(
    tmp_path: Path, format_: ResumableFormat, content: bytes
) -> None:
    output = tmp_path / "out"
    output.write_bytes(content)
    with pytest.raises(UsageError, match="no output of arcface"):
        list(earlier_records(output, format_))


def test_a_file_that_is_not_there_has_no_records(tmp_path: Path, format_: ResumableFormat) -> None:
    assert list(earlier_records(tmp_path / "out", format_)) == []


def test_the_conditions_of_a_run_are_those_of_its_first_record(tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert earlier_conditions(output) is None
    write(output, "jsonl", RECORDS)
    assert earlier_conditions(output) == {
        "command": "identify",
        "model": "m",
        "run": {"device": "cpu"},
        "threshold": None,
    }


@pytest.mark.parametrize("name", ["json", "npz", "table"])
def test_only_outputs_of_lines_can_be_continued(name: str) -> None:
    with pytest.raises(UsageError, match="--resume can't continue"):
        resumable(name)  # type: ignore[arg-type]
