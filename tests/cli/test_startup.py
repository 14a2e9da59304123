"""Help and version come at once, and load nothing heavy."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from command_line import arcface_process, command_line, environment

from arcface_cli import __version__

HEAVY = ("numpy", "cv2", "onnxruntime", "faiss", "requests", "PIL", "onnx", "insightface")
COMMANDS = (
    "align", "embed", "enroll", "identify", "verify", "gallery", "gallery list", "gallery show",
    "gallery stats", "models", "models list", "models pull", "models import", "models verify", "models show",
    "models use", "demo", "doctor", "bench", "config", "config show", "schema",
)  # fmt: skip
CPU_SECONDS = 0.3


def cpu_seconds(*words: str) -> float:
    """User and system time of one command line, which a busy machine doesn't stretch."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command_line(*words), env=environment(), capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("words", [("--help",), ("--version",)])
def test_help_comes_within_three_tenths_of_a_second(words: tuple[str, ...]) -> None:
    cpu_seconds(*words)  # the first run compiles
    assert min(cpu_seconds(*words) for _ in range(3)) < CPU_SECONDS


def test_the_help_of_no_command_loads_anything_heavy() -> None:
    lines = [f"{command} --help".split() for command in COMMANDS]
    script = (
        "import sys\n"
        "from arcface_cli.cli.app import run\n"
        f"statuses = [run(line) for line in {[['--help'], ['--version'], *lines]!r}]\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules], set(statuses))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "HEAVY [] {0}"
    assert ran.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    from typer.testing import CliRunner

    from arcface_cli.cli.app import build_app

    shown = CliRunner().invoke(build_app(), [*command.split(), "--help"]).output
    assert f"arcface {command}" in shown or f"root {command}" in shown
    if command not in ("gallery", "models", "config"):
        assert "Example" in shown


def test_the_version_is_one_line() -> None:
    ran = arcface_process("--version")
    assert ran.stdout == f"arcface {__version__}\n"
