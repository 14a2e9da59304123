"""`arcface schema`."""

from __future__ import annotations

import sys


def schema() -> int:
    """Print the JSON Schema of the records that the verbs write.

    Example: [bold]arcface schema > records.schema.json[/bold]
    """
    from importlib.resources import files

    sys.stdout.write(files("arcface_cli.output").joinpath("schema.json").read_text(encoding="utf-8"))
    return 0
