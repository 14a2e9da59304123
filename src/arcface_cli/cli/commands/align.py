"""`arcface align`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options


def align(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder for the crops and their manifest.",
            metavar="DIR",
            parser=options.path,
        ),
    ],
    paths: options.Inputs = None,
    recursive: options.Recursive = False,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    sheet: Annotated[
        Path | None,
        typer.Option(
            help="Also show the crops with their names on a sheet: PNG or JPEG.",
            metavar="FILE",
            parser=options.path,
        ),
    ] = None,
    model: options.Model = None,
    detector: options.Detector = None,
    device: options.Device = None,
    precision: options.Precision = None,
    faces: options.FaceChoice = None,
    min_face: options.MinFace = None,
    det_score: options.DetScore = None,
    min_sharpness: options.MinSharpness = None,
    max_yaw: options.MaxYaw = None,
    max_dark: options.MaxDark = None,
    max_bright: options.MaxBright = None,
    format: options.OutputFormat = None,
    json: options.AsJson = False,
    jobs: options.Jobs = None,
    fail_fast: options.FailFast = False,
    resume: options.Resume = False,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Cut every face out as an upright 112x112 crop, as ArcFace networks take them.

    DIR also gets manifest.jsonl: one record a photograph, with boxes, landmarks and transforms.

    Example: [bold]arcface align -r ./people/ -o crops/[/bold]
    """
    from arcface_cli.cli.crops import align_photographs

    return align_photographs(locals())
