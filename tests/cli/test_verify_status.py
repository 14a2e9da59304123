"""`if arcface verify a b; then`: same 0, different 1, no face 4, missing 2."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from command_line import Arcface, arcface_process, command_line, environment

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]


@pytest.mark.parametrize(
    ("second", "status"), [("ada2.jpg", 0), ("bob.jpg", 1), ("coffee.png", 4), ("missing.jpg", 2)]
)
def test_a_shell_can_branch_on_it(album: Path, second: str, status: int) -> None:
    line = shlex.join(command_line("verify", "-q", album / "ada.jpg", album / second))
    script = f"if {line}; then echo same; else echo other $?; fi"
    ran = subprocess.run(
        ["sh", "-c", script], env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    last = ran.stdout.splitlines()[-1]
    assert last == ("same" if status == 0 else f"other {status}")
    assert "Traceback" not in ran.stderr


def test_the_answer_changes_with_the_threshold_in_any_metric(arcface: Arcface, album: Path) -> None:
    pair = (album / "ada.jpg", album / "ada2.jpg")
    (record,) = arcface("verify", *pair).records
    similarity = record["similarity"]
    assert arcface("verify", *pair, "-t", similarity - 0.001).status == 0
    assert arcface("verify", *pair, "-t", similarity + 0.001).status == 1
    assert arcface("verify", *pair, "--max-distance", record["distance"] + 0.001).status == 0
    assert arcface("verify", *pair, "--max-distance", record["distance"] - 0.001).status == 1
    assert arcface("verify", *pair, "-t", 30, "--metric", "angle").status == 1
    (zero,) = arcface("verify", *pair, "-t", "0.0").records
    assert (zero["threshold"]["value"], zero["threshold"]["origin"]) == (0.0, "option")


def test_several_faces_for_one_comparison_are_wrong_usage(arcface: Arcface, album: Path) -> None:
    answer = arcface("verify", "--faces", "all", album / "ada.jpg", album / "eight.jpg")
    assert (answer.status, answer.out) == (2, "")
    assert arcface("enroll", "--faces", "all", "--name", "Ada", album / "eight.jpg").status == 2


def test_one_photograph_may_come_from_standard_input_and_only_one(arcface: Arcface, album: Path) -> None:
    with (album / "ada.jpg").open("rb") as photo:
        ran = arcface_process("verify", "-", album / "ada2.jpg", stdin=photo)
    assert ran.returncode == 0
    assert '"inputs": ["-", ' in ran.stdout
    assert arcface("verify", "-", "-").status == 2


def test_a_device_this_machine_hasnt_got_is_5_and_no_answer(arcface: Arcface, album: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this onnxruntime may really serve CUDA")
    answer = arcface("verify", album / "ada.jpg", album / "ada2.jpg", "--device", "cuda")
    assert (answer.status, answer.out, len(answer.said)) == (5, "", 1)
    assert "pip uninstall -y onnxruntime" in answer.err
    assert "pip install '.[gpu]' in arcface's checkout, or use --device cpu" in answer.err
    assert arcface("verify", album / "ada.jpg", album / "ada2.jpg", "--device", "tpu").status == 2


def test_several_cards_are_asked_for_in_one_word_and_each_once(arcface: Arcface, album: Path) -> None:
    answer = arcface("verify", album / "ada.jpg", album / "ada2.jpg", "--device", "cuda:0,0")
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert "card 0 is named twice" in answer.err


def test_tensorrt_is_never_replaced_in_silence(arcface: Arcface, album: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this onnxruntime may really serve CUDA")
    pair = (album / "ada.jpg", album / "ada2.jpg")
    answer = arcface("verify", *pair, "--tensorrt")
    assert (answer.status, answer.out, len(answer.said)) == (5, "", 1)
    assert answer.err.startswith("arcface: --tensorrt: ")
    assert answer.err.rstrip().endswith(", or leave --tensorrt out")
    contrary = arcface("verify", *pair, "--tensorrt", "--device", "cpu")
    assert (contrary.status, contrary.out, len(contrary.said)) == (2, "", 1)
    assert "--no-tensorrt" in contrary.err
    assert arcface("verify", *pair, "--no-tensorrt", "--device", "cpu").status == 0


def test_tensorrt_in_the_settings_is_no_matter_of_verbs_without_a_recogniser(
    arcface: Arcface, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCFACE_TENSORRT", "true")
    crops = tmp_path / "crops"
    assert arcface("align", album / "ada.jpg", "-o", crops, "--device", "cpu").status == 0
    assert arcface("verify", album / "ada.jpg", album / "ada2.jpg", "--device", "cpu").status == 2
