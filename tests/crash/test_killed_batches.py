"""A batch that is killed at any moment and resumed ends with the bytes of an undisturbed run."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from itertools import chain, islice, repeat
from pathlib import Path

import pytest

from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.models import import_path

pytestmark = pytest.mark.real

KILLS, PHOTOGRAPHS = 20, 160


@pytest.fixture(scope="module")
def environment(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    for name in ("face_detection_yunet_2023mar", "mobilefacenet_512"):
        list(import_path(WeightStore(folder), shared_models / f"{name}.onnx", lambda licence: True))
    return {**os.environ, "ARCFACE_MODELS_DIR": str(folder)}


@pytest.fixture
def names(shared_data: Path, tmp_path: Path) -> Path:
    """A list of photographs with one face, with none and with several, again and again."""
    folders = ("people/L001", "people/L002", "people/L003")
    photographs = list(chain.from_iterable(sorted((shared_data / folder).iterdir()) for folder in folders))
    photographs += [shared_data / "hard" / name for name in ("no_face/coffee.png", "groups/016_8.jpg")]
    path = tmp_path / "names"
    named = islice(chain.from_iterable(repeat(photographs)), PHOTOGRAPHS)
    path.write_text("".join(f"{photograph}\n" for photograph in named))
    return path


def command(names: Path, output: Path) -> list[str]:
    words = ["embed", "-q", "--files-from", str(names), "-o", str(output), "--resume"]
    return [sys.executable, "-m", "arcface_cli", *words]


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def kill(process: subprocess.Popen[bytes], output: Path, size_wanted: int, pause: float) -> None:
    """SIGKILL the run a pause (seconds) after its output has reached a size."""
    patience = time.monotonic() + 30
    while size(output) < size_wanted and process.poll() is None and time.monotonic() < patience:
        time.sleep(0.002)
    time.sleep(pause)
    process.kill()
    process.wait()


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_batch_killed_at_twenty_moments_ends_like_an_undisturbed_one(
    names: Path, environment: dict[str, str], tmp_path: Path, suffix: str
) -> None:
    undisturbed, output = tmp_path / f"undisturbed.{suffix}", tmp_path / f"output.{suffix}"
    whole = subprocess.run(command(names, undisturbed), env=environment, check=False, capture_output=True)
    step = size(undisturbed) // KILLS

    moments, sizes = random.Random(7), []
    for _ in range(KILLS):
        process = subprocess.Popen(command(names, output), env=environment, stderr=subprocess.DEVNULL)
        kill(process, output, size(output) + moments.randrange(step), moments.uniform(0, 0.02))
        sizes.append(size(output))
    finished = subprocess.run(command(names, output), env=environment, check=False, capture_output=True)

    assert whole.returncode == 3, whole.stderr  # some pictures have no face
    assert 0 < sizes[KILLS // 2] < size(undisturbed), f"the kills were to come amid the work: {sizes}"
    assert finished.returncode == 3, finished.stderr
    assert output.read_bytes() == undisturbed.read_bytes()
