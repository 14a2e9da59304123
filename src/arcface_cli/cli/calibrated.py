"""What a gallery's stored calibration means for the verbs that search it."""

from __future__ import annotations

from pathlib import Path

from arcface_cli.cli.console import say
from arcface_cli.cli.pasting import PASTED
from arcface_cli.decision import OperatingPoint
from arcface_cli.errors import GalleryDamaged
from arcface_cli.evaluation.calibration import Calibration, at_size
from arcface_cli.gallery.store import Gallery
from arcface_cli.output.evaluation_tables import percent
from arcface_cli.wording import counted


def stored_calibration(gallery: Gallery) -> Calibration | None:
    """What is stored, if it can be read and is of the gallery's own model; else None, and a word why."""
    text = gallery.operating_point
    if text is None:
        return None
    try:
        found = Calibration.from_json(text)
    except GalleryDamaged as error:
        way_out = "" if error.hint is None else f"; {PASTED(error.hint)}"
        say(f"{gallery.directory}: {error.message}{way_out}; until then the catalogue's threshold counts")
        return None
    if found.model != gallery.fingerprint.short:
        say(
            f"{gallery.directory}: was calibrated with model {found.model} and is of "
            f"{gallery.fingerprint.short} now: that threshold is void; "
            f"calibrate again: {PASTED('arcface calibrate')} DIR"
        )
        return None
    return found


def gallery_point(found: Calibration) -> OperatingPoint:
    """The stored threshold as an operating point."""
    return OperatingPoint(
        found.threshold, "gallery", fmr=found.fmr, fpir=found.fpir, gallery_size=found.subjects,
        impostor_comparisons=found.impostor_comparisons, data=found.data, model=found.model_name,
    )  # fmt: skip


def with_measured_fmr(point: OperatingPoint, found: Calibration) -> OperatingPoint:
    """The user's threshold with the FMR that the gallery's calibration measured at it."""
    rate, _ = found.fmr_at(point.threshold)
    return OperatingPoint(
        point.threshold, point.origin, fmr=rate, impostor_comparisons=found.impostor_comparisons,
        data=found.data, model=found.model_name,
    )  # fmt: skip


def mention_growth(found: Calibration, subjects: int, gallery: Path) -> None:
    """Say so when a gallery has outgrown the threshold that it goes by."""
    if found.has_outgrown(subjects) and found.fpir is not None:
        now = at_size(found.fpir, found.subjects, subjects)
        say(
            f"{gallery}: holds {counted(subjects, 'subject')} and was calibrated for {found.subjects:,}: "
            f"FPIR is now about {percent(now)}; calibrate again: {PASTED('arcface calibrate')} DIR"
        )
