"""`arcface doctor`: statuses, lines and JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SOURCES, Arcface, environment

from arcface_cli.cli.examining import lines
from arcface_cli.diagnosis.findings import fine, warning, wrong

FIELDS = {"what", "level", "detail", "mend", "facts"}
LEVELS = {"ok", "warning", "error"}


def test_a_sound_machine_is_0_with_a_row_for_each_part(arcface: Arcface) -> None:
    answer = arcface("doctor")
    assert answer.status == 0, answer.out
    rows = {row["what"]: row for row in answer.records}
    assert all(set(row) == FIELDS and row["level"] in LEVELS for row in rows.values())
    assert {"python", "platform", "runtime", "NVIDIA driver", "imaging", "search", "gallery"} <= set(rows)
    assert rows["self-test CPU"]["level"] == "ok"
    assert rows["self-test CPU"]["facts"]["difference"] < rows["self-test CPU"]["facts"]["tolerance"]
    assert rows["model"]["mend"] == "arcface models pull compact"
    assert re.fullmatch(r"arcface: doctor: \d+ ok, \d+ warnings?, 0 errors\n", answer.err)


def test_a_damaged_gallery_is_5_with_a_command(arcface: Arcface, own_place: Path) -> None:
    folder = own_place / "gallery"
    folder.mkdir(mode=0o700)
    (folder / "gallery.sqlite3").write_bytes(b"no database" * 1000)
    answer = arcface("doctor", "-q", "--json")
    assert (answer.status, answer.err) == (5, "")
    (bad,) = [row for row in json.loads(answer.out) if row["level"] == "error"]
    assert bad["what"] == "gallery"
    assert bad["mend"]


IN_FORCE = [
    ({"ARCFACE_DEVICE": "gpu"}, "", "ARCFACE_DEVICE gpu: no such device"),
    ({}, 'device = "gpu"', "CONFIG: device gpu: no such device"),
    ({"ARCFACE_TENSORRT": "1", "ARCFACE_DEVICE": "cpu"}, "", "ARCFACE_TENSORRT: TensorRT runs on a GPU"),
    ({}, 'tensorrt = true\ndevice = "cpu"', "CONFIG: tensorrt: TensorRT runs on a GPU, not with device cpu"),
]


@pytest.mark.parametrize(("variables", "file", "told"), IN_FORCE)
def test_a_device_in_force_that_every_verb_refuses_is_5_and_names_its_source(
    arcface: Arcface, own_place: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str],
    file: str, told: str,
) -> None:  # fmt: skip
    config = own_place / "config.toml"
    config.write_text(file)
    monkeypatch.setenv("ARCFACE_CONFIG", str(config))
    for name, word in variables.items():
        monkeypatch.setenv(name, word)
    answer = arcface("doctor")
    assert answer.status == 5
    (bad,) = [row for row in answer.records if row["level"] == "error"]
    assert (bad["what"], bad["mend"] is None) == ("device", False)
    assert bad["detail"].startswith(told.replace("CONFIG", str(config)))


UNUSABLE = [
    ("precision = 3", {}, "config.toml: precision: 3 must be one of fp32, fp16"),
    ("precison = 'fp16'", {}, "config.toml: there is no setting 'precison'"),
    ("precision = [", {}, "config.toml: the config file can't be read"),
    ("", {"ARCFACE_PRECISION": "fp4"}, "ARCFACE_PRECISION: 'fp4' must be one of fp32, fp16"),
    ("", {"ARCFACE_CONFIG": "gone.toml"}, "ARCFACE_CONFIG: gone.toml does not exist"),
]


@pytest.mark.parametrize(("file", "variables", "told"), UNUSABLE)
def test_a_setting_that_cant_be_used_is_a_line_and_hides_nothing_else(
    arcface: Arcface, own_place: Path, monkeypatch: pytest.MonkeyPatch, file: str, told: str,
    variables: dict[str, str],
) -> None:  # fmt: skip
    (own_place / "config.toml").write_text(file)
    for name, word in {"ARCFACE_CONFIG": "config.toml", "ARCFACE_TOP": "x", **variables}.items():
        monkeypatch.setenv(name, word)
    answer = arcface("doctor")
    assert answer.status == 5
    rows = answer.records
    assert {row["what"] for row in rows if row["level"] == "error"} == {"settings"}
    details = [row["detail"] for row in rows if row["what"] == "settings"]
    assert len(details) == 2
    assert any(detail.startswith(told) for detail in details)
    assert {"device", "gallery", "disk of gallery"} <= {row["what"] for row in rows}


def test_what_is_wrong_on_the_command_line_is_2(arcface: Arcface) -> None:
    answer = arcface("doctor", "-g", "")
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)


def test_the_settings_that_were_given_are_named_with_where(
    arcface: Arcface, own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = own_place / "config.toml"
    config.write_text('device = "cpu"')
    monkeypatch.setenv("ARCFACE_CONFIG", str(config))
    (row,) = [row for row in arcface("doctor", "-q").records if row["what"] == "settings"]
    assert row["detail"] == f"ARCFACE_GALLERY, ARCFACE_MODELS_DIR; {config}: device"


@pytest.mark.real
def test_the_recogniser_is_tried_in_the_precision_in_force(
    arcface: Arcface, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCFACE_PRECISION", "fp16")
    rows = {row["what"]: row for row in arcface("doctor").records}
    assert rows["mobilefacenet_512 on CPU in fp16"]["level"] == "ok"


def test_a_gallery_named_with_g_is_the_one_looked_at(arcface: Arcface, own_place: Path) -> None:
    rows = arcface("doctor", "-g", own_place / "elsewhere").records
    assert [row["facts"]["path"] for row in rows if row["what"] == "gallery"] == [
        str(own_place / "elsewhere")
    ]


def test_an_installed_recogniser_runs_and_its_networks_are_listed(arcface: Arcface, weights: Path) -> None:
    answer = arcface("doctor")
    assert answer.status == 0, answer.out
    rows = {row["what"]: row for row in answer.records}
    assert rows["model"]["level"] == "ok"
    assert "512 numbers" in rows["mobilefacenet_512 on CPU"]["detail"]
    facts = rows["model mobilefacenet_512"]["facts"]
    assert re.fullmatch(r"[0-9a-f]{64}", facts["sha256"])
    assert (facts["licence"], facts["packs"].split(", ")[0]) == ("MIT", "compact")


def test_a_damaged_network_is_5(
    arcface: Arcface, weights: Path, own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    copy = own_place / "models"
    shutil.copytree(weights, copy)
    (network,) = copy.glob("files/*/mobilefacenet_512.onnx")
    network.write_bytes(b"torn")
    monkeypatch.setenv("ARCFACE_MODELS_DIR", str(copy))
    answer = arcface("doctor")
    assert answer.status == 5
    mends = {row["what"]: row["mend"] for row in answer.records if row["level"] == "error"}
    assert mends["model mobilefacenet_512"] == "arcface models pull mobilefacenet_512"


def test_lines_for_people_are_not_folded_and_repeat_no_command() -> None:
    long = "python -m pip" + " word" * 60
    found = [fine("python", "3.12"), wrong("a", "is broken", long), warning("bb\x1b[31m", "is\nso", long)]
    shown = lines(found, color=False).decode().splitlines()
    assert shown == [
        "ok      python      3.12",
        "error   a           is broken",
        f"{'':20}mend: {long}",
        "warning bb\\x1b[31m  is\\nso",
        f"{'':20}mend: as above",
    ]


def test_colour_is_only_for_terminals_that_take_it() -> None:
    found = [fine("python", "3.12")]
    assert b"\x1b[32mok" in lines(found, color=True)
    assert b"\x1b" not in lines(found, color=False)


def test_a_table_and_csv_can_be_asked_for_in_a_pipe(arcface: Arcface) -> None:
    assert "ok      python" in arcface("doctor", "-f", "table").out
    assert arcface("doctor", "-f", "csv").out.splitlines()[0] == "what,level,detail,mend"
    assert arcface("doctor", "-f", "parquet").status == 2


BROKEN = "raise ImportError('libwhatever.so.9: cannot open shared object file')\n"
CRASHING = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"


@pytest.mark.parametrize(
    ("package", "what"), [("onnxruntime", "runtime"), ("cv2", "imaging"), ("faiss", "search")]
)
@pytest.mark.parametrize(("code", "reason"), [(BROKEN, "libwhatever.so.9"), (CRASHING, "SIGILL")])
def test_a_package_that_breaks_is_one_error_and_the_rest_is_looked_at(
    own_place: Path, package: str, what: str, code: str, reason: str
) -> None:
    (own_place / "broken" / package).mkdir(parents=True)
    (own_place / "broken" / package / "__init__.py").write_text(code)
    path = os.pathsep.join((str(own_place / "broken"), str(SOURCES)))
    ran = subprocess.run(
        [sys.executable, "-m", "arcface_cli", "doctor"],
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 5, ran.stderr
    rows = {row["what"]: row for row in map(json.loads, ran.stdout.splitlines())}
    assert rows[what]["level"] == "error"
    assert reason in rows[what]["detail"]
    assert rows[what]["mend"]
    assert "disk of gallery" in rows
    assert ran.stderr.startswith("arcface: doctor: ")
    assert ran.stderr.count("\n") == 1
