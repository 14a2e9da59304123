"""`arcface bench`: a table, JSON, files, statuses."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from command_line import Arcface, command_line, environment

from arcface_cli.cli.bench_tables import table
from arcface_cli.workflows.bench import UNITS

QUICK = ("--seconds", "0.05", "--templates", "500", "--batch", "2")
STAGE_FIELDS = {
    "stage", "unit", "per_second", "milliseconds", "at_once", "ceiling", "share", "faces_per_second",
}  # fmt: skip
TABLE_HEAD = "stage photographs/s faces/s searches/s ms each share of ceiling"


def checked(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, after what holds for every one."""
    assert (answer["schema"], answer["command"]) == (1, "bench")
    assert {stage["stage"]: stage["unit"] for stage in answer["stages"]} == UNITS
    for stage in answer["stages"]:
        assert set(stage) == STAGE_FIELDS
        assert stage["milliseconds"] == pytest.approx(1000 / stage["per_second"], rel=1e-3)
        assert (stage["share"] is None) == (stage["ceiling"] is None)
    assert answer["ceilings"]["matrix_gflop_per_second"] > 0
    assert answer["ceilings"]["copy_gb_per_second"] > 0
    return answer


def test_no_weights_is_5_naming_two_commands_and_writes_nothing(arcface: Arcface, own_place: Path) -> None:
    answer = arcface("bench", *QUICK, "-o", "here.json")
    assert (answer.status, answer.out, len(answer.said)) == (5, "", 1)
    assert "arcface models list" in answer.err
    assert "arcface models pull" in answer.err
    assert not (own_place / "here.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--templates", "0"), "'--templates'"),
        (("--seconds", "0"), "'--seconds'"),
        (("--seconds", "nan"), "--seconds nan"),
        (("-f", "parquet"), "'parquet'"),
        (("-0",), "--files-from"),
    ],
)
def test_words_that_can_mean_nothing_are_2(arcface: Arcface, words: tuple[str, ...], said: str) -> None:
    answer = arcface("bench", *words)
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert said in answer.err


@pytest.mark.real
def test_drawn_photographs_are_worked_on_and_the_answer_says_so(arcface: Arcface, weights: Path) -> None:
    answer = arcface("bench", *QUICK)
    assert (answer.status, answer.err) == (0, "")
    (told,) = answer.records
    checked(told)
    assert told["photographs"] == {
        "source": "drawn", "count": 8, "megapixels": 1.92, "faces": 8, "unreadable": 0,
    }  # fmt: skip
    assert (told["detector"], told["recogniser"]) == ("yunet", "mobilefacenet_512")
    assert (told["device"], told["precision"], told["batch"], told["templates"]) == ("cpu", "fp32", 2, 500)
    assert told["recogniser_gflop"] == pytest.approx(0.4423)
    assert told["machine"]["processor"]
    assert {"arcface", "python", "numpy"} <= set(told["versions"])
    whole = told["stages"][-1]
    assert whole["faces_per_second"] == pytest.approx(whole["per_second"], rel=1e-3)


@pytest.mark.real
def test_named_photographs_are_measured_and_what_is_unreadable_is_3(
    arcface: Arcface, weights: Path, album: Path
) -> None:
    (album / "broken.jpg").write_bytes(b"no picture")
    answer = arcface("bench", album, *QUICK, "-m", "mobilefacenet_192", "--json")
    assert (answer.status, len(answer.said)) == (3, 1)
    assert "broken.jpg" in answer.err
    told = checked(json.loads(answer.out))
    assert (told["model"], told["dimension"]) == ("mobilefacenet_192", 192)
    assert told["photographs"]["source"] == "named"
    assert told["photographs"]["count"] == 5
    assert told["photographs"]["faces"] >= 11
    assert told["photographs"]["unreadable"] == 1


@pytest.mark.real
def test_photographs_without_faces_are_told_of(arcface: Arcface, weights: Path, album: Path) -> None:
    answer = arcface("bench", album / "coffee.png", *QUICK)
    assert (answer.status, answer.said) == (
        0,
        ["arcface: no face was found: align and embed were measured on the middle of each photograph"],
    )
    (told,) = answer.records
    assert told["photographs"]["faces"] == 0
    assert checked(told)["stages"][-1]["faces_per_second"] == 0


@pytest.mark.real
def test_a_photograph_that_is_not_there_is_2(arcface: Arcface, weights: Path) -> None:
    answer = arcface("bench", "gone.jpg", *QUICK)
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)


@pytest.mark.real
def test_more_templates_than_fit_are_refused_before_memory_is_taken(arcface: Arcface, weights: Path) -> None:
    answer = arcface("bench", "--templates", 10**12)
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert re.search(r"1907348\.6 GiB, and [\d.]+ are free; use fewer", answer.err)


@pytest.mark.real
def test_a_file_is_json_unless_its_suffix_or_f_says_else(
    arcface: Arcface, weights: Path, album: Path, own_place: Path
) -> None:
    quick = (album / "ada.jpg", *QUICK)
    assert arcface("bench", *quick, "-o", "here.json").out == ""
    checked(json.loads((own_place / "here.json").read_text()))
    arcface("bench", *quick, "-o", "here.csv")
    rows = list(csv.DictReader(io.StringIO((own_place / "here.csv").read_text())))
    assert [row["stage"] for row in rows] == list(UNITS)
    assert set(rows[0]) == STAGE_FIELDS
    assert arcface("bench", *quick, "-o", "no/such/folder.json").status == 7


@pytest.mark.real
def test_a_terminal_gets_a_table_and_a_line_of_progress(weights: Path, album: Path) -> None:
    ours, theirs = pty.openpty()
    ran = subprocess.Popen(
        command_line("bench", album / "ada.jpg", *QUICK),
        env=environment(TERM="dumb"),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # how Linux says that the other end is closed
        assert ran.wait(30) == 0
    finally:
        os.close(ours)
    text = shown.decode()
    assert "round 5 of 5: end to end" in text
    lines = [" ".join(line.split()) for line in text.split("\x1b[K")[-1].splitlines()]
    assert TABLE_HEAD in lines
    assert any(line.startswith("search, 2 together") for line in lines)


def test_the_table_puts_each_rate_under_its_unit() -> None:
    stage = dict.fromkeys(STAGE_FIELDS)
    stages = [
        {**stage, "stage": "decode", "unit": "photograph", "per_second": 1234.5, "milliseconds": 0.81},
        {**stage, "stage": "embed", "unit": "face", "per_second": 98.76, "milliseconds": 10.12,
         "ceiling": "matrix product", "share": 0.256},
        {**stage, "stage": "end_to_end", "unit": "photograph", "per_second": 5.0, "milliseconds": 200.0,
         "faces_per_second": 10.0},
    ]  # fmt: skip
    shown = table(
        {
            "machine": {"processor": "[EPYC]", "cores": 2, "gpu": None},
            "versions": {"arcface": "0.1.0", "onnxruntime": "1.32.0"},
            "device": "cpu", "detector": "yunet", "recogniser": "small", "recogniser_gflop": None,
            "precision": "fp32", "tensorrt": "10.14.1", "batch": 8, "jobs": 3,
            "templates": 100000, "index_type": "float32",
            "photographs": {"source": "named", "count": 1, "megapixels": 12.0, "faces": 1},
            "ceilings": {"matrix_gflop_per_second": 200.0, "copy_gb_per_second": 20.0},
            "stages": stages,
        },
        color=False,
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[0] == "[EPYC], 2 cores; cpu, ONNX Runtime 1.32.0, arcface 0.1.0"
    assert lines[1].startswith("yunet finds, small recognises, fp32 by TensorRT 10.14.1; batch 8, ")
    assert lines[5:] == [
        TABLE_HEAD,
        "decode 1,234 0.81",
        "embed 98.8 10.1 26% of the matrix product",
        "end to end 5 10 10 200",
    ]


@pytest.mark.real
def test_ctrl_c_ends_it_at_once_without_a_file(weights: Path, own_place: Path) -> None:
    words = ("bench", "--templates", "500", "--seconds", "600", "-o", own_place / "here.json", "-v")
    with subprocess.Popen(
        command_line(*words), env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        time.sleep(4)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "arcface: interrupted; run it again\n")
    assert not list(own_place.glob("*here.json*"))
