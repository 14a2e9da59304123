from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from msgspec.structs import replace

from arcface_cli.diagnosis.findings import Finding, Level
from arcface_cli.weights.catalogue import (
    Catalogue,
    DetectorEntry,
    HttpsSource,
    Licence,
    PackEntry,
    RecogniserEntry,
    WeightFile,
)
from arcface_cli.weights.inspection import findings, installed_recognisers
from arcface_cli.weights.store import WeightStore

TERMS = Licence("research", "Research only", restricted=True, notice="for research")
MIT = Licence("mit", "MIT", restricted=False, notice="free")
FINDER, KNOWER = b"finds faces", b"knows people"


def weights(name: str, kind: str, content: bytes, licence: str) -> WeightFile:
    digest = hashlib.sha256(content).hexdigest()
    source = (HttpsSource("https://example.org/x"),)
    return WeightFile(name, f"{name}.onnx", digest, kind, licence, None, source)  # type: ignore[arg-type]


CATALOGUE = Catalogue(
    detector_preference=("finder",),
    licence=(TERMS, MIT),
    file=(weights("f", "detector", FINDER, "mit"), weights("k", "recogniser", KNOWER, "research")),
    detector=(DetectorEntry("finder", "f", "scrfd", "rgb", 127.5, 128.0, "fixed", "dynamic"),),
    recogniser=(RecogniserEntry("knower", "k", "rgb", 127.5, 127.5, 8, "dynamic"),),
    pack=(PackEntry("pair", "finder", "knower"),),
)


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "models", CATALOGUE)


def install(store: WeightStore) -> None:
    for file, content in zip(CATALOGUE.file, (FINDER, KNOWER), strict=True):
        finished = store.download_path(file.sha256, "part")
        finished.write_bytes(content)
        store.place(file, finished)


def named(store: WeightStore, model: str | None = None) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings(store, model, None)}


def test_no_weights_is_a_warning_with_what_to_pull(store: WeightStore) -> None:
    found = named(store)
    assert list(found) == ["model"]
    assert (found["model"].level, found["model"].mend) == (Level.WARNING, "arcface models pull compact")
    assert not store.root.exists()


def test_installed_networks_are_told_with_hash_licence_and_packs(store: WeightStore) -> None:
    install(store)
    found = named(store)
    assert found["model"].detail == "knower: finder finds, knower recognises"
    digest = hashlib.sha256(FINDER).hexdigest()
    assert found["model finder"].detail == f"f.onnx, sha256 {digest[:12]}, MIT"
    assert found["model finder"].facts["sha256"] == digest
    assert found["model finder"].facts["packs"] == "pair"
    assert installed_recognisers(store) == {hashlib.sha256(KNOWER).hexdigest()}


def test_terms_that_nobody_accepted_are_a_warning_until_they_are(store: WeightStore) -> None:
    install(store)
    assert (named(store)["model knower"].level, named(store)["model knower"].mend) == (
        Level.WARNING,
        "arcface models pull knower",
    )
    store.record_acceptance(TERMS)
    assert named(store)["model knower"].level is Level.OK


def test_a_damaged_file_is_an_error_with_the_command_that_fetches_it(store: WeightStore) -> None:
    install(store)
    store.path_of(CATALOGUE.file[0]).write_bytes(b"torn")
    found = named(store)
    assert found["model finder"].level is Level.ERROR
    assert found["model finder"].mend == "arcface models pull finder"
    assert found["model"].level in (Level.WARNING, Level.ERROR)


def test_a_default_that_is_gone_is_an_error(store: WeightStore) -> None:
    install(store)
    store.choose_default("pair")
    store.path_of(CATALOGUE.file[1]).unlink()
    assert named(store)["model"].level is Level.ERROR


def test_a_model_that_was_set_and_does_not_exist_is_an_error(store: WeightStore) -> None:
    assert named(store, "nobody")["model"].level is Level.ERROR


def test_an_unreadable_state_is_an_error_and_not_a_crash(store: WeightStore) -> None:
    store.root.mkdir()
    (store.root / "state.json").write_text("{")
    finding = named(store)["models"]
    assert (finding.level, finding.facts["code"]) == (Level.ERROR, "weights_damaged")


def test_a_file_without_source_is_imported_again(tmp_path: Path) -> None:
    own = replace(CATALOGUE, file=tuple(replace(file, sources=()) for file in CATALOGUE.file))
    store = WeightStore(tmp_path / "models", own)
    install(store)
    store.path_of(CATALOGUE.file[0]).write_bytes(b"torn")
    assert named(store)["model finder"].mend == "arcface models import FILE"
