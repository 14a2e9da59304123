"""What the outcome of a run depends on beside its inputs, as one digest.

`--resume` holds two runs to it: it stands in every record (`run.settings`) and every row (`settings`) of a
verb whose output can be continued, so an output tells by itself what it was made with, in every format, and
wherever it was moved to. `enroll --sync` remembers a refusal with it.
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
from arcface_cli.weights.store import InstalledDetector, ResolvedModel

DIGITS = 12


def aligning(settings: Settings) -> str:
    """Digest of what changes records of `align`. Raises what finding the networks and the device raises."""
    detector = build.store(settings).resolve_detector(settings.detector, settings.model)
    return _digest("align", {**_seeing(settings, detector), **_device(settings)})[:DIGITS]


def embedding(settings: Settings) -> str:
    """Digest of what changes records of `embed`; raises as `aligning` does."""
    return _digest("embed", {**_recognising(settings, _resolved(settings)), **_device(settings)})[:DIGITS]


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
    seen = _recognising(settings, _resolved(settings))
    return _digest("identify", {**seen, **_device(settings), **asked})[:DIGITS]


def verifying(settings: Settings, point: OperatingPoint) -> str:
    """Digest of what changes records of `verify`; raises as `aligning` does."""
    seen = _recognising(settings, _resolved(settings), faces="largest")
    return _digest("verify", {**seen, **_device(settings), "threshold": threshold(point)})[:DIGITS]


def enrolling(settings: Settings, model: ResolvedModel) -> str:
    """SHA-256 of all that decides whether a photograph can be enrolled; another one deserves another look.

    Nobody is refused for the device that looked at him.
    """
    return _digest("enroll", _recognising(settings, model, faces="one", enrolling=True))


def _resolved(settings: Settings) -> ResolvedModel:
    return build.store(settings).resolve(settings.model, settings.detector)


def _recognising(settings: Settings, model: ResolvedModel, **usual: Any) -> dict[str, Any]:
    networks = {
        "model": model.name,
        "fingerprint": build.fingerprint_of(model, settings).canonical,
        "tensorrt": settings.tensorrt,
    }
    return _seeing(settings, model.detector, **usual) | networks


def _seeing(
    settings: Settings, detector: InstalledDetector, *, faces: str = "all", enrolling: bool = False
) -> dict[str, Any]:
    """faces: which ones count unless the user says otherwise."""
    return {
        "detector": [detector.entry.name, detector.sha256],
        "precision": settings.precision,
        "faces": faces if settings.faces is None else settings.faces,
        "limits": asdict(build.quality_gates(settings, enrolling=enrolling)),
    }


def _device(settings: Settings) -> dict[str, str]:
    return {"device": str(choose_device(settings.device).device)}


def _digest(command: str, said: dict[str, Any]) -> str:
    text = json.dumps({"version": __version__, "command": command, **said}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
