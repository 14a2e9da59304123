"""What `gallery audit` does: examine, tell as a table or JSON, write the page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from arcface_cli.cli.build import said_point, settings_from, stated_point
from arcface_cli.cli.console import say
from arcface_cli.cli.curating import FOUND
from arcface_cli.cli.listing import is_table, show_facts, show_lines, show_rows
from arcface_cli.cli.options import STDOUT_NAMES
from arcface_cli.cli.pasting import PASTED
from arcface_cli.errors import ArcfaceError, NoOperatingPoint, UsageError
from arcface_cli.gallery.audit import Audit, Suspicion, audit
from arcface_cli.gallery.entries import StoredTemplate
from arcface_cli.gallery.store import Gallery
from arcface_cli.imaging.geometry import encode_png
from arcface_cli.output.audit_page import audit_page
from arcface_cli.output.files import whole_file
from arcface_cli.settings import LoadedSettings
from arcface_cli.wording import counted
from arcface_cli.workflows.crops import crop_or_reason

COLUMNS = ("kind", "templates", "subjects", "similarity", "own", "reason")


def audit_gallery(params: dict[str, Any], page: Path | None) -> int:
    """Examine a gallery; status 1 when there is something to look at."""
    if page is not None and str(page) in STDOUT_NAMES:
        raise UsageError(
            f"--html {page}: findings go to standard output, so the page can't",
            hint="name a file: audit.html",
        )
    loaded = settings_from(params)
    settings = loaded.values
    with Gallery.open(settings.gallery) as gallery:
        threshold = threshold_for(loaded, gallery.model)
        templates = {each.template_id: each for each in gallery.templates()}
        found = _to_paste(audit(gallery.snapshot(), threshold, templates, file_size))
        if page is not None:
            write_page(page, str(settings.gallery), found, templates, gallery)
    if settings.format == "json":
        show_facts(document(found, threshold), settings)
    else:
        show_rows([_row(each) for each in found.suspicions], settings, COLUMNS, (*COLUMNS, "commands"))
    if is_table(settings):
        show_lines([line for each in found.suspicions for line in _proposed(each)])
    if not settings.quiet:
        seen = f"{counted(len(found.suspicions), 'suspicion')} in {counted(len(templates), 'template')}"
        say(f"audit: {seen}; nothing was changed")
    return FOUND if found.suspicions else 0


def _to_paste(found: Audit) -> Audit:
    """The audit with commands that name its gallery."""
    suspicions = [replace(each, commands=tuple(map(PASTED, each.commands))) for each in found.suspicions]
    return replace(found, suspicions=tuple(suspicions))


def file_size(template: StoredTemplate) -> int | None:
    """Bytes of a template's photograph; None where it is gone."""
    try:
        return Path(os.fsdecode(template.source_path)).stat().st_size
    except (OSError, ValueError):
        return None


def threshold_for(loaded: LoadedSettings, model: str | None) -> float:
    """The user's threshold, else the catalogue's for the gallery's model. Raises NoOperatingPoint."""
    said = said_point(loaded)
    point = stated_point(loaded.values, model) if said is None else said
    if point is None:
        raise NoOperatingPoint(
            f"no error rate has been measured for {model}, so there is no threshold to go by",
            hint="give one with --threshold S",
        )
    return point.threshold


def write_page(
    page: Path, name: str, found: Audit, templates: dict[int, StoredTemplate], gallery: Gallery
) -> None:
    """Write the page, whole or not at all."""
    members: dict[str, list[int]] = {}
    for number, each in templates.items():
        members.setdefault(each.subject, []).append(number)

    def crop(number: int) -> bytes | None:
        made = crop_or_reason(templates[number], gallery.crop)
        return None if isinstance(made, ArcfaceError) else encode_png(made)

    text = audit_page(name, found, templates, members, crop)
    with whole_file(page) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
    page.chmod(0o600)


def document(found: Audit, threshold: float) -> dict[str, Any]:
    """The audit as one JSON object: suspicions, and every template."""
    return {
        "threshold": threshold,
        "suspicions": [_row(each) for each in found.suspicions],
        "templates": [
            {
                "template": each.template_id,
                "subject": each.subject,
                "own": _rounded(each.own),
                "nearest": each.nearest,
                "nearest_similarity": _rounded(each.nearest_similarity),
                "attracts": each.attracts,
            }
            for each in found.templates
        ],
    }


def _proposed(found: Suspicion) -> Iterator[str]:
    """Its commands, to stand below the table."""
    numbers = ", ".join(map(str, found.templates))
    return (f"{found.kind} {numbers}, if it is so: {each}" for each in found.commands)


def _row(found: Suspicion) -> dict[str, Any]:
    return {
        "kind": found.kind.value,
        "templates": list(found.templates),
        "subjects": list(found.subjects),
        "similarity": round(found.similarity, 6),
        "own": _rounded(found.own),
        "reason": found.reason,
        "commands": list(found.commands),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
