"""`arcface gallery`: who is enrolled, what is stored, and everything that is done to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.cli import options
from arcface_cli.cli.once import Verbs

app = Verbs(help="See, mend, move and examine who is enrolled.", no_args_is_help=True)


@app.command("list")
def list_subjects(
    gallery: options.Gallery = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
) -> int:
    """Everybody in the gallery, by name.

    Example: [bold]arcface gallery list[/bold]
    """
    from dataclasses import asdict

    from arcface_cli.cli import build
    from arcface_cli.cli.listing import show_rows
    from arcface_cli.gallery.store import Gallery

    settings = build.settings_from(locals()).values
    with Gallery.open(settings.gallery) as opened:
        rows = [asdict(subject) for subject in opened.subjects()]
    renamed = [{"subject": row.pop("name"), **row} for row in rows]
    show_rows(renamed, settings, ("subject", "templates", "first_enrolled", "last_enrolled"))
    return 0


@app.command("show")
def show_subject(
    name: Annotated[str, typer.Argument(help="The person.", metavar="NAME", show_default=False)],
    crops: Annotated[
        Path | None,
        typer.Option(
            help="Write the kept crops there, a PNG a template.", metavar="DIR", parser=options.path
        ),
    ] = None,
    gallery: options.Gallery = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
) -> int:
    """All that is stored about a person: each template with the photograph it comes from.

    Photographs that enroll --sync refused, and remembers so as not to look at them again, stand there too.

    Example: [bold]arcface gallery show alice --crops ./alice/[/bold]
    """
    from arcface_cli.cli import curating

    return curating.show(locals(), name, crops)


@app.command("stats")
def stats(
    gallery: options.Gallery = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
) -> int:
    """Counts, model, size on disk, and the threshold that identify goes by.

    Example: [bold]arcface gallery stats --json[/bold]
    """
    from arcface_cli.cli import build
    from arcface_cli.cli.calibrated import gallery_point, stored_calibration
    from arcface_cli.cli.listing import show_facts
    from arcface_cli.gallery.store import Gallery
    from arcface_cli.output.provenance import stats_row

    loaded = build.settings_from(locals())
    with Gallery.open(loaded.values.gallery) as opened:
        known = stored_calibration(opened)
        point = build.stated_point(loaded.values, opened.model) if known is None else gallery_point(known)
        row = stats_row(opened.stats(), point, known)
    show_facts(row, loaded.values)
    return 0


@app.command("rename")
def rename(
    old: Annotated[str, typer.Argument(help="The name now.", metavar="OLD", show_default=False)],
    new: Annotated[str, typer.Argument(help="The name to be.", metavar="NEW", show_default=False)],
    mend: Annotated[
        bool, typer.Option("--mend", help="Write a damaged name anew, as check proposes; NEW may be OLD.")
    ] = False,
    gallery: options.Gallery = None,
    quiet: options.Quiet = None,
) -> int:
    """Give a person another name, which nobody has yet.

    Example: [bold]arcface gallery rename "A. Lovelace" ada[/bold]
    """
    from arcface_cli.cli import curating

    return curating.rename(locals(), old, new)


@app.command("merge")
def merge(
    names: Annotated[
        list[str], typer.Argument(help="Those who are one person.", metavar="NAME...", show_default=False)
    ],
    into: Annotated[str, typer.Option(help="Who they are.", metavar="NAME", show_default=False)],
    gallery: options.Gallery = None,
    quiet: options.Quiet = None,
) -> int:
    """Make several people one: their templates go to --into, their names go.

    Example: [bold]arcface gallery merge ada2 "A. Lovelace" --into ada[/bold]
    """
    from arcface_cli.cli import curating

    return curating.merge(locals(), names, into)


@app.command("remove")
def remove(
    names: Annotated[
        list[str] | None, typer.Argument(help="The people.", metavar="[NAME]...", show_default=False)
    ] = None,
    template: Annotated[
        list[int] | None, typer.Option(help="One template, by its number; can be repeated.", metavar="N")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Look for it in every file afterwards; status 1 if it is there."),
    ] = False,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    gallery: options.Gallery = None,
    quiet: options.Quiet = None,
) -> int:
    """Remove people, or single templates, for good: features, crops, paths, hashes and cached vectors.

    Asks first; in a script, where nobody can be asked, it ends with 2 unless --yes says so.

    Example: [bold]arcface gallery remove alice --verify[/bold]
    """
    from arcface_cli.cli import curating

    return curating.remove(locals(), names or [], template or [])


@app.command("export")
def export(
    file: Annotated[
        Path,
        typer.Argument(
            help="A file that doesn't exist yet.", metavar="FILE", parser=options.path, show_default=False
        ),
    ],
    gallery: options.Gallery = None,
    quiet: options.Quiet = None,
) -> int:
    """Write everything into one file, also while others use the gallery (docs/gallery-format.md).

    Example: [bold]arcface gallery export faces.arcface[/bold]
    """
    from arcface_cli.cli import curating

    return curating.export(locals(), file)


@app.command("import")
def import_gallery(
    file: Annotated[
        Path,
        typer.Argument(help="What export wrote.", metavar="FILE", parser=options.path, show_default=False),
    ],
    gallery: options.Gallery = None,
    keep_crops: options.KeepCrops = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    quiet: options.Quiet = None,
) -> int:
    """Take all that an exported file holds; what is enrolled already is left alone.

    A new gallery becomes the exported one, calibration and times included; one that is there keeps its own.

    Example: [bold]arcface gallery import faces.arcface[/bold]
    """
    from arcface_cli.cli import curating

    return curating.import_(locals(), file)


@app.command("check")
def check(
    gallery: options.Gallery = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    quiet: options.Quiet = None,
) -> int:
    """Read every byte and hold it to its checksum. Status 1 with findings, each with a way to mend it.

    Example: [bold]arcface gallery check[/bold]
    """
    from arcface_cli.cli import curating

    return curating.check_gallery(locals())


@app.command("compact")
def compact(gallery: options.Gallery = None, quiet: options.Quiet = None) -> int:
    """Give the space of what was removed back to the disk.

    Example: [bold]arcface gallery compact[/bold]
    """
    from arcface_cli.cli import curating

    return curating.compact(locals())


@app.command("audit")
def audit(
    html: Annotated[
        Path | None,
        typer.Option(
            help="Also write a page with the faces side by side.", metavar="FILE", parser=options.path
        ),
    ] = None,
    gallery: options.Gallery = None,
    threshold: options.Threshold = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    quiet: options.Quiet = None,
) -> int:
    """Look for mislabels, one person under two names, near-duplicates and photographs like everybody.

    Status 1 when there is something to look at. Nothing is changed: commands are proposed.

    Example: [bold]arcface gallery audit --html audit.html[/bold]
    """
    from arcface_cli.cli.auditing import audit_gallery

    return audit_gallery(locals(), html)


@app.command("reembed")
def reembed(
    model: options.Model = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Let templates go whose crop and photograph are gone.")
    ] = False,
    dry_run: options.DryRun = False,
    gallery: options.Gallery = None,
    threshold: options.Threshold = None,
    device: options.Device = None,
    precision: options.Precision = None,
    tensorrt: options.TensorRT = None,
    flip: options.Flip = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    quiet: options.Quiet = None,
) -> int:
    """Move the gallery to another model, from kept crops or from the photographs, whole or not at all.

    Lists the templates that the gallery's other templates answer differently for by the new model.

    Example: [bold]arcface gallery reembed -m buffalo_l --dry-run[/bold]
    """
    from arcface_cli.cli.reembedding import reembed_gallery

    return reembed_gallery(locals())
