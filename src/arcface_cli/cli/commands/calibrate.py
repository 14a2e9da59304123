"""`arcface calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options


def calibrate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="People you know, a folder each.", parser=options.path, show_default=False
        ),
    ],
    target_fmr: Annotated[
        float | None, typer.Option(metavar="RATE", help="False match rate of one comparison.")
    ] = None,
    target_fpir: Annotated[
        float | None,
        typer.Option(metavar="RATE", help="Share of searches for strangers that may name somebody."),
    ] = None,
    strangers: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="People who aren't enrolled, a folder each.", parser=options.path),
    ] = None,
    subjects: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Size of the gallery, if not its present one.")
    ] = None,
    gallery: options.Gallery = None,
    model: options.Model = None,
    detector: options.Detector = None,
    device: options.Device = None,
    precision: options.Precision = None,
    tensorrt: options.TensorRT = None,
    flip: options.Flip = None,
    faces: options.FaceChoice = None,
    min_face: options.MinFace = None,
    det_score: options.DetScore = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    dry_run: options.DryRun = False,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Remember templates by content.")] = True,
    jobs: options.Jobs = None,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Find the threshold for an error rate from your own photographs, and store it in the gallery.

    Example: [bold]arcface calibrate ./people --strangers ./others --target-fpir 0.01[/bold]
    """
    from arcface_cli.cli import calibrating

    return calibrating.run(locals())
