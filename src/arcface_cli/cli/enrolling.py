"""What `enroll` says to people about who is taken for whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arcface_cli.cli.build import stated_point
from arcface_cli.cli.console import say
from arcface_cli.cli.pasting import PASTED
from arcface_cli.faces import Outcome
from arcface_cli.inputs.folders import flat_folder
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.records import Run, enrolled
from arcface_cli.results import EnrolledPhoto
from arcface_cli.settings import Settings
from arcface_cli.wording import command, counted
from arcface_cli.workflows.agreement import FAR_BELOW, Agreement, Disagreement

NAMED = 3
"""People whose photographs disagree that are named; of more, the audit tells."""


def mention_flat_folder(params: dict[str, Any], settings: Settings) -> None:
    """Tell that photographs directly in a folder are taken for one person's, before it is done."""
    if settings.quiet or params["name"] is not None or params["manifest"] is not None:
        return
    flat = flat_folder(params["paths"] or ())
    if flat is not None:
        say(
            f"{flat.photographs} photographs directly in {printable(str(flat.folder))} are enrolled as one "
            f"person, {flat.subject}; if they are several people's, put each person's into a folder of their "
            "own, or use --manifest"
        )


def noted(agreement: Agreement, run: Run) -> Callable[[Photo, Outcome[EnrolledPhoto]], dict[str, Any]]:
    """Makes the record of an outcome, which the agreement notes by the way."""

    def record(photo: Photo, outcome: Outcome[EnrolledPhoto]) -> dict[str, Any]:
        agreement.note(outcome)
        return enrolled(run, photo, outcome)

    return record


def mention_disagreements(agreement: Agreement, settings: Settings, model: str | None) -> None:
    """Tell of people whose photographs of this run plainly look like several people's.

    Goes by the catalogue's threshold for `model`; without one nothing is plain.
    """
    point = stated_point(settings, model)
    if settings.quiet or point is None:
        return
    found = agreement.disagreements(point.threshold)
    for each in found[:NAMED]:
        say(_told(each, point.threshold))
    if len(found) > NAMED:
        say(
            f"the photographs of {counted(len(found) - NAMED, 'more person', 'more people')} are not alike "
            "either; "
            f"see: {PASTED('arcface gallery audit')}"
        )


def _told(found: Disagreement, threshold: float) -> str:
    return (
        f"{found.subject} looks like several people: of {found.photographs} photographs, no more than "
        f"{found.alike} are alike (similarity {FAR_BELOW * threshold:.2f}; a match needs {threshold:.2f}); "
        f"see: {PASTED(command('arcface gallery show', found.subject))}"
    )
