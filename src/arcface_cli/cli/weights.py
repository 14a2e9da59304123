"""What `arcface models` does with the weights room, told to people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arcface_cli.cli import build
from arcface_cli.cli.console import data_stream, is_terminal, say
from arcface_cli.cli.licences import acceptance
from arcface_cli.cli.progress import DownloadProgress
from arcface_cli.faces import CROP_SIDE
from arcface_cli.imaging.blob import to_blob
from arcface_cli.runtime.graphs import read_facts
from arcface_cli.runtime.sessions import SessionOptions
from arcface_cli.settings import Settings
from arcface_cli.weights.catalogue import RecogniserEntry
from arcface_cli.weights.fetch import Fetcher
from arcface_cli.weights.store import InstalledRecogniser, WeightStore
from arcface_cli.workflows import models
from arcface_cli.workflows.models import Imported, ModelDetails, OwnModel, Pulled


def pull_all(settings: Settings, names: Sequence[str], *, accept_license: bool) -> int:
    """Fetch every model named; raises what `pull_model` raises."""
    store = build.store(settings)
    with fetcher(settings, store) as fetching:
        for name in names:
            _tell_pulled(models.pull_model(store, name, fetching, acceptance(accept_license)), settings)
    return 0


def fetcher(settings: Settings, store: WeightStore) -> Fetcher:
    """A fetcher that tells people how far it is."""
    progress = DownloadProgress(quiet=settings.quiet, bars=not settings.no_progress)
    return Fetcher(store, offline=settings.offline, progress=progress)


def pull_via_insightface(settings: Settings, names: Sequence[str], *, accept_license: bool) -> int:
    """Let insightface's model zoo fetch its packages, and import what is in them."""
    store = build.store(settings)
    for name in names:
        found = models.pull_via_insightface(store, name, acceptance(accept_license), offline=settings.offline)
        for imported in found:
            _tell_imported(imported, settings)
    return 0


def import_from(settings: Settings, path: Path, own: OwnModel, *, accept_license: bool) -> int:
    """Import a file or a folder; status 1 when a folder held nothing that is known.

    Raises what `import_path` raises; of a folder, whatever can be had is imported by then.
    """
    known = 0
    for imported in models.import_path(
        build.store(settings),
        path,
        acceptance(accept_license),
        own=own,
        inspect=read_facts,
        try_out=lambda entry, file: _try_out(entry, file, settings),
    ):
        _tell_imported(imported, settings)
        known += imported.model is not None
    return 0 if known else 1


def _try_out(entry: RecogniserEntry, path: Path, settings: Settings) -> list[float]:
    """The raw feature of a grey crop with a bright disc: any recogniser answers it with finite numbers."""
    rows, columns = np.mgrid[:CROP_SIDE, :CROP_SIDE]
    disc = np.hypot(rows - CROP_SIDE / 2, columns - CROP_SIDE / 2) < CROP_SIDE / 3
    crop = np.where(disc, 180, 90).astype(np.uint8)[None, :, :, None].repeat(3, axis=3)
    installed = InstalledRecogniser(entry, path, sha256="")  # not to be kept: it isn't installed yet
    network = build.recogniser_network(installed, settings, SessionOptions())
    blob = to_blob(crop, build.scaling_of(entry))
    return [float(value) for value in np.asarray(network.run(blob)[0]).reshape(-1)]


def show_details(settings: Settings, name: str) -> None:
    """Facts of a model as JSON, or for people with its model cards."""
    details = models.show_model(build.store(settings), name)
    as_text = settings.format == "table" or (settings.format is None and is_terminal())
    with data_stream() as stream:
        stream.write(_text(details) if as_text else _json(details, pretty=settings.format == "json"))
        stream.flush()


def _json(details: ModelDetails, *, pretty: bool) -> bytes:
    import json

    import msgspec

    plain = msgspec.to_builtins(details, enc_hook=str)
    text = json.dumps(plain, ensure_ascii=False, indent=2 if pretty else None)
    return text.encode() + b"\n"


def _text(details: ModelDetails) -> bytes:
    lines = [
        f"{details.name} ({details.kind}{', the default' if details.default else ''}): {details.summary}"
    ]
    for role, entry in (("detector", details.detector), ("recogniser", details.recogniser)):
        if entry is not None:
            lines.append(f"{role}: {entry.name}, takes {entry.preprocessing}")
    if details.recogniser is not None:
        lines += [f"threshold: {_stated(point)}" for point in details.recogniser.stated_thresholds]
    for each in details.files:
        terms = f"{each.licence.name}{' (restricted)' if each.licence.restricted else ''}"
        lines += ["", f"{each.file.name}: {each.soundness}, {terms}", f"  sha256 {each.file.sha256}"]
        lines += [f"  {each.path}"] if each.soundness != "missing" else []
        lines += ["", each.card.strip()] if each.card is not None else []
    return ("\n".join(lines) + "\n").encode()


def _stated(point: Any) -> str:
    mark = " (default)" if point.default else ""
    return f"similarity {point.similarity:.4f} at FMR {point.fmr:g} on {point.data}{mark}"


def _tell_pulled(pulled: Pulled, settings: Settings) -> None:
    if settings.quiet:
        return
    for fetched in pulled.files:
        origin = (
            "here already" if fetched.source is None else f"from {fetched.source} in {fetched.seconds:.1f} s"
        )
        say(f"{fetched.file.name}: {origin}, sha256 {fetched.file.sha256[:12]} verified")
    say(f"{pulled.name} is ready{', and the default' if pulled.became_default else ''}")


def _tell_imported(imported: Imported, settings: Settings) -> None:
    if imported.model is None:
        say(f"{imported.path}: left alone: {imported.reason}")
    elif not settings.quiet:
        default = f"; {imported.became_default} is the default now" if imported.became_default else ""
        say(f"{imported.path}: imported as {imported.model}{default}")
