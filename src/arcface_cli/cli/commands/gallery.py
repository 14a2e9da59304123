"""`arcface gallery`: list, show, stats."""

from __future__ import annotations

from typing import Annotated

import typer

from arcface_cli.cli import options

app = typer.Typer(help="See who is enrolled, and what is stored about them.", no_args_is_help=True)


@app.command("list")
def list_subjects(
    context: typer.Context,
    gallery: options.Gallery = None,
    format: options.OutputFormat = None,
    json: options.AsJson = False,
) -> int:
    """Everybody in the gallery, by name.

    Example: [bold]arcface gallery list[/bold]
    """
    from dataclasses import asdict

    from arcface_cli.cli import build
    from arcface_cli.cli.listing import show_rows
    from arcface_cli.gallery.store import Gallery

    settings = build.settings_from(context.params).values
    with Gallery.open(settings.gallery) as opened:
        rows = [asdict(subject) for subject in opened.subjects()]
    renamed = [{"subject": row.pop("name"), **row} for row in rows]
    show_rows(renamed, settings, ("subject", "templates", "first_enrolled", "last_enrolled"))
    return 0


@app.command("show")
def show_subject(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The person.", metavar="NAME", show_default=False)],
    gallery: options.Gallery = None,
    format: options.OutputFormat = None,
    json: options.AsJson = False,
) -> int:
    """All that is stored about a person: each template with the photograph it comes from.

    Example: [bold]arcface gallery show alice[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.listing import show_rows
    from arcface_cli.gallery.store import Gallery
    from arcface_cli.output.provenance import template_row

    settings = build.settings_from(context.params).values
    with Gallery.open(settings.gallery) as opened:
        rows = [template_row(template) for template in opened.templates_of(name)]
    show_rows(rows, settings, ("template", "source", "detection_score", "detector", "created"))
    return 0


@app.command("stats")
def stats(
    context: typer.Context,
    gallery: options.Gallery = None,
    format: options.OutputFormat = None,
    json: options.AsJson = False,
) -> int:
    """Counts, model, size on disk, and the threshold that identify goes by.

    Example: [bold]arcface gallery stats --json[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.listing import show_facts
    from arcface_cli.gallery.store import Gallery
    from arcface_cli.output.provenance import stats_row

    loaded = build.settings_from(context.params)
    with Gallery.open(loaded.values.gallery) as opened:
        row = stats_row(opened.stats(), build.stated_point(loaded.values, opened.model))
    show_facts(row, loaded.values)
    return 0
