"""`arcface align`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options


def align(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the crops and their manifest.", metavar="DIR")
    ],
    paths: options.Inputs = None,
    recursive: options.Recursive = False,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
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
    from arcface_cli.cli import build
    from arcface_cli.cli.batch import Batch, Target, open_sink
    from arcface_cli.output import records
    from arcface_cli.output.crops import MANIFEST, CropFolder
    from arcface_cli.workflows.align import align as run_align

    build.require_runtime()
    settings = build.settings_from(context.params).values
    photos = build.photos(context.params)
    batch = Batch(settings, fail_fast, verbose, build.counter(context.params))
    manifest = Target("align", settings.model_copy(update={"format": "jsonl"}), output / MANIFEST)
    keep = manifest.resume(photos, batch) if resume else None
    with open_sink(Target("align", settings)) as sink, CropFolder(output, keep) as folder:
        shop = build.workshop("align", settings, photos, recognise=False, faces="all", verbosity=verbose)
        results = run_align(shop.results(), folder.save)
        batch.run(
            sink, results, lambda photo, outcome: folder.noted(records.aligned(shop.run, photo, outcome))
        )
    batch.finish("align")
    return batch.tally.status()
