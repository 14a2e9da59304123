"""`arcface demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder for photographs and gallery.", metavar="DIR", parser=options.path
        ),
    ] = None,
    device: options.Device = None,
    offline: options.Offline = None,
    no_progress: options.NoProgress = None,
) -> int:
    """See it work: fetch a small pack and four portraits, enroll one person, find him, refuse another.

    Every command is printed as you would type it, and everything stays in a temporary folder to go on with.

    Example: [bold]arcface demo[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.demonstration import demonstrate

    build.require_runtime()
    return demonstrate(build.settings_from(locals()).values, folder)
