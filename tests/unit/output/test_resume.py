"""An output that was cut off anywhere is continued to the very bytes of an undisturbed run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcface_cli.cli.resuming import Continuation, resumable
from arcface_cli.cli.tally import Tally
from arcface_cli.errors import OutputError, UsageError
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.files import whole_file
from arcface_cli.output.records import Record
from arcface_cli.output.resume import ResumableFormat, earlier_records, locked_output
from arcface_cli.output.sinks import make_sink

NAMES = ["a.jpg", "b, c.jpg", 'd "e".jpg', "a.jpg", "a.jpg", "müller.jpg", "g.jpg"]
FACES = [2, 0, 1, 1, 3, 0, 2]


SETTINGS = "0123456789ab"


def record(name: str, faces: int) -> Record:
    run = {"device": "cpu", "settings": SETTINGS}
    head = {"schema": 1, "command": "identify", "input": name, "model": "m", "run": run}
    if not faces:
        error = {"code": "no_face", "message": f"{name}: no face was found", "hint": None}
        return {**head, "status": "skipped", "error": error}
    face = {"box": [1.0, 2.0, 3.0, 4.0], "detection_score": 0.9, "decision": "match", "subject": "Ann"}
    return {**head, "status": "done", "faces": [face] * faces}


RECORDS = [record(name, faces) for name, faces in zip(NAMES, FACES, strict=True)]


def write(path: Path, format_: ResumableFormat, records: list[Record]) -> None:
    with path.open("wb") as stream:
        write_to(stream, format_, records)


def write_to(stream: BinaryIO, format_: ResumableFormat, records: list[Record]) -> None:
    sink = make_sink(format_, stream, "identify", dimension=None, width=None, color=False)
    for each in records:
        sink.write(each)
    sink.close()


def photos() -> Iterator[Photo]:
    return (Photo(Path(name)) for name in NAMES)


def going_on(
    path: Path, format_: ResumableFormat, settings: str = SETTINGS, command: str = "identify"
) -> Continuation:
    return Continuation(path, format_, command, None, settings)


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
    with going_on(cut, format_).open(left, tally) as stream:
        rest = list(left)
        assert tally.earlier + len(rest) == len(NAMES)
        write_to(stream, format_, RECORDS[tally.earlier :])

    assert cut.read_bytes() == content


@pytest.mark.parametrize("behind", [0, 1, 40])
def test_zero_bytes_that_a_power_cut_left_behind_the_last_record_are_cut_off(
    tmp_path: Path, format_: ResumableFormat, behind: int
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    write(whole, format_, RECORDS)
    content = whole.read_bytes()
    lines = content.splitlines(keepends=True)
    cut.write_bytes(b"".join(lines[:-1]) + lines[-1][:behind] + bytes(4096))
    left = photos()
    tally = Tally()
    with going_on(cut, format_).open(left, tally) as stream:
        write_to(stream, format_, RECORDS[tally.earlier :])
    assert cut.read_bytes() == content


def test_earlier_outcomes_count_towards_the_summary_and_the_status(
    tmp_path: Path, format_: ResumableFormat
) -> None:
    output = tmp_path / "out"
    write(output, format_, RECORDS)
    tally = Tally()
    with going_on(output, format_).open(photos(), tally):
        pass

    assert tally.skipped["no_face"] >= 1
    assert tally.matches >= 3
    assert tally.status() == 3
    assert "by an earlier run" in tally.summary("identify", 1.0)


def refusal(path: Path, going_on: Continuation, inputs: Iterator[Photo]) -> str:
    """What is said of an output that can't be continued; it must stay as it is, to the byte."""
    before = path.read_bytes()
    with pytest.raises(UsageError) as caught:
        going_on.open(inputs, Tally())
    assert path.read_bytes() == before
    assert caught.value.exit_status == 2
    return caught.value.message


def test_records_of_other_inputs_are_not_continued(tmp_path: Path, format_: ResumableFormat) -> None:
    output = tmp_path / "out"
    write(output, format_, RECORDS)
    said = refusal(output, going_on(output, format_), iter([Photo(Path("z.jpg"))]))
    assert "goes on with a.jpg, the inputs with z.jpg" in said
    assert "the inputs with nothing" in refusal(output, going_on(output, format_), iter([]))


@pytest.mark.parametrize("left", [0, 3])
def test_records_made_with_other_settings_are_not_continued_even_when_nothing_is_left(
    tmp_path: Path, format_: ResumableFormat, left: int
) -> None:
    output = tmp_path / "out"
    write(output, format_, RECORDS[: len(RECORDS) - left])
    with output.open("ab") as stream:
        stream.write(b"torn")
    said = refusal(output, going_on(output, format_, settings="ba9876543210"), photos())
    assert "made with other settings" in said


def test_one_record_of_another_run_amid_the_output_is_found(tmp_path: Path, format_: ResumableFormat) -> None:
    other = {**RECORDS[3], "run": {"device": "cpu", "settings": "ba9876543210"}}
    output = tmp_path / "out"
    write(output, format_, [*RECORDS[:3], other, *RECORDS[4:]])
    assert "made with other settings" in refusal(output, going_on(output, format_), photos())


def test_records_that_dont_say_what_they_were_made_with_are_not_continued(
    tmp_path: Path, format_: ResumableFormat
) -> None:
    output = tmp_path / "out"
    write(output, format_, [{**each, "run": {"device": "cpu"}} for each in RECORDS])
    assert "made with other settings" in refusal(output, going_on(output, format_), photos())


def test_another_commands_output_is_not_continued(tmp_path: Path, format_: ResumableFormat) -> None:
    output = tmp_path / "out"
    write(output, format_, RECORDS)
    assert "not written by" in refusal(output, going_on(output, format_, command="align"), photos())


@pytest.mark.parametrize(
    "content", [b"hello", b"hello\n", bytes(100), b"[1, 2]\n", b'{"input": 3}\n', b"a,b\n1,2\n"]
)
def test_a_file_that_no_arcface_wrote_is_refused(
    tmp_path: Path, format_: ResumableFormat, content: bytes
) -> None:
    output = tmp_path / "out"
    output.write_bytes(content)
    assert "no output of arcface" in refusal(output, going_on(output, format_), photos())


@pytest.mark.parametrize(
    ("format_", "content", "told"),
    [
        ("jsonl", b'{"run": {}}\n', "line 1 has no 'command', as records have"),
        ("jsonl", b"[]\n", "line 1 is no record"),
        ("csv", b"a,b\n", "line 1 is not the header of such a table"),
        ("csv", b"input,status,code\na.jpg,done,\nb.jpg\n", "line 3 has 1 cells, the header has 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(
    tmp_path: Path, format_: ResumableFormat, content: bytes, told: str
) -> None:
    output = tmp_path / "out"
    output.write_bytes(content)
    with output.open("rb") as stream, pytest.raises(UsageError, match=told):
        list(earlier_records(stream, output, format_))


def test_an_output_that_is_not_there_is_begun(tmp_path: Path, format_: ResumableFormat) -> None:
    output, whole = tmp_path / "out", tmp_path / "whole"
    with going_on(output, format_).open(photos(), Tally()) as stream:
        assert list(earlier_records(stream, output, format_)) == []
        write_to(stream, format_, RECORDS)
    write(whole, format_, RECORDS)
    assert output.read_bytes() == whole.read_bytes()


def test_an_output_is_continued_by_one_run_at_a_time(tmp_path: Path, format_: ResumableFormat) -> None:
    output = tmp_path / "out"
    write(output, format_, RECORDS[:2])
    with going_on(output, format_).open(photos(), Tally()) as stream:
        with pytest.raises(OutputError, match="being written by another arcface") as caught:
            going_on(output, format_).open(photos(), Tally())
        with pytest.raises(OutputError, match="being written by another arcface"), whole_file(output):
            pytest.fail("it would be taken from under the run that continues it")
        stream.write(b"")
    assert caught.value.exit_status == 7
    going_on(output, format_).open(photos(), Tally())


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    output = tmp_path / "out"
    child = os.fork()
    if not child:
        locked_output(output)
        os._exit(0)
    os.waitpid(child, 0)
    locked_output(output).close()


def test_what_is_no_file_is_not_continued(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(UsageError, match="no file that could be continued"):
            locked_output(path)


def test_an_output_that_cant_be_made_is_7(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="can't be written"):
        locked_output(tmp_path / "missing" / "out")


@pytest.mark.parametrize("name", ["json", "npz", "table"])
def test_only_outputs_of_lines_can_be_continued(name: str) -> None:
    with pytest.raises(UsageError, match="--resume can't continue"):
        resumable(name)  # type: ignore[arg-type]
