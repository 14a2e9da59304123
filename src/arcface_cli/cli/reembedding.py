"""What `gallery reembed` does: every template through another model, in one step or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from arcface_cli.cli import build
from arcface_cli.cli.auditing import threshold_for
from arcface_cli.cli.console import say, say_error
from arcface_cli.cli.listing import show_rows
from arcface_cli.errors import GalleryError, UsageError
from arcface_cli.gallery.store import Gallery
from arcface_cli.settings import LoadedSettings
from arcface_cli.wording import counted
from arcface_cli.workflows.reembed import Flip, Reembedded, flips, reembed

UNFINISHED = 3
COLUMNS = ("template", "subject", "before", "before_similarity", "after", "after_similarity")


def reembed_gallery(params: dict[str, Any]) -> int:
    """Move the gallery to the model that -m names, and list the templates whose answer that changes."""
    build.require_runtime()
    loaded = build.settings_from(params)
    settings = loaded.values
    with Gallery.open(settings.gallery, writable=not params["dry_run"]) as gallery:
        shop = build.workshop("enroll", settings, iter(()), recognise=True, faces="one", verbosity=0)
        recogniser = build.require_recogniser(shop.stages)
        if recogniser.fingerprint == gallery.fingerprint:
            raise UsageError(f"{settings.gallery}: is of this model already", hint="name another with -m")
        seen = gallery.stats().generation
        made = reembed(gallery.templates(), gallery.crop, recogniser.embed)
        changed = changed_answers(loaded, gallery, made, shop.run.model)
        made_anew = counted(len(made.features), "template")
        changes = counted(len(changed), "answer changes", "answers change")
        show_rows([_row(flip) for flip in changed], settings, COLUMNS)
        _tell_lost(made, drop=params["drop_missing"])
        if params["dry_run"]:
            say(f"{made_anew} would go to {shop.run.model}; {changes}")
            return UNFINISHED if made.lost else 0
        gallery.reembed(made.features, recogniser.fingerprint, shop.run.model, seen)
    say(f"{made_anew} moved to {shop.run.model}; {changes}")
    return UNFINISHED if made.lost else 0


def _tell_lost(made: Reembedded, *, drop: bool) -> None:
    for reason in made.lost.values():
        say_error(reason)
    if made.lost and not drop:
        raise GalleryError(
            f"{counted(len(made.lost), 'template has', 'templates have')} neither a kept crop nor a "
            "photograph; nothing was changed",
            hint="bring the photographs back, or let these templates go with --drop-missing",
        )


def changed_answers(
    loaded: LoadedSettings, gallery: Gallery, made: Reembedded, model: str | None
) -> list[Flip]:
    """The templates that another answer is given for, each by its model's own threshold."""
    snapshot = gallery.snapshot()
    places = [place for place, number in enumerate(snapshot.template_ids.tolist()) if number in made.features]
    provenance = {each.template_id: each for each in gallery.templates()}
    numbers = [int(snapshot.template_ids[place]) for place in places]
    if not numbers:
        return []
    return flips(
        [provenance[number] for number in numbers],
        snapshot.features[places],
        np.stack([made.features[number] for number in numbers]),
        (threshold_for(loaded, gallery.model), threshold_for(loaded, model)),
    )


def _row(flip: Flip) -> dict[str, Any]:
    return {
        "template": flip.template_id,
        "subject": flip.subject,
        "before": flip.before.subject,
        "before_similarity": round(flip.before.similarity, 6),
        "after": flip.after.subject,
        "after_similarity": round(flip.after.similarity, 6),
    }
