"""stdout carries data and nothing else, in the form that was asked for; files are whole or absent."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import numpy as np
import pytest
from command_line import Arcface, arcface_process, command_line, environment

jsonschema = pytest.importorskip("jsonschema")
pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]


def test_a_process_writes_records_to_stdout_and_words_to_stderr(album: Path) -> None:
    ran = arcface_process("embed", album / "ada.jpg", album / "coffee.png", album / "bob.jpg", "-v")
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [record["status"] for record in records] == ["done", "skipped", "done"]
    assert all(line.startswith("arcface: ") for line in ran.stderr.splitlines())
    assert ran.returncode == 3


def test_the_records_of_all_verbs_are_what_the_schema_says(arcface: Arcface, album: Path) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(arcface("schema").out))
    photos = (album / "ada.jpg", album / "coffee.png", album / "eight.jpg", album / "gone.jpg")
    lines = [
        ("enroll", "--name", "Ada", "--dry-run", *photos),
        ("enroll", "--name", "Ada", *photos),
        ("enroll", "--name", "Ada", *photos),
        ("align", *photos, "-o", "crops"),
        ("embed", *photos),
        ("identify", "-k", "3", *photos),
        ("verify", album / "ada.jpg", album / "ada2.jpg"),
        ("verify", album / "ada.jpg", album / "coffee.png"),
    ]
    for line in lines:
        records = arcface(*line).records
        assert len(records) == (1 if line[0] == "verify" else len(photos))
        for record in records:
            validator.validate(record)
    for text in (Path("crops") / "manifest.jsonl").read_text().splitlines():
        validator.validate(json.loads(text))


def test_every_format_tells_the_same_answer(arcface: Arcface, album: Path) -> None:
    arcface("enroll", "--name", "Ada", album / "ada.jpg")
    probes = (album / "ada2.jpg", album / "bob.jpg")
    lines = arcface("identify", *probes, "-f", "jsonl").records
    similarities = [record["faces"][0]["similarity"] for record in lines]
    assert json.loads(arcface("identify", *probes, "-f", "json").out) == lines
    assert json.loads(arcface("identify", *probes, "--json").out) == lines
    for form, delimiter in (("csv", ","), ("tsv", "\t")):
        text = arcface("identify", *probes, "-f", form).out
        rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
        assert [float(row["similarity"]) for row in rows] == similarities
        assert [row["decision"] for row in rows] == ["match", "unknown"]
    table = arcface("identify", *probes, "-f", "table").out
    assert f"{similarities[0]:.4f}" in table
    assert "threshold: similarity" in table
    assert arcface("identify", *probes, "--json", "-f", "csv").status == 2


def test_features_go_into_an_archive_by_the_suffix_alone(arcface: Arcface, album: Path) -> None:
    answer = arcface("embed", album / "ada.jpg", album / "eight.jpg", "-o", "features.npz")
    assert (answer.status, answer.out) == (0, "")
    with np.load("features.npz", allow_pickle=False) as archive:
        assert archive["features"].shape == (9, 512)
        assert np.linalg.norm(archive["features"], axis=1) == pytest.approx(np.ones(9), abs=1e-5)


def test_an_output_file_is_whole_or_not_there(arcface: Arcface, album: Path) -> None:
    out = Path("out.jsonl")
    assert arcface("embed", album / "ada.jpg", "-o", out).status == 0
    before = out.read_bytes()
    assert json.loads(before)["status"] == "done"
    failed = arcface("embed", album / "ada.jpg", "-m", "nobody", "-o", out)
    assert failed.status == 2
    assert out.read_bytes() == before
    assert arcface("embed", album / "ada.jpg", "-o", "missing/out.jsonl").status == 7
    assert arcface("embed", album / "ada.jpg", "-o", album).status == 2
    assert sorted(path.name for path in Path().iterdir() if path.suffix == ".part") == []


def test_quiet_says_nothing_of_single_inputs_and_loses_no_record(arcface: Arcface, album: Path) -> None:
    answer = arcface("embed", "-q", album / "ada.jpg", album / "coffee.png")
    assert (answer.status, answer.err, len(answer.records)) == (3, "", 2)
    ending = arcface("embed", "-q", album / "ada.jpg", "-m", "nobody")
    assert (ending.status, len(ending.said)) == (2, 1)


@pytest.mark.parametrize(
    ("names", "status", "said"),
    [
        (["ada.jpg"], 0, ""),
        (["bob.jpg"], 1, ""),
        (["coffee.png"], 4, "coffee.png: no face was found; "),
        (["nobody.jpg"], 2, "nobody.jpg does not exist; "),
        (["bob.jpg", "coffee.png"], 3, "identify: 2 photographs: 1 done, 1 skipped (no_face 1)"),
    ],
)
def test_a_question_that_got_no_answer_says_why_even_when_quiet(
    arcface: Arcface, album: Path, names: list[str], status: int, said: str
) -> None:
    arcface("enroll", "--name", "Ada", album / "ada.jpg")
    answer = arcface("identify", "-q", "-e", *(album / name for name in names))
    assert (answer.status, answer.out, len(answer.said)) == (status, "", int(said != ""))
    assert said in answer.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "words", [("embed", "ada.jpg"), ("embed", "-f", "csv", "ada.jpg"), ("verify", "ada.jpg", "ada2.jpg"),
              ("embed", "-f", "table", "ada.jpg"), ("models", "list"), ("schema",), ("--help",)],
)  # fmt: skip
def test_a_full_disk_behind_stdout_is_7_with_one_line(album: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = arcface_process(*words, stdout=full, cwd=album)
    assert ran.returncode == 7
    assert len(ran.stderr.splitlines()) == 1
    assert "No space left" in ran.stderr or "the output can't be written: the disk is full; " in ran.stderr


def test_closed_streams_change_no_answer_and_hide_no_result(album: Path) -> None:
    def closed(redirections: str, *words: str) -> subprocess.CompletedProcess[str]:
        line = ["sh", "-c", f'exec "$@" {redirections}', "sh", *command_line(*words)]
        return subprocess.run(
            line, env=environment(), cwd=album, capture_output=True, text=True, timeout=60, check=False
        )

    same = ("verify", "-q", "ada.jpg", "ada2.jpg")
    assert [closed(which, *same).returncode for which in ("<&-", "2>&-", ">&-", "<&- >&- 2>&-")] == [0] * 4
    assert json.loads(closed("<&- 2>&-", "embed", "ada.jpg").stdout)["status"] == "done"
    for words in (("embed", "ada.jpg"), ("schema",)):
        ran = closed(">&-", *words)
        assert ran.returncode == 7
        assert len(ran.stderr.splitlines()) == 1
    ran = closed("<&-", "embed", "-")
    assert ran.returncode == 3
    assert json.loads(ran.stdout)["error"]["code"] == "unreadable_image"


def test_a_dash_as_the_output_is_stdout(album: Path) -> None:
    ran = arcface_process("embed", "ada.jpg", "-o", "-", cwd=album)
    assert json.loads(ran.stdout)["status"] == "done"
    assert not (album / "-").exists()


def test_a_reader_that_has_had_enough_ends_the_run_quietly(album: Path) -> None:
    photos = [album / "ada.jpg"] * 60
    with subprocess.Popen(
        command_line("embed", *photos),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["status"] == "done"
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait(30) == 0


def on_a_terminal(*words: object, **variables: str) -> str:
    """What a command line shows on a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command_line(*words),
        env=environment(TERM="xterm-256color", COLUMNS="100", **variables),
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux tells the end of a terminal so
        pass
    process.wait(30)
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("form", ["npz", "npy", "parquet"])
def test_bytes_are_kept_from_a_terminal(album: Path, form: str) -> None:
    assert on_a_terminal("embed", album / "ada.jpg", "-f", form) == ""


def test_people_get_a_table_in_colour_unless_they_dont_want_it(arcface: Arcface, album: Path) -> None:
    arcface("enroll", "--name", "Ada", album / "ada.jpg")
    shown = on_a_terminal("identify", album / "ada.jpg")
    assert "decision" in shown
    assert "\x1b[32mmatch" in shown
    plain = on_a_terminal("identify", album / "ada.jpg", NO_COLOR="1")
    assert "match" in plain
    assert "\x1b" not in plain
