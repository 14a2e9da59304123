"""A batch that is killed at any moment and resumed ends with the bytes of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.models import import_path

pytestmark = pytest.mark.real

KILLS = 10


@pytest.fixture(scope="module")
def environment(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    for name in ("face_detection_yunet_2023mar", "mobilefacenet_512"):
        list(import_path(WeightStore(folder), shared_models / f"{name}.onnx", lambda licence: True))
    return {**os.environ, "ARCFACE_MODELS_DIR": str(folder)}


def command(photographs: Path, output: Path) -> list[str]:
    inputs = [str(photographs / name) for name in ("people/L001", "people/L002", "hard/no_face", "portraits")]
    return [sys.executable, "-m", "arcface_cli", "embed", "-q", "-r", *inputs, "-o", str(output), "--resume"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_batch_killed_again_and_again_ends_like_an_undisturbed_one(
    shared_data: Path, environment: dict[str, str], tmp_path: Path, suffix: str
) -> None:
    undisturbed, output = tmp_path / f"undisturbed.{suffix}", tmp_path / f"output.{suffix}"
    started = time.monotonic()
    subprocess.run(command(shared_data, undisturbed), env=environment, check=False, stderr=subprocess.DEVNULL)
    duration = time.monotonic() - started

    moments = random.Random(7)
    for _ in range(KILLS):
        process = subprocess.Popen(command(shared_data, output), env=environment, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 0.9 * duration))
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = subprocess.run(
        command(shared_data, output), env=environment, check=False, stderr=subprocess.PIPE, text=True
    )

    assert finished.returncode == 3, finished.stderr  # some pictures have no face
    assert output.read_bytes() == undisturbed.read_bytes()
