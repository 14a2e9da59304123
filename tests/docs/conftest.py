"""A folder to type commands in, with weights and an empty gallery of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from shell_sandbox import Sandbox

PACK = ("face_detection_yunet_2023mar.onnx", "mobilefacenet_512.onnx")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A folder with `arcface` and `python` on the PATH; nothing is installed, nobody enrolled."""
    home = tmp_path_factory.mktemp("home")
    folder, programs = home / "work", home / "bin"
    folder.mkdir()
    programs.mkdir()
    for name, arguments in (("arcface", "-m arcface_cli "), ("python", ""), ("python3", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        program.chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ARCFACE_")}
    environment = kept | {
        "PATH": f"{programs}:{kept.get('PATH', '')}",
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }
    return Sandbox(folder, environment)


@pytest.fixture(scope="module")
def import_pack(sandbox: Sandbox) -> Callable[[Path], None]:
    """Installs the compact pack into the sandbox from a folder of weights, and makes it the default."""

    def install(weights: Path) -> None:
        for name in PACK:
            assert sandbox.run(f"arcface models import '{weights / name}'").status == 0
        assert sandbox.run("arcface models use compact").status == 0

    return install
