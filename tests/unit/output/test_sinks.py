"""Each format, to the letter."""

from __future__ import annotations

import csv
import io
import json
from typing import get_args

import numpy as np
import pytest
from sample_records import (
    ODD,
    A,
    aligned,
    embedded,
    enrolled,
    every_record,
    identified,
    run,
    verified,
    with_arrays,
)

from arcface_cli.errors import MissingFile, UsageError
from arcface_cli.faces import Failed
from arcface_cli.output import records
from arcface_cli.output.records import Record
from arcface_cli.output.sinks import make_sink
from arcface_cli.output.table import TABLE_ROWS
from arcface_cli.settings import Format

COMMANDS = ("align", "embed", "enroll", "identify", "verify")


def written(
    form: Format, command: str, *told: Record, dimension: int | None = None, color: bool = False
) -> bytes:
    stream = io.BytesIO()
    sink = make_sink(form, stream, command, dimension=dimension, width=90, color=color)
    for record in told:
        sink.write(with_arrays(record) if sink.features == "array" else record)
    sink.close()
    assert not stream.closed
    return stream.getvalue()


def read_back(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table.decode(), newline="")))


def test_json_lines_are_one_object_a_line_and_out_at_once() -> None:
    stream = io.BytesIO()
    sink = make_sink("jsonl", stream, "verify", dimension=None, width=None, color=False)
    sink.write({"input": "é\n", "n": 0.5})
    assert stream.getvalue() == '{"input": "é\\n", "n": 0.5}\n'.encode()


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "tsv"])
def test_each_record_is_out_before_the_next_one_comes(form: Format) -> None:
    pipe = io.BytesIO()
    sink = make_sink(form, io.BufferedWriter(pipe), "align", dimension=None, width=None, color=False)  # type: ignore[arg-type]
    for count in (1, 2):
        sink.write(aligned())
        assert pipe.getvalue().count(b"a-1.png") == count
    sink.close()


def test_half_a_surrogate_pair_is_escaped_as_json_spells_it() -> None:
    line = written("jsonl", "align", {"crop": "bad \udcff.png"})
    assert line == b'{"crop": "bad \\udcff.png"}\n'
    assert json.loads(line) == {"crop": "bad \udcff.png"}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_one_array_whatever_its_length(count: int) -> None:
    assert json.loads(written("json", "enroll", *[enrolled()] * count)) == [enrolled()] * count


def test_csv_has_a_row_a_face_and_a_row_for_an_input_without_one() -> None:
    failed = records.aligned(run("align", None), A, Failed(MissingFile("a.jpg does not exist")))
    assert written("csv", "align", aligned(), failed).decode() == (
        "input,status,code,message,face,x_min,y_min,x_max,y_max,detection_score,crop,"
        "size,sharpness,yaw,pitch,roll,dark,bright,refused,settings\n"
        "a.jpg,done,,,0,10.0,10.0,122.0,122.0,0.9,crops/a-0.png,,,,,,,,,0123456789ab\n"
        "a.jpg,done,,,1,30.0,20.0,90.0,80.0,0.75,crops/a-1.png,,,,,,,,,0123456789ab\n"
        "a.jpg,failed,missing_file,a.jpg does not exist,,,,,,,,,,,,,,,,0123456789ab\n"
    )


def test_csv_tells_the_quality_of_every_face_and_why_one_was_refused() -> None:
    rows = read_back(written("csv", "embed", every_record()["embed, one refused"], dimension=4))
    assert [(row["face"], row["status"], row["code"], row["refused"], row["f0"]) for row in rows] == [
        ("0", "done", "", "", "1.0"),
        ("1", "done", "", "face_blurred", ""),
        ("2", "done", "", "face_too_small", ""),
    ]
    assert [row["sharpness"] for row in rows] == ["812.3", "3.0", ""]
    names = ("size", "yaw", "pitch", "roll", "dark", "bright")
    assert [rows[0][name] for name in names] == ["112.0", "-12.5", "3.0", "1.0", "0.0125", "0.0"]
    assert rows[0]["canonical_fingerprint"].startswith("sha256=")
    assert rows[1]["canonical_fingerprint"] == ""


def test_an_input_all_of_whose_faces_were_refused_has_a_row_for_each() -> None:
    rows = read_back(written("csv", "enroll", every_record()["enroll, all refused"]))
    assert [(row["face"], row["status"], row["code"], row["refused"]) for row in rows] == [
        ("0", "skipped", "face_blurred", "face_blurred"),
        ("1", "skipped", "face_blurred", "face_too_small"),
    ]


def test_a_table_names_the_reason_of_each_refused_face() -> None:
    told = written("table", "enroll", every_record()["enroll, all refused"]).decode()
    assert "face_blurred" in told
    assert "face_too_small" in told


def test_tsv_of_a_pair_writes_true_and_false_as_json_does() -> None:
    assert written("tsv", "verify", verified(), verified(-0.25)).decode() == (
        "input_a\tinput_b\tstatus\tcode\tmessage\tsame_person\tsimilarity\tdistance\tthreshold\tsettings\n"
        "a.jpg\tb.jpg\tdone\t\t\ttrue\t0.75\t0.707107\t0.422\t\n"
        "a.jpg\tb.jpg\tdone\t\t\tfalse\t-0.25\t1.581139\t0.422\t\n"
    )


def test_csv_of_identify_names_subject_and_nearest() -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(written("csv", "identify", identified(0.75, 0.25), identified(0.25)).decode())
        )
    )
    assert [(row["decision"], row["subject"], row["nearest"]) for row in rows] == [
        ("match", "person 0", "person 0"),
        ("unknown", "", "person 0"),
    ]
    assert rows[0]["margin"] == "0.5"


def test_csv_of_embed_has_a_column_for_each_number_of_the_feature() -> None:
    rows = read_back(written("csv", "embed", embedded(), dimension=4))
    assert [[float(row[f"f{i}"]) for i in range(4)] for row in rows] == [
        pytest.approx([1, 0, 0, 0]),
        pytest.approx([0, 0.6, 0.8, 0]),
    ]


def test_names_that_csv_must_quote_come_back_whole() -> None:
    record = {**enrolled(), "subject": 'Ada "Countess", Lovelace\nII'}
    (row,) = read_back(written("csv", "enroll", record))
    assert row["subject"] == 'Ada "Countess", Lovelace\nII'


@pytest.mark.parametrize("command", COMMANDS)
def test_an_empty_run_of_csv_is_its_header(command: str) -> None:
    assert written("csv", command).decode().count("\n") == 1


def test_a_table_says_who_how_alike_and_what_the_threshold_buys() -> None:
    assert written("table", "identify", identified(0.75, 0.25)).decode() == (
        "input  face  decision  subject   similarity  distance  margin  nearest \n"
        "a.jpg     0  match     person 0      0.7500    0.7071  0.5000  person 0\n"
        "threshold: similarity 0.4220 = distance 1.0752; FMR 0.0001 measured with mobilefacenet_512\n"
        "on LFW, all pairs, 87,307,271 impostor comparisons\n"
    )


def test_a_table_names_the_reason_where_there_is_no_answer() -> None:
    told = every_record()
    assert "no_face" in written("table", "identify", told["identify, skipped"]).decode()
    failed = " ".join(written("table", "verify", told["verify, failed"]).decode().split())
    assert "missing_file" in failed
    assert "no error rate is known for it (given by option)" in failed


def test_a_table_is_plain_unless_colour_is_wanted() -> None:
    assert b"\x1b" not in written("table", "identify", identified(0.75))
    assert b"\x1b[32m" in written("table", "identify", identified(0.75), color=True)


def test_a_table_takes_no_markup_and_no_escapes_from_a_name() -> None:
    record = {**enrolled(), "subject": "[red]Ada[/red]\x1b[31m"}
    text = written("table", "enroll", record).decode()
    assert "[red]Ada[/red]\\x1b[31m" in text


def test_a_long_table_is_laid_out_in_pieces_so_that_memory_stays_bounded() -> None:
    stream = io.BytesIO()
    sink = make_sink("table", stream, "enroll", dimension=None, width=100, color=False)
    for _ in range(TABLE_ROWS):
        sink.write(enrolled())
    assert stream.getvalue().count(b"a.jpg") == TABLE_ROWS
    sink.close()


def test_an_archive_holds_plain_arrays_a_row_a_face() -> None:
    data = written("npz", "embed", embedded(), every_record()["embed, failed"], dimension=4)
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        assert archive["features"].shape == (2, 4)
        assert archive["features"].dtype == np.float32
        assert archive["input"].tolist() == ["a.jpg", "a.jpg"]
        assert archive["face"].tolist() == [0, 1]
        assert archive["landmarks"].shape == (2, 5, 2)
        assert archive["box"].shape == (2, 4)
        assert str(archive["model"]) == "compact"
        assert str(archive["fingerprint"]) == embedded()["fingerprint"]


def test_an_archive_without_a_face_has_arrays_without_rows() -> None:
    with np.load(io.BytesIO(written("npz", "embed", dimension=4)), allow_pickle=False) as archive:
        assert archive["features"].shape == (0, 4)
        assert archive["landmarks"].shape == (0, 5, 2)


@pytest.mark.parametrize("command", ["align", "enroll", "identify", "verify"])
def test_only_embed_has_features_for_an_archive(command: str) -> None:
    with pytest.raises(UsageError, match="no features"):
        make_sink("npz", io.BytesIO(), command, dimension=None, width=None, color=False)


@pytest.mark.parametrize("form", sorted({*get_args(Format)} - {"npy"}))
def test_every_format_takes_names_that_are_no_text(form: Format) -> None:
    assert written(form, "embed", embedded(ODD), dimension=4)
