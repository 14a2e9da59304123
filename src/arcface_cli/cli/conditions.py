"""What the records of a run depend on beside its inputs, as one digest: `--resume` holds two runs to it.

It stands in every record (`run.settings`) and every row (`settings`) of a verb whose output can be continued,
so an output tells by itself what it was made with, in every format, and wherever it was moved to.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from arcface_cli import __version__
from arcface_cli.cli import build
from arcface_cli.decision import OperatingPoint
from arcface_cli.output.records import threshold
from arcface_cli.runtime.devices import choose_device
from arcface_cli.settings import Settings
from arcface_cli.weights.store import InstalledDetector

DIGITS = 12


def aligning(settings: Settings) -> str:
    """Digest of what changes records of `align`. Raises what finding the networks and the device raises."""
    detector = build.store(settings).resolve_detector(settings.detector, settings.model)
    return _digest("align", _seeing(settings, detector))


def embedding(settings: Settings) -> str:
    """Digest of what changes records of `embed`; raises as `aligning` does."""
    return _digest("embed", _recognising(settings))


def identifying(settings: Settings, point: OperatingPoint, drawn: Path | None) -> str:
    """Digest of what changes records of `identify`; raises as `aligning` does.

    Which gallery it is counts, not who is in it by now. drawn: folder of the pictures.
    """
    asked = {
        "gallery": str(settings.gallery.resolve()),
        "index_type": settings.index_type,
        "threshold": threshold(point),
        "margin": settings.margin,
        "top": settings.top,
        "fusion": settings.fusion,
        "drawn": None if drawn is None else str(drawn),
    }
    return _digest("identify", {**_recognising(settings), **asked})


def _recognising(settings: Settings) -> dict[str, Any]:
    model = build.store(settings).resolve(settings.model, settings.detector)
    networks = {"model": model.name, "fingerprint": build.fingerprint_of(model, settings).canonical}
    return _seeing(settings, model.detector) | networks


def _seeing(settings: Settings, detector: InstalledDetector) -> dict[str, Any]:
    return {
        "detector": [detector.entry.name, detector.sha256],
        "device": str(choose_device(settings.device).device),
        "precision": settings.precision,
        "faces": "all" if settings.faces is None else settings.faces,
        "limits": asdict(build.quality_gates(settings, enrolling=False)),
    }


def _digest(command: str, said: dict[str, Any]) -> str:
    text = json.dumps({"version": __version__, "command": command, **said}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
