"""The command line, run in this process or in one of its own, with real weights where they are there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from command_line import Answer, Arcface

from arcface_cli.cli.app import run

WEIGHTS = ("face_detection_yunet_2023mar.onnx", "mobilefacenet_512.onnx", "mobilefacenet_192.onnx")


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing of the user's: no variables, no config file, galleries and weights in a folder of the test."""
    for name in [name for name in os.environ if name.startswith("ARCFACE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("ARCFACE_CONFIG", os.devnull)
    monkeypatch.setenv("ARCFACE_GALLERY", str(tmp_path / "gallery"))
    monkeypatch.setenv("ARCFACE_MODELS_DIR", str(tmp_path / "no-models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def arcface(capfd: pytest.CaptureFixture[str]) -> Arcface:
    """Run a command line in this process; stdout and stderr are caught at their file descriptors."""

    def call(*arguments: object) -> Answer:
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Answer(status, out, err)

    return call


@pytest.fixture(scope="session")
def installed_models(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the compact pack and a second recogniser."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCFACE_MODELS_DIR", str(folder))
        patch.setenv("ARCFACE_CONFIG", os.devnull)
        for name in WEIGHTS:
            assert run(["models", "import", str(shared_models / name), "-q"]) == 0
    return folder


@pytest.fixture
def weights(installed_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """For tests that need the networks."""
    monkeypatch.setenv("ARCFACE_MODELS_DIR", str(installed_models))
    return installed_models


@pytest.fixture
def album(shared_data: Path, tmp_path: Path) -> Path:
    """Photographs under plain names: ada (two of one person), bob, a landscape, a group of eight."""
    folder = tmp_path / "album"
    folder.mkdir()
    people = shared_data / "people"
    for name, source in {
        "ada.jpg": people / "L001" / "L001_0001.jpg",
        "ada2.jpg": people / "L001" / "L001_0003.jpg",
        "bob.jpg": people / "L002" / "L002_0001.jpg",
        "coffee.png": shared_data / "hard" / "no_face" / "coffee.png",
        "eight.jpg": shared_data / "hard" / "groups" / "016_8.jpg",
    }.items():
        shutil.copyfile(source, folder / name)
    return folder
