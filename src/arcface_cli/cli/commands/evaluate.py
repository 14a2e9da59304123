"""`arcface evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from arcface_cli.cli import options

PROTOCOL, ANSWER = "Protocol", "Answer"


def _option(*names: str, metavar: str | None = None, help: str, panel: str = PROTOCOL, **more: Any) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=panel, **more)


Source = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        parser=options.path,
        help="A folder with a folder for each person, or an InsightFace .bin.",
        show_default=False,
    ),
]
Pairs = Annotated[Path | None, _option(metavar="FILE", help="Pairs to compare: LFW's pairs.txt, or CSV.")]
GalleryList = Annotated[
    Path | None, _option("--gallery", metavar="FILE", help="CSV of the photographs to enroll.")
]
Probes = Annotated[Path | None, _option(metavar="FILE", help="CSV of the photographs to search with.")]
EnrollFirst = Annotated[
    int | None, _option(metavar="K", help="Enroll the first K of each person, search with the others.")
]
Strangers = Annotated[
    Path | None,
    _option(metavar="DIR", help="People who aren't enrolled, a folder each.", parser=options.path),
]
Distractors = Annotated[
    Path | None, _option(metavar="DIR", help="Further people to enroll among.", parser=options.path)
]
Sizes = Annotated[str | None, _option(metavar="N,N", help="How many distractors; default 10, 100...")]
Attributes = Annotated[
    Path | None, _option(metavar="FILE", help="CSV with a row a person, for rates by group.")
]
GroupBy = Annotated[str | None, _option(metavar="COLUMN", help="Column of --attributes.")]
Claims = Annotated[
    list[str] | None,
    _option(
        "--assert",
        metavar="CLAIM",
        help="Status 1 unless it holds: 'FNIR@FPIR=0.01<=0.05'.",
        panel=ANSWER,
    ),
]
Report = Annotated[Path | None, _option(metavar="FILE.html", help="Write a report, one file.", panel=ANSWER)]
Save = Annotated[Path | None, _option(metavar="RUN", help="Keep the scores for --compare.", panel=ANSWER)]
Compare = Annotated[
    tuple[Path, Path] | None,
    _option(metavar="RUN RUN", help="Two saved runs side by side.", panel=ANSWER),
]
Cache = Annotated[bool, typer.Option("--cache/--no-cache", help="Remember templates by content.")]


def evaluate(
    source: Source = None,
    pairs: Pairs = None,
    gallery_list: GalleryList = None,
    probes: Probes = None,
    enroll: EnrollFirst = None,
    strangers: Strangers = None,
    distractors: Distractors = None,
    sizes: Sizes = None,
    attributes: Attributes = None,
    by: GroupBy = None,
    claims: Claims = None,
    report: Report = None,
    save: Save = None,
    compare: Compare = None,
    threshold: options.Threshold = None,
    max_distance: options.MaxDistance = None,
    metric: options.Metric = None,
    model: options.Model = None,
    detector: options.Detector = None,
    device: options.Device = None,
    precision: options.Precision = None,
    tensorrt: options.TensorRT = None,
    flip: options.Flip = None,
    faces: options.FaceChoice = None,
    min_face: options.MinFace = None,
    det_score: options.DetScore = None,
    output: options.OutputFile = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    cache: Cache = True,
    batch: options.Batch = None,
    jobs: options.Jobs = None,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Error rates from labelled photographs, each with the interval that the data allow.

    Example: [bold]arcface evaluate --pairs pairs.txt ./lfw --report lfw.html[/bold]
    """
    from arcface_cli.cli import build, evaluating
    from arcface_cli.cli.embedding import Embedder

    loaded = build.settings_from(locals())
    if compare is not None:
        return evaluating.compared(*compare, loaded.values, output)
    request = evaluating.Request(
        source, pairs, gallery_list, probes, enroll, strangers, distractors, sizes, attributes, by
    )
    point = evaluating.threshold_of(loaded)
    with Embedder("evaluate", loaded, cached=cache, verbosity=verbose) as embedder:
        return evaluating.answer(request, embedder, point, loaded.values, claims or [], output, report, save)
