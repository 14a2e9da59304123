"""What `align` does once its flags are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from arcface_cli.cli import build
from arcface_cli.cli.batch import Batch, Target, open_sink
from arcface_cli.cli.conditions import aligning
from arcface_cli.cli.pictures import sheets
from arcface_cli.output import records
from arcface_cli.output.crops import MANIFEST, CropFolder, require_own_manifest
from arcface_cli.output.files import make_folder
from arcface_cli.workflows.align import align


def align_photographs(params: dict[str, Any]) -> int:
    """Cut out the faces of what the parameters of `align` name; return the exit status."""
    build.require_runtime()
    settings = build.settings_from(params).values
    output: Path = params["output"]
    photos = build.photos(params, into=output)
    resume: bool = params["resume"]
    if not resume:
        require_own_manifest(output)
    verbosity: int = params["verbose"]
    batch = Batch(settings, params["fail_fast"], verbosity, build.counter(params, into=output))
    manifest = Target("align", replace(settings, format="jsonl"), output / MANIFEST)
    made_with = aligning(settings)
    make_folder(output)
    earlier = manifest.resume(photos, batch.tally, made_with) if resume else None
    with open_sink(Target("align", settings)) as sink, CropFolder(output, earlier) as folder:
        shop = build.workshop(
            "align",
            settings,
            photos,
            recognise=False,
            faces="all",
            verbosity=verbosity,
            made_with=made_with,
            streamed=build.is_streamed(params),
        )
        with sheets(params["sheet"], folder.save, resume=resume, quiet=settings.quiet) as save:
            results = align(shop.results(), save)
            batch.run(
                sink, results, lambda photo, outcome: folder.noted(records.aligned(shop.run, photo, outcome))
            )
    batch.finish("align")
    return batch.tally.status()
