"""The crops that a gallery keeps, as files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from arcface_cli.gallery.entries import StoredTemplate
from arcface_cli.output.files import make_folder, write_picture

_LONGEST_STEM = 150  # bytes; a file name holds 255


def save_crops(
    folder: Path, templates: Iterable[StoredTemplate], crop_of: Callable[[int], bytes | None]
) -> dict[int, Path]:
    """Write the crop of every template that has one as SUBJECT-NUMBER.png; the files, by template number.

    Each file appears whole; one of the same name that arcface wrote, which is of the same template, is
    replaced. A new folder is for its owner only. Raises OutputError, and UsageError where a photograph lies.
    """
    make_folder(folder, mode=0o700)
    files: dict[int, Path] = {}
    for template in templates:
        png = crop_of(template.template_id)
        if png is None:
            continue
        path = folder / f"{safe_stem(template.subject)}-{template.template_id}.png"
        write_picture(path, png)
        files[template.template_id] = path
    return files


def safe_stem(subject: str) -> str:
    """A person's name as the beginning of a file name: not elsewhere, hidden or too long."""
    kept = "".join(c if c.isalnum() or c in " ._-" else "_" for c in subject).strip(" .")
    return kept.encode()[:_LONGEST_STEM].decode(errors="ignore") or "_"
