"""`arcface bench`."""

from __future__ import annotations

from typing import Annotated

import typer

from arcface_cli.cli import options


def bench(
    paths: options.Inputs = None,
    recursive: options.Recursive = False,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    model: options.Model = None,
    detector: options.Detector = None,
    device: options.Device = None,
    precision: options.Precision = None,
    tensorrt: options.TensorRT = None,
    batch: options.Batch = None,
    jobs: options.Jobs = None,
    index_type: options.VectorKind = None,
    templates: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Templates in the made-up gallery.", rich_help_panel=options.RUN
        ),
    ] = 100_000,
    seconds: Annotated[
        float,
        typer.Option(min=0.01, max=3600, metavar="S", help="For each stage.", rich_help_panel=options.RUN),
    ] = 2.0,
    output: options.OutputFile = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """How fast each stage is on this machine, and all together, beside what the device can do at best.

    With PATH... on your photographs (the first 32), without on drawn ones. Nothing is enrolled or kept.

    Example: [bold]arcface bench --batch 8 --json -o here.json[/bold]
    """
    from arcface_cli.cli.benching import measure_machine

    return measure_machine(locals())
