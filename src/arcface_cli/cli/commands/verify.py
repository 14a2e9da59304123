"""`arcface verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from arcface_cli.cli import options


def verify(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A photograph.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    threshold: options.Threshold = None,
    max_distance: options.MaxDistance = None,
    metric: options.Metric = None,
    model: options.Model = None,
    detector: options.Detector = None,
    device: options.Device = None,
    precision: options.Precision = None,
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
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Do two photographs show the same person? Status 0: yes, 1: no; never either without two faces.

    Of several faces the largest counts, unless --faces says otherwise.

    Example: [bold]if arcface verify -q a.jpg b.jpg; then echo same; fi[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.batch import Target, open_sink
    from arcface_cli.cli.pairs import answer, pair_of

    build.require_runtime()
    loaded = build.settings_from(context.params)
    settings, photos = loaded.values, pair_of(first, second)
    point = build.operating_point(loaded)
    with open_sink(Target("verify", settings, output, status_only=True)) as sink:
        shop = build.workshop(
            "verify", settings, iter(photos), recognise=True, faces="largest", verbosity=verbose
        )
        return answer(shop, photos, point, sink, quiet=settings.quiet)
