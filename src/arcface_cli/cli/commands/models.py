"""`arcface models`: list, pull, import, verify, show, use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from arcface_cli.cli import options
from arcface_cli.cli.once import Verbs

app = Verbs(help="Weights: what there is, what is installed, under which licence.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(help="Pack, detector or recogniser.", metavar="NAME", show_default=False)
]
AcceptLicense = Annotated[
    bool, typer.Option("--accept-license", help="Accept a licence that restricts use; this is recorded.")
]


@app.command("list")
def list_models(
    format: options.FormatOfList = None,
    json: options.AsJson = False,
) -> int:
    """Packs, detectors and recognisers, with licence and size; the default pack is marked.

    Example: [bold]arcface models list[/bold]
    """
    from dataclasses import asdict

    from arcface_cli.cli import build
    from arcface_cli.cli.listing import show_rows
    from arcface_cli.workflows import models

    settings = build.settings_from(locals()).values
    rows = [asdict(row) for row in models.list_models(build.store(settings))]
    for row in rows:
        row["megabytes"] = None if row["bytes"] is None else round(row["bytes"] / 1e6, 1)
    show_rows(rows, settings, ("name", "kind", "installed", "default", "megabytes", "licences", "summary"))
    return 0


@app.command("pull")
def pull(
    names: Annotated[
        list[str],
        typer.Argument(help="Packs, detectors or recognisers.", metavar="NAME...", show_default=False),
    ],
    via: Annotated[
        Literal["insightface"] | None, typer.Option(help="Let insightface's own model zoo fetch it.")
    ] = None,
    accept_license: AcceptLicense = False,
    offline: options.Offline = None,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
) -> int:
    """Fetch weights from the first source that serves them; nothing is believed but its SHA-256.

    A pulled pack becomes the default, unless one was chosen with `models use`.

    Example: [bold]arcface models pull compact[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.weights import pull_all, pull_via_insightface

    settings = build.settings_from(locals()).values
    if via is None:
        return pull_all(settings, names, accept_license=accept_license)
    return pull_via_insightface(settings, names, accept_license=accept_license)


@app.command("import")
def import_file(
    path: Annotated[
        Path,
        typer.Argument(
            help="An ONNX file, or a folder of them.",
            metavar="FILE",
            parser=options.path,
            show_default=False,
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name for your own recogniser.", metavar="NAME")] = None,
    colour: Annotated[
        Literal["rgb", "bgr"] | None, typer.Option("--colour", "--color", help="Channel order it takes.")
    ] = None,
    mean: Annotated[float | None, typer.Option(help="Subtracted from 0..255, e.g. 127.5.")] = None,
    scale: Annotated[float | None, typer.Option(help="Then divided by, e.g. 127.5.")] = None,
    in_graph: Annotated[bool, typer.Option("--in-graph", help="The graph normalises pixels itself.")] = False,
    accept_license: AcceptLicense = False,
    quiet: options.Quiet = None,
) -> int:
    """Take weights from disk: a file of the catalogue (known by its hash), your own, or insightface's folder.

    Example: [bold]arcface models import ~/.insightface/models/buffalo_l[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.weights import import_from
    from arcface_cli.workflows.models import OwnModel

    settings = build.settings_from(locals()).values
    own = OwnModel(name, colour, mean, scale, in_graph)
    return import_from(settings, path, own, accept_license=accept_license)


@app.command("verify")
def verify(
    format: options.FormatOfList = None,
    json: options.AsJson = False,
) -> int:
    """Hash every installed file anew. Status 1 if one is damaged.

    Example: [bold]arcface models verify[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.listing import show_rows
    from arcface_cli.workflows.models import verify_files

    settings = build.settings_from(locals()).values
    rows = [
        {
            "model": found.model,
            "file": found.file.name,
            "soundness": found.soundness,
            "mend": found.mend,
            "sha256": found.file.sha256,
            "path": str(found.path),
        }
        for found in verify_files(build.store(settings))
    ]
    show_rows(rows, settings, ("model", "file", "soundness", "mend"))
    return 0 if all(row["soundness"] == "sound" for row in rows) else 1


@app.command("show")
def show(
    name: Name,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
) -> int:
    """Everything that is known of a model: files, licence, preprocessing, thresholds, model card.

    Example: [bold]arcface models show compact[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.weights import show_details

    settings = build.settings_from(locals()).values
    show_details(settings, name)
    return 0


@app.command("use")
def use(name: Name) -> int:
    """Make an installed pack or recogniser the default, whatever is pulled later.

    Example: [bold]arcface models use compact[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.console import say
    from arcface_cli.workflows.models import use_model

    settings = build.settings_from(locals()).values
    use_model(build.store(settings), name)
    say(f"{name} is the default now")
    return 0
