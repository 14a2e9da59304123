"""`arcface config`."""

from __future__ import annotations

from typing import Annotated

import typer

from arcface_cli.cli import options
from arcface_cli.cli.once import Verbs

app = Verbs(help="See which settings are in force, and where each comes from.", no_args_is_help=True)


@app.command("show")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Also say where each value comes from.")] = False,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
) -> int:
    """Every setting: its value now, its variable, and its key in the config file.

    Example: [bold]arcface config show --origin[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.listing import show_rows
    from arcface_cli.settings import KNOWN, config_path, variable_name

    loaded = build.settings_from(locals())
    rows = [
        {
            "setting": name,
            "value": None if (value := getattr(loaded.values, name)) is None else str(value),
            "origin": f"{config_path()}" if loaded.origins[name] == "config" else loaded.origins[name],
            "variable": variable_name(name),
            "meaning": known.description,
        }
        for name, known in KNOWN.items()
    ]
    shown = ("setting", "value", *(("origin",) if origin else ()), "variable", "meaning")
    show_rows(rows, loaded.values, shown)
    return 0
