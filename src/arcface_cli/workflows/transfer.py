"""An exported gallery into another: restored as it is where there is none, else a batch a transaction."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from arcface_cli.gallery.entries import Added, AddResult, EnrolledElsewhere, NewTemplate
from arcface_cli.gallery.store import EXPORT_AGAIN, FILE_NAME, Gallery

BATCH = 500
"""Templates in one transaction."""

NAMED = 20
"""Templates of somebody else that are named one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class Transferred:
    """What became of templates.

    counts: how many were added, were there already, and belong to somebody else there.  elsewhere: the
    first of those last, each with whose it is.  refusals: refused photographs that are remembered now.
    calibration_left: whether the file's was not taken, as the gallery's own counts.
    """

    counts: Counter[str]
    elsewhere: list[tuple[NewTemplate, EnrolledElsewhere]] = field(default_factory=list)
    refusals: int = 0
    calibration_left: bool = False


def take_over(exported: Gallery, directory: Path, keep_crops: bool | None, origin: str) -> Transferred:
    """All that an exported gallery holds into the gallery in a folder, which is made if there is none.

    A new one is the same to the last number and time; an existing one keeps its own calibration.
    keep_crops: None goes along with what either does.  origin: what the file is called in messages. Raises
    GalleryDamaged before anything is written, and what `Gallery.open_or_create` raises.
    """
    is_new = not os.path.lexists(directory / FILE_NAME)
    if is_new and keep_crops in (None, exported.keeps_crops):
        with Gallery.restore(directory, exported) as made:
            stats = made.stats()
        return Transferred(
            Counter(added=stats.templates, duplicate=0, enrolled_as_another=0), refusals=stats.refusals
        )
    exported.require_sound(EXPORT_AGAIN)
    with Gallery.open_or_create(
        directory,
        exported.fingerprint,
        model=exported.model,
        detector=exported.detector,
        keep_crops=keep_crops,
        origin=origin,
    ) as gallery:
        counts, elsewhere = transfer(exported.entries(), gallery.add)
        known = {refusal.source_path for refusal in gallery.refusals()}
        refused = [each for each in exported.refusals() if each.source_path not in known]
        gallery.remember_refusals(refused)
        point = exported.operating_point
        if is_new and point is not None:
            gallery.set_operating_point(point)
        left = point not in (None, gallery.operating_point)
    return Transferred(counts, elsewhere, len(refused), left)


def transfer(
    entries: Iterable[NewTemplate], add: Callable[[list[NewTemplate]], list[AddResult]]
) -> tuple[Counter[str], list[tuple[NewTemplate, EnrolledElsewhere]]]:
    """Enrol them all; `counts` and `elsewhere` of `Transferred`."""
    counts: Counter[str] = Counter(added=0, duplicate=0, enrolled_as_another=0)
    elsewhere: list[tuple[NewTemplate, EnrolledElsewhere]] = []
    stream = iter(entries)
    while batch := list(islice(stream, BATCH)):
        for entry, result in zip(batch, add(batch), strict=True):
            if isinstance(result, EnrolledElsewhere):
                counts["enrolled_as_another"] += 1
                if len(elsewhere) < NAMED:
                    elsewhere.append((entry, result))
            else:
                counts["added" if isinstance(result, Added) else "duplicate"] += 1
    return counts, elsewhere
