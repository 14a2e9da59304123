"""Which weights are here, whether they are what the catalogue says, and under which terms."""

from __future__ import annotations

from collections.abc import Iterator

from arcface_cli.diagnosis.findings import Fact, Finding, fine, refusal, warning, wrong
from arcface_cli.errors import ArcfaceError, ModelMissing
from arcface_cli.weights.catalogue import Catalogue, DetectorEntry, RecogniserEntry, WeightFile
from arcface_cli.weights.store import WeightStore

FIRST_PACK = "compact"
"""What a user without weights begins with: small, and free of restrictions."""

_SHOWN = 12  # digits of a hash that people compare


def findings(store: WeightStore, model: str | None, detector: str | None) -> Iterator[Finding]:
    """One line for the model in force, one for each network that is installed or damaged.

    model, detector: as set by the user; None leaves the choice to the store.
    """
    try:
        catalogue = store.catalogue
    except ArcfaceError as error:
        yield refusal("models", error)
        return
    yield _in_force(store, model, detector)
    for entry in catalogue.models:
        finding = _network(store, entry, catalogue.file_of(entry))
        if finding is not None:
            yield finding


def installed_recognisers(store: WeightStore) -> set[str]:
    """SHA-256 of every recogniser that is here and sound. Raises WeightsDamaged for an unreadable state."""
    catalogue = store.catalogue
    files = (catalogue.file_of(entry) for entry in catalogue.recogniser)
    return {file.sha256 for file in files if store.has(file)}


def _in_force(store: WeightStore, model: str | None, detector: str | None) -> Finding:
    try:
        found = store.resolve(model, detector)
    except ArcfaceError as error:
        if model is None and store.state.default is None and isinstance(error, ModelMissing):
            return warning("model", error.message, f"arcface models pull {FIRST_PACK}", code=error.code)
        return wrong("model", error.message, error.hint, code=error.code)
    finds, recognises = found.detector.entry.name, found.recogniser.entry.name
    return fine("model", f"{found.name}: {finds} finds, {recognises} recognises", name=found.name)


def _network(store: WeightStore, entry: DetectorEntry | RecogniserEntry, file: WeightFile) -> Finding | None:
    """None for a network that isn't here."""
    soundness = store.soundness(file)
    if soundness == "missing":
        return None
    licence = store.catalogue.licence_of(file)
    accepted = not licence.restricted or store.state.has_accepted(licence)
    what = f"model {entry.name}"
    facts: dict[str, Fact] = {
        "sha256": file.sha256,
        "path": str(store.path_of(file)),
        "licence": licence.name,
        "restricted": licence.restricted,
        "accepted": accepted,
        "packs": ", ".join(_packs_with(store.catalogue, entry.name)),
    }
    if soundness == "damaged":
        mend = f"arcface models pull {entry.name}" if file.sources else "arcface models import FILE"
        return wrong(what, f"{store.path_of(file)}: damaged, its hash is wrong", mend, **facts)
    detail = f"{file.name}, sha256 {file.sha256[:_SHOWN]}, {licence.name}"
    if not accepted:
        mend = f"arcface models pull {entry.name}"
        return warning(what, f"{detail}: terms that restrict use were not accepted", mend, **facts)
    return fine(what, detail, **facts)


def _packs_with(catalogue: Catalogue, model: str) -> list[str]:
    return [pack.name for pack in catalogue.pack if model in (pack.detector, pack.recogniser)]
