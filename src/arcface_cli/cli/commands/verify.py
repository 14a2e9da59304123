"""`arcface verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options


def verify(
    first: Annotated[
        str | None, typer.Argument(metavar="A", help="A photograph.", show_default=False)
    ] = None,
    second: Annotated[
        str | None, typer.Argument(metavar="B", help="Another one.", show_default=False)
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Compare every pair of a CSV file with columns file_a,file_b; - is standard input.",
            metavar="FILE",
            parser=options.path,
        ),
    ] = None,
    threshold: options.Threshold = None,
    max_distance: options.MaxDistance = None,
    metric: options.Metric = None,
    yes: options.YesToThreshold = False,
    model: options.Model = None,
    detector: options.Detector = None,
    device: options.Device = None,
    precision: options.Precision = None,
    tensorrt: options.TensorRT = None,
    flip: options.Flip = None,
    faces: options.FaceChoice = None,
    min_face: options.MinFace = None,
    det_score: options.DetScore = None,
    min_sharpness: options.MinSharpness = None,
    max_yaw: options.MaxYaw = None,
    max_dark: options.MaxDark = None,
    max_bright: options.MaxBright = None,
    output: options.OutputFile = None,
    format: options.OutputFormat = None,
    json: options.AsJson = False,
    jobs: options.Jobs = None,
    resume: options.Resume = False,
    fail_fast: options.FailFast = False,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Do two photographs show the same person? Status 0: yes, 1: no; never either without two faces.

    Of several faces the largest counts, unless --faces says otherwise. With --pairs, status 0 means that
    all pairs are, 1 that some aren't, 3 that some couldn't be compared.

    Example: [bold]if arcface verify -q a.jpg b.jpg; then echo same; fi[/bold]
    """
    from arcface_cli.cli.pairs import verify_photographs

    return verify_photographs(locals())
