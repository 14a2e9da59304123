"""What the `gallery` verbs do that change, move or examine a gallery."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from arcface_cli.cli.build import settings_from
from arcface_cli.cli.console import say
from arcface_cli.cli.listing import is_table, show_facts, show_lines, show_rows
from arcface_cli.cli.pasting import PASTED
from arcface_cli.errors import (
    ArcfaceError,
    GalleryDamaged,
    GalleryError,
    InvalidSubjectName,
    SubjectMissing,
    UsageError,
)
from arcface_cli.gallery import check, proof, writer_note
from arcface_cli.gallery.database import CHECK_HINT
from arcface_cli.gallery.entries import Refusal, StoredTemplate, new_name, subject_name
from arcface_cli.gallery.store import FILE_NAME, Gallery
from arcface_cli.inputs.names import printable
from arcface_cli.output.kept_crops import save_crops
from arcface_cli.output.provenance import refusal_row, template_row
from arcface_cli.settings import Settings
from arcface_cli.wording import counted
from arcface_cli.workflows.transfer import take_over

MAKE_ONE_WITH_CROPS = "make another with enroll --keep-crops -g DIR"

SEE_WHO = "see who is enrolled with: arcface gallery list"

FOUND = 1
"""Exit status of `check`, `audit` and `remove --verify` when they find something."""


def show(params: dict[str, Any], name: str, crops: Path | None) -> int:
    """All that is stored about a person: templates, and photographs that are remembered as unusable.

    crops: a folder for the kept crops, made if need be; None: they aren't written.
    """
    settings = settings_from(params).values
    with Gallery.open(settings.gallery) as gallery:
        if crops is not None and not gallery.keeps_crops:
            raise GalleryError(f"{settings.gallery}: keeps no crops", hint=MAKE_ONE_WITH_CROPS)
        templates, refusals = stored_about(gallery, as_stored(gallery, known_name(name)))
        files = {} if crops is None else save_crops(crops, templates, gallery.crop)
        rows = [template_row(each, files.get(each.template_id)) for each in templates]
        rows += map(refusal_row, refusals)
    shown = ["template", "source", "detection_score", "detector", "crop", "created"]
    show_rows(rows, settings, [*shown, "refused"] if refusals else shown)
    if crops is not None:
        _told(settings, f"{crops}: {counted(len(files), 'crop')} of {counted(len(templates), 'template')}")
    return 0


def rename(params: dict[str, Any], old: str, new: str) -> int:
    """Give a subject another name; with --mend, in place of a damaged one."""
    settings = settings_from(params).values
    mend: bool = params["mend"]
    before, after = known_name(old), given_name(new)
    with Gallery.open(settings.gallery, writable=True) as gallery:
        before = as_stored(gallery, before)
        if before == after and not mend:
            gallery.templates_of(before)
            _told(settings, f"{before} is called so already")
            return 0
        gallery.rename(before, after, mend=mend)
    _told(settings, f"{before} is called {after} now")
    return 0


def known_name(text: str, hint: str = SEE_WHO) -> str:
    """A person's name as it is stored. Raises InvalidSubjectName for what is nobody's."""
    try:
        return subject_name(text)
    except InvalidSubjectName as error:
        raise InvalidSubjectName(error.message, hint=hint) from error


def given_name(text: str) -> str:
    """A person's name as it is to be. Raises InvalidSubjectName for what nobody can be called."""
    try:
        return new_name(text)
    except InvalidSubjectName as error:
        raise InvalidSubjectName(error.message, hint="choose another name: one line of text") from error


def as_stored(gallery: Gallery, name: str) -> str:
    """Without blanks around it, as names are given today, unless somebody older is called so with them."""
    trimmed = name.strip()
    if name == trimmed:
        return name
    try:
        stored_about(gallery, name)
    except SubjectMissing:
        return trimmed
    return name


def merge(params: dict[str, Any], names: Sequence[str], into: str) -> int:
    """Make several subjects one. Raises UsageError for one who is merged with nobody else."""
    settings = settings_from(params).values
    names, target = list(map(known_name, names)), known_name(into)
    with Gallery.open(settings.gallery, writable=True) as gallery:
        target = as_stored(gallery, target)
        names = [name for name in dict.fromkeys(as_stored(gallery, name) for name in names) if name != target]
        if not names:
            raise UsageError(
                f"{target} is one person already",
                hint="name another: arcface gallery merge NAME... --into NAME",
            )
        count = gallery.merge(names, target)
    belong = "belongs" if count == 1 else "belong"
    _told(settings, f"{counted(count, 'template')} of {', '.join(names)} {belong} to {target} now")
    return 0


def remove(params: dict[str, Any], names: Sequence[str], template_ids: Sequence[int]) -> int:
    """Remove subjects and single templates, after asking; with --verify, prove that nothing is left."""
    settings = settings_from(params).values
    names = [known_name(name) for name in dict.fromkeys(names)]
    template_ids = list(dict.fromkeys(template_ids))
    if not names and not template_ids:
        raise UsageError("nobody was named", hint="arcface gallery remove NAME, or --template N")
    with Gallery.open(settings.gallery, writable=not params["dry_run"]) as gallery:
        names = list(dict.fromkeys(as_stored(gallery, name) for name in names))
        ids, refused = _to_remove(gallery, names, template_ids)
        whom = ", ".join([*names, *(f"template {number}" for number in template_ids)])
        what = counted(len(ids), "template")
        what += f" and {counted(refused, 'refused photograph')}" if refused else ""
        if params["dry_run"]:
            say(f"would remove {what}: {whom}")
            return 0
        if not params["yes"] and not confirmed(f"remove {what} ({whom})?"):
            say("nothing was removed")
            return 0
        needles = gallery.needles_of(ids, names) if params["verify"] else []
        gallery.remove_templates(ids, forgetting=names)
        _told(settings, f"removed {what}: {whom}")
        return prove_gone(gallery, needles) if params["verify"] else 0


def _to_remove(gallery: Gallery, names: Sequence[str], template_ids: Sequence[int]) -> tuple[list[int], int]:
    """Numbers of the templates that go, and how many refused photographs are forgotten with their person."""
    stored = [stored_about(gallery, name) for name in names]
    ids = [template.template_id for templates, _ in stored for template in templates]
    for number in template_ids:
        gallery.require_template(number)  # no more than that: a damaged one goes as well
    return list(dict.fromkeys([*ids, *template_ids])), sum(len(refusals) for _, refusals in stored)


def stored_about(gallery: Gallery, name: str) -> tuple[list[StoredTemplate], list[Refusal]]:
    """All that is stored about a person. Raises SubjectMissing for one of whom nothing is."""
    refusals = gallery.refusals_of(name)
    try:
        return gallery.templates_of(name), refusals
    except SubjectMissing:
        if not refusals:
            raise
        return [], refusals


def confirmed(question: str) -> bool:
    """The answer of whoever sits there. Raises UsageError where nobody does: nothing goes unasked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{question} without a terminal nobody can be asked",
            hint="add --yes; --dry-run says what would go",
        )
    sys.stderr.write(f"arcface: {printable(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def prove_gone(gallery: Gallery, needles: Sequence[proof.Needle]) -> int:
    """Look for what was removed in every file of the gallery, once more after rewriting it if need be."""
    if not gallery.empty_log():
        say(
            "another process reads from the gallery, whose log can't be emptied meanwhile; "
            f"once it has ended: {PASTED('arcface gallery compact')}"
        )
        return FOUND
    left = proof.traces(gallery.directory, needles)
    if left:
        gallery.compact()
        left = proof.traces(gallery.directory, needles)
    for trace in left:
        say(f"still there: {trace}")
    if left:
        return FOUND
    pieces = counted(len(needles), "piece")
    say(f"verified: none of {pieces} of what was removed is in any file of {gallery.directory}")
    return 0


def export(params: dict[str, Any], target: Path) -> int:
    """Write the gallery into one file. Raises UsageError for -: it is read back from a file, never a pipe."""
    if str(target) == "-":
        raise UsageError("- is standard output, and an export is a file", hint="name a file: faces.arcface")
    settings = settings_from(params).values
    with Gallery.open(settings.gallery) as gallery:
        gallery.export(target)
        stats = gallery.stats()
    _told(
        settings,
        f"{target}: {counted(stats.templates, 'template')} of {counted(stats.subjects, 'subject')}, "
        "private: it holds faces",
    )
    return 0


def import_(params: dict[str, Any], source: Path) -> int:
    """Take the templates of an exported file; the gallery is made if there is none."""
    settings = settings_from(params).values
    with Gallery.open_exported(source) as exported:
        made = take_over(exported, settings.gallery, settings.keep_crops, str(source))
    if made.calibration_left:
        _told(
            settings,
            f"{settings.gallery}: keeps its own threshold; the calibration in {source} was not taken",
        )
    for entry, there in made.elsewhere:
        photograph = os.fsdecode(entry.source_path)
        owner = f"{there.subject} (template {there.template_id})"
        _told(settings, f"{photograph}: this face is enrolled as {owner}, not {entry.subject}")
    more = made.counts["enrolled_as_another"] - len(made.elsewhere)
    if more:
        _told(settings, f"and {more:,} more")
    show_facts({"file": printable(str(source)), **made.counts, "refusals": made.refusals}, settings)
    return 3 if made.counts["enrolled_as_another"] else 0


def check_gallery(params: dict[str, Any]) -> int:
    """Tell of everything that is wrong with a gallery; status 1 if anything is."""
    settings = settings_from(params).values
    if not settings.gallery.is_dir():
        Gallery.open(settings.gallery).close()  # raises what says why
    found = list(check.folder_findings(settings.gallery, FILE_NAME))
    try:
        with Gallery.open(settings.gallery) as gallery:
            found += gallery.findings()
            templates = gallery.stats().templates
    except GalleryDamaged as error:
        found.append(_unreadable(settings, error))
        templates = 0
    writer = writer_note.read(settings.gallery)
    if writer is not None and not settings.quiet:
        state = (
            "was ended before it had finished; its note blocks nobody" if writer.is_gone else "is writing now"
        )
        say(f"{writer.described} {state}")
    found = [replace(each, mend=PASTED(each.mend)) for each in found]
    rows = [{key: value for key, value in asdict(each).items() if value is not None} for each in found]
    if is_table(settings):
        show_lines([line for each in found for line in _lines(each)])
    else:
        show_rows(rows, settings, ("code", "where", "problem", "mend"))
    if not settings.quiet:
        told = f"{counted(len(found), 'finding')}, {counted(templates, 'template')}"
        say(f"check: {told}, {settings.gallery}")
    return FOUND if found else 0


def _lines(found: check.Finding) -> tuple[str, str]:
    return f"{found.code:20}{found.where}: {found.problem}", f"{'':20}mend: {found.mend}"


def _unreadable(settings: Settings, error: ArcfaceError) -> check.Finding:
    """What keeps a gallery from being read to its end. Its own hint leads here, to `gallery check`."""
    mend = error.hint if error.hint not in (None, CHECK_HINT) else check.BROKEN_PAGES
    return check.Finding("damaged", str(settings.gallery), error.message, mend)


def compact(params: dict[str, Any]) -> int:
    """Give back the space of what was removed."""
    settings = settings_from(params).values
    with Gallery.open(settings.gallery, writable=True, mending=True) as gallery:
        before = gallery.size
        gallery.compact()
        after = gallery.size
    _told(settings, f"{settings.gallery}: {before:,} bytes before, {after:,} now")
    return 0


def _told(settings: Settings, text: str) -> None:
    """Say it, unless -q."""
    if not settings.quiet:
        say(text)
