"""`enroll --sync`: compare, show the plan or carry it out. Networks are loaded only when needed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from arcface_cli import __version__
from arcface_cli.cli import build
from arcface_cli.cli.batch import Batch, Target, open_sink
from arcface_cli.cli.conditions import enrolling
from arcface_cli.cli.console import say
from arcface_cli.cli.enrolling import NAMED, mention_disagreements, mention_flat_folder, noted
from arcface_cli.cli.galleries import mention_network, mention_other_detector
from arcface_cli.cli.listing import show_rows
from arcface_cli.cli.pasting import PASTED
from arcface_cli.cli.tally import DONE, UNFINISHED
from arcface_cli.errors import UsageError
from arcface_cli.gallery.store import Gallery
from arcface_cli.inputs.names import printable
from arcface_cli.output.records import Run
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.settings import Settings
from arcface_cli.wording import command
from arcface_cli.workflows.agreement import Agreement
from arcface_cli.workflows.sync import Keeping, carry_out
from arcface_cli.workflows.sync_plan import Action, NobodyKnown, Plan, Step, compare


def sync_photographs(params: dict[str, Any]) -> int:
    """Synchronise the gallery with the folders that the parameters of `enroll` name; the exit status."""
    folders = folders_of(params)
    build.require_runtime()
    settings = build.settings_from(params).values
    plan = planned(settings, params, folders)
    if plan.to_embed:
        mention_flat_folder(params, settings)
    if params["dry_run"]:
        show_rows(plan_rows(plan, prune=params["prune"]), settings, ("action", "subject", "photo", "was"))
        _tell(plan, settings, folders, prune=params["prune"], done=False)
        unused = any(plan.counts[action] for action in UNUSED)
        return 3 if unused or (params["prune"] and plan.kept) else 0
    return carried_out(plan, settings, params)


def folders_of(params: dict[str, Any]) -> list[Path]:
    """The folders to synchronise with. Raises UsageError for what can't be compared as a whole."""
    if not params["sync"]:
        flag = "--prune" if params["prune"] else "--retry-refused"
        raise UsageError(f"{flag} goes with --sync", hint="add --sync")
    if params["name"] is not None or params["manifest"] is not None or params["from_embeddings"] is not None:
        raise UsageError(
            "--sync compares folders of people, so it goes with PATH alone", hint="name a folder"
        )
    folders = [Path(path) for path in params["paths"] or ()]
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"{folder}: is no folder, and --sync compares whole folders", hint="name a folder"
            )
    return folders


def planned(settings: Settings, params: dict[str, Any], folders: Sequence[Path]) -> Plan:
    """What there is to do. Raises GalleryModelMismatch before any photograph is read."""
    model = build.store(settings).resolve(settings.model, settings.detector)
    judges = None if params["retry_refused"] else enrolling(settings, model)
    photos = build.people(params)
    fingerprint = build.fingerprint_of(model, settings)
    gallery = Gallery.look_into(settings.gallery, fingerprint, keep_crops=settings.keep_crops)
    if gallery is None:
        return compare(photos, folders, NobodyKnown())
    with gallery:
        return compare(photos, folders, gallery, judges)


def carried_out(plan: Plan, settings: Settings, params: dict[str, Any]) -> int:
    """Do what the plan says, one record a photograph; the exit status."""
    agreement = Agreement()
    work = Batch(settings, params["fail_fast"], params["verbose"], lambda: len(plan.steps))
    model = build.store(settings).resolve(settings.model, settings.detector)
    run = Run("enroll", __version__, model.name, model.detector.entry.name, "none", settings.precision)
    results: Iterator[PhotoOutcome] = iter(())
    if plan.to_embed:
        shop = build.workshop(
            "enroll", settings, iter(plan.to_embed), recognise=True, faces="one", verbosity=params["verbose"]
        )
        run, results = shop.run, shop.results()
    with (
        open_sink(Target("enroll", settings, params["output"])) as sink,
        Gallery.open_or_create(
            settings.gallery,
            build.fingerprint_of(model, settings),
            model=run.model,
            detector=run.detector,
            keep_crops=settings.keep_crops,
        ) as gallery,
        closing(
            carry_out(
                plan,
                results,
                gallery,
                Keeping(run.detector, gallery.keeps_crops, enrolling(settings, model)),
                prune=params["prune"],
            )
        ) as outcomes,
    ):
        mention_network(settings)
        if plan.to_embed:
            mention_other_detector(gallery.detector, run.detector, settings)
        work.run(sink, outcomes, noted(agreement, run))
    mention_disagreements(agreement, settings, run.model)
    _tell(plan, settings, folders_of(params), prune=params["prune"], done=True)
    status = work.tally.status()
    return UNFINISHED if status == DONE and params["prune"] and plan.kept else status


def _tell(plan: Plan, settings: Settings, folders: Sequence[Path], *, prune: bool, done: bool) -> None:
    if settings.quiet:
        return
    say(summary(plan, prune=prune, done=done))
    held_back = emptied(plan, folders)
    if held_back is not None:
        say(held_back)


def summary(plan: Plan, *, prune: bool, done: bool) -> str:
    """One line: how many photographs of each kind, and what becomes of what is gone."""
    counts = plan.counts
    parts = [f"{counts[action]} {action}" for action in Action if counts[action]] or ["nothing to do"]
    line = f"sync: {', '.join(parts)}"
    if not counts[Action.VANISHED]:
        return line
    if not plan.is_whole:
        return f"{line}; nothing is pruned, for not everything could be read"
    if prune:
        return f"{line}; templates of vanished photographs {'were' if done else 'would be'} removed"
    return f"{line}; --prune removes the templates of vanished photographs"


REMOVED_AT_ONCE = 12
"""People whom one command that is proposed removes."""


def emptied(plan: Plan, folders: Sequence[Path]) -> str | None:
    """Whose folder is there without a photograph, and the next step if that is meant; None: nobody's."""
    people = list(dict.fromkeys(each.subject for each in plan.kept))
    if not people:
        return None
    names, more = people[:NAMED], len(people) - NAMED
    whose = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    folder, there, it = (
        ("folder", "is there and holds", "it is")
        if len(people) == 1
        else ("folders", "are there and hold", "they are")
    )
    told = f"the {folder} of {whose} {there} no photograph, so nothing of theirs is removed"
    if len(people) > REMOVED_AT_ONCE:
        whole = command("arcface enroll", *map(str, folders), sync=True, prune=True, dry_run=True)
        return f"{told}; see all of them with: {PASTED(whole)}"
    return f"{told}; if {it} to go: {PASTED(command('arcface gallery remove', *people))}"


UNUSED = (Action.ANOTHERS, Action.UNREADABLE, Action.UNNAMED)
"""Photographs that won't be enrolled, which the plan tells of for the first time."""

IDLE = (Action.UNCHANGED, Action.REFUSED)
"""Photographs with nothing to do about them."""


def plan_rows(plan: Plan, *, prune: bool) -> list[dict[str, Any]]:
    """What a synchronisation would change, in the order of the photographs; the others are left out."""
    rows = [_step_row(step) for step in plan.steps if step.action not in IDLE]
    gone = "removed" if prune and plan.is_whole else Action.VANISHED.value
    rows += [
        {"action": gone, "subject": each.subject, "photo": _shown(each.source_path), "was": None}
        for each in plan.vanished
    ]
    rows += [
        {"action": Action.KEPT.value, "subject": each.subject, "photo": _shown(each.source_path), "was": None}
        for each in plan.kept
    ]
    return rows


def _step_row(step: Step) -> dict[str, Any]:
    was = None if step.was is None else _shown(step.was)
    row = {
        "action": step.action.value,
        "subject": step.photo.subject,
        "photo": step.photo.display,
        "was": was,
    }
    return row if step.owner is None else row | {"was": f"{was} ({step.owner})"}


def _shown(path: bytes) -> str:
    return printable(os.fsdecode(path))
