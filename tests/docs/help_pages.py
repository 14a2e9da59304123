"""What `--help` prints, for every command, in a fixed environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer

from arcface_cli.cli.app import build_app

CHECKOUT = Path(__file__).resolve().parents[2]
CLI_PAGE = CHECKOUT / "docs" / "cli.md"
README = CHECKOUT / "README.md"
README_WIDTH, CLI_PAGE_WIDTH = 80, 100
WRITTEN_WITH = f"typer {version('typer')}, rich {version('rich')}"
"""Layout is theirs: another version may draw the same options in other boxes."""

Command = tuple[str, ...]


def commands() -> Iterator[tuple[Command, Any]]:
    """Every command that can be typed, with Typer's own description of it; () is `arcface` itself."""
    yield from _below((), typer.main.get_command(build_app()))


def _below(path: Command, command: Any) -> Iterator[tuple[Command, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _below((*path, name), child)


def options_of(command: Any) -> list[str]:
    """Every spelling of every option of a command."""
    return [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]


def help_text(command: Command, width: int) -> str:
    """The output of `arcface COMMAND --help` at this width, without blanks at the ends of lines."""
    environment = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "HOME") if key in os.environ}
    environment |= {"COLUMNS": str(width), "TERM": "dumb", "NO_COLOR": "1", "PYTHONUTF8": "1"}
    shown = subprocess.run(
        [sys.executable, "-m", "arcface_cli", *command, "--help"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
    )
    return "\n".join(line.rstrip() for line in shown.stdout.strip("\n").splitlines()).strip("\n")


def readme_block() -> str:
    """The block of README.md that shows `arcface --help`."""
    return f"```text\n{help_text((), README_WIDTH)}\n```"


def cli_page() -> str:
    """The whole of docs/cli.md."""
    parts = ["# Every command", f"What `--help` prints. Written by `make docs` with {WRITTEN_WITH}."]
    for path, _ in commands():
        parts += [
            f"## {' '.join(('arcface', *path))}",
            f"```text\n{help_text(path, CLI_PAGE_WIDTH)}\n```",
        ]
    return "\n\n".join(parts) + "\n"
