"""What a gallery stores -> rows for `gallery show` and `gallery stats`."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from arcface_cli.decision import OperatingPoint
from arcface_cli.evaluation.calibration import Calibration
from arcface_cli.gallery.entries import GalleryStats, Refusal, StoredTemplate
from arcface_cli.inputs.names import printable
from arcface_cli.output.records import face, threshold


def template_row(template: StoredTemplate, crop_file: Path | None = None) -> dict[str, Any]:
    """Everything about one template but its feature. crop_file: where its crop was written, if it was."""
    return {
        "template": template.template_id,
        "subject": template.subject,
        **_source(template.source_path),
        "sha256": template.content_sha256,
        "width": template.image_width,
        "height": template.image_height,
        **face(template.face),
        "detector": template.detector,
        "created": template.created,
        "crop": template.has_crop,
        "refused": None,
        **({} if crop_file is None else {"crop_file": printable(str(crop_file))}),
    }


def refusal_row(refusal: Refusal) -> dict[str, Any]:
    """A photograph that is remembered as unusable for a person, in the columns of its templates."""
    return {
        "template": None,
        "subject": refusal.subject,
        **_source(refusal.source_path),
        "sha256": refusal.content_sha256,
        "created": refusal.created,
        "crop": False,
        "refused": refusal.reason,
    }


def _source(path: bytes) -> dict[str, str]:
    """Where a photograph lay: printable, and beside that the very bytes where these differ."""
    shown = printable(os.fsdecode(path))
    told = {"source": shown}
    if shown.encode() != path:
        told["source_b64"] = base64.b64encode(path).decode("ascii")
    return told


def stats_row(
    stats: GalleryStats, point: OperatingPoint | None, calibration: Calibration | None = None
) -> dict[str, Any]:
    """Counts, model and threshold of a gallery; `threshold` is null where the catalogue states none."""
    return {
        "gallery": printable(str(stats.directory)),
        "subjects": stats.subjects,
        "templates": stats.templates,
        "model": stats.model,
        "fingerprint": stats.fingerprint.short,
        "detector": stats.detector,
        "detectors": list(stats.detectors),
        "generation": stats.generation,
        "threshold": None if point is None else threshold(point),
        "calibration": None if calibration is None else calibration.facts(),
        "crops": "kept" if stats.keeps_crops else "none",
        "crops_stored": stats.crops,
        "refusals": stats.refusals,
        "bytes": stats.size,
        "bytes_of_caches": stats.cache_size,
        "created": stats.created,
        "arcface_version": stats.arcface_version,
    }
