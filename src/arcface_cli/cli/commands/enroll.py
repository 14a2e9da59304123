"""`arcface enroll`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options


def enroll(
    paths: options.Inputs = None,
    name: Annotated[str | None, typer.Option(help="The person on all photographs.", metavar="NAME")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="CSV with columns file,person (or JSON Lines).", metavar="FILE")
    ] = None,
    from_embeddings: Annotated[
        Path | None,
        typer.Option(help="Features from arcface embed, instead of photographs; or -.", metavar="FILE"),
    ] = None,
    recursive: options.Recursive = False,
    sync: options.Sync = False,
    prune: options.Prune = False,
    retry_refused: options.RetryRefused = False,
    gallery: options.Gallery = None,
    keep_crops: options.KeepCrops = None,
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
    dry_run: options.DryRun = False,
    fail_fast: options.FailFast = False,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Put known people into the gallery: a folder a person (folders inside belong to them), or --name.

    A photograph needs exactly one face (see --faces), sharp, well lit and no profile (docs/quality.md). One
    that is enrolled already is left alone. Stored features are enrolled without weights: a row's subject is
    its own, or the name of the folder that its photograph was in.

    Example: [bold]arcface enroll ./people/[/bold]; later: [bold]arcface enroll ./people/ --sync[/bold]
    """
    if sync or prune or retry_refused:
        from arcface_cli.cli.syncing import sync_photographs

        return sync_photographs(locals())
    if from_embeddings is not None:
        from arcface_cli.cli.stored import enroll_stored

        return enroll_stored(from_embeddings, locals())
    from arcface_cli.cli.people import enroll_photographs

    return enroll_photographs(locals())
