"""`arcface identify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options


def identify(
    paths: options.Inputs = None,
    recursive: options.Recursive = False,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    exists: Annotated[
        bool, typer.Option("--exists", "-e", help="Status 0 if an enrolled person was found, 1 if not.")
    ] = False,
    draw: Annotated[
        Path | None,
        typer.Option(
            help="Write each photograph with boxes and names into DIR.", metavar="DIR", parser=options.path
        ),
    ] = None,
    gallery: options.Gallery = None,
    threshold: options.Threshold = None,
    max_distance: options.MaxDistance = None,
    metric: options.Metric = None,
    yes: options.YesToThreshold = False,
    margin: options.Margin = None,
    top: options.Top = None,
    fusion: options.FusionRule = None,
    index_type: options.VectorKind = None,
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
    batch: options.Batch = None,
    jobs: options.Jobs = None,
    fail_fast: options.FailFast = False,
    resume: options.Resume = False,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Say who is on each photograph: for every face a match, unknown, or ambiguous.

    A face is named when the similarity reaches the threshold and leads the runner-up by --margin.

    Example: [bold]arcface identify photo.jpg[/bold]
    """
    from arcface_cli.cli.people import identify_photographs

    return identify_photographs(locals())
