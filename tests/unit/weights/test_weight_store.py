from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from arcface_cli.errors import ModelMissing, UsageError, WeightsDamaged
from arcface_cli.weights.catalogue import (
    Additions,
    Catalogue,
    DetectorEntry,
    HttpsSource,
    Licence,
    PackEntry,
    RecogniserEntry,
    WeightFile,
)
from arcface_cli.weights.store import WeightStore

MIT = Licence("mit", "MIT", restricted=False, notice="free")
BODIES = {"near": b"detector near", "far": b"detector far", "rec": b"recogniser"}
SOURCE = (HttpsSource("https://example.org/x"),)


def file_of(name: str, kind: str = "detector") -> WeightFile:
    digest = hashlib.sha256(BODIES[name]).hexdigest()
    return WeightFile(name, f"{name}.onnx", digest, kind, "mit", None, SOURCE)  # type: ignore[arg-type]


def recogniser(name: str, file: str) -> RecogniserEntry:
    return RecogniserEntry(name, file, "rgb", 127.5, 127.5, 8, "dynamic")


CATALOGUE = Catalogue(
    detector_preference=("far", "near"),
    licence=(MIT,),
    file=(file_of("near"), file_of("far"), file_of("rec", "recogniser")),
    detector=tuple(
        DetectorEntry(name, name, "scrfd", "rgb", 127.5, 128.0, "fixed", "dynamic")
        for name in ("near", "far")
    ),
    recogniser=(recogniser("rec", "rec"),),
    pack=(PackEntry("pack", "near", "rec"),),
)


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "models", CATALOGUE)


def install(store: WeightStore, *names: str) -> None:
    for name in names:
        file = next(file for file in CATALOGUE.file if file.id == name)
        finished = store.download_path(file.sha256, "part")
        finished.write_bytes(BODIES[name])
        store.place(file, finished)


def test_an_empty_store_names_the_two_commands_that_help(store: WeightStore) -> None:
    with pytest.raises(ModelMissing) as caught:
        store.resolve()
    assert caught.value.hint is not None
    assert "arcface models list" in caught.value.hint and "arcface models pull compact" in caught.value.hint
    assert not store.root.exists()


def test_a_pack_brings_its_detector_and_its_recogniser(store: WeightStore) -> None:
    install(store, "near", "rec")
    resolved = store.resolve("pack")
    assert (resolved.name, resolved.detector.entry.name, resolved.recogniser.entry.name) == (
        "pack",
        "near",
        "rec",
    )
    assert resolved.recogniser.path.read_bytes() == BODIES["rec"]
    assert resolved.recogniser.sha256 == hashlib.sha256(BODIES["rec"]).hexdigest()


def test_a_named_detector_takes_the_place_of_the_packs(store: WeightStore) -> None:
    install(store, "near", "far", "rec")
    assert store.resolve("pack", "far").detector.entry.name == "far"
    assert store.resolve_detector("far").entry.name == "far"
    assert store.resolve_detector(model="pack").entry.name == "near"


def test_a_recogniser_alone_takes_the_preferred_detector_that_is_here(store: WeightStore) -> None:
    install(store, "rec")
    with pytest.raises(ModelMissing, match="no detector is installed"):
        store.resolve("rec")
    install(store, "near")
    assert store.resolve("rec").detector.entry.name == "near"
    install(store, "far")
    assert store.resolve("rec").detector.entry.name == "far"


def test_what_is_missing_is_named_with_the_command_that_fetches_it(store: WeightStore) -> None:
    install(store, "rec")
    with pytest.raises(ModelMissing, match=r"pack: near\.onnx is not installed") as caught:
        store.resolve("pack")
    assert caught.value.hint == "get it with: arcface models pull pack"


@pytest.mark.parametrize(
    ("model", "detector"), [("nosuch", None), ("near", None), ("pack", "nosuch"), ("rec", "rec")]
)
def test_a_wrong_name_is_wrong_usage(store: WeightStore, model: str, detector: str | None) -> None:
    install(store, "near", "rec")
    with pytest.raises(UsageError):
        store.resolve(model, detector)


def test_a_wrong_name_names_the_setting_it_was_asked_for_with(store: WeightStore) -> None:
    install(store, "near", "rec")
    for ask in (store.resolve, lambda model, detector=None: store.resolve_detector(detector, model)):
        with pytest.raises(UsageError, match=r"^--model nosuch: no model is called so$"):
            ask("nosuch")
        with pytest.raises(UsageError, match=r"^--detector nosuch: no detector is called so$"):
            ask("pack", "nosuch")
    with pytest.raises(UsageError, match=r"^--model near is a detector"):
        store.resolve("near")


def test_what_is_missing_names_the_setting_that_wants_it_and_a_default_none(store: WeightStore) -> None:
    install(store, "near", "rec")
    store.choose_default("pack")
    store.path_of(store.catalogue.file_of(store.resolve("rec").recogniser.entry)).unlink()
    with pytest.raises(ModelMissing, match=r"^pack: rec\.onnx is not installed"):
        store.resolve()
    with pytest.raises(ModelMissing, match=r"^--model pack: rec\.onnx is not installed"):
        store.resolve("pack")
    with pytest.raises(ModelMissing, match=r"^--detector far: far\.onnx is not installed"):
        store.resolve_detector("far")


def test_a_default_that_is_chosen_is_no_setting(store: WeightStore) -> None:
    with pytest.raises(UsageError, match=r"^no model is called 'nosuch'$"):
        store.choose_default("nosuch")


def test_a_changed_file_is_damage_and_names_what_mends_it(store: WeightStore) -> None:
    install(store, "near", "rec")
    store.resolve("pack").recogniser.path.write_bytes(b"swapped")
    with pytest.raises(WeightsDamaged, match=r"rec\.onnx: damaged") as caught:
        store.resolve("pack")
    assert caught.value.hint == "mend it with: arcface models pull pack"


def test_a_change_that_keeps_the_size_is_noticed_by_its_time_and_always_by_a_rehash(
    store: WeightStore,
) -> None:
    install(store, "rec")
    file = file_of("rec", "recogniser")
    path = store.path_of(file)
    before = path.stat()
    path.write_bytes(BODIES["rec"][::-1])
    assert store.soundness(file) == "damaged"
    install(store, "rec")
    path.write_bytes(BODIES["rec"][::-1])
    os.utime(path, ns=(before.st_atime_ns, path.stat().st_mtime_ns))
    assert store.soundness(file, rehash=True) == "damaged"


def test_a_sound_file_is_not_hashed_at_each_start(store: WeightStore) -> None:
    install(store, "rec")
    file = file_of("rec", "recogniser")
    stamp = store.path_of(file).parent / "verified.json"
    assert store.soundness(file) == "sound"
    written = stamp.stat().st_mtime_ns
    assert store.soundness(file) == "sound"
    assert stamp.stat().st_mtime_ns == written
    stamp.write_text("no json")
    assert store.soundness(file) == "sound"
    assert json.loads(stamp.read_bytes())["size"] == len(BODIES["rec"])


def test_a_store_that_cannot_be_written_still_serves(store: WeightStore) -> None:
    install(store, "near", "rec")
    folder = store.path_of(file_of("rec", "recogniser")).parent
    (folder / "verified.json").unlink()
    folder.chmod(0o500)
    try:
        assert store.resolve("pack").recogniser.path.exists()
    finally:
        folder.chmod(0o700)


def test_a_chosen_default_stays_and_an_unchosen_one_moves(store: WeightStore) -> None:
    install(store, "near", "rec")
    assert store.offer_default("rec", replacing=False)
    assert not store.offer_default("pack", replacing=False)
    assert store.offer_default("pack", replacing=True)
    store.choose_default("rec")
    assert not store.offer_default("pack", replacing=True)
    assert store.state.default == "rec"
    assert store.resolve().name == "rec"


def test_what_is_not_installed_cannot_be_chosen(store: WeightStore) -> None:
    with pytest.raises(ModelMissing):
        store.choose_default("pack")
    assert store.state.default is None


def test_an_acceptance_is_kept_with_its_words_and_its_time(store: WeightStore) -> None:
    terms = Licence(
        "research", "Research only", restricted=True, notice="no trade", url="https://example.org"
    )
    assert not store.state.has_accepted(terms)
    store.record_acceptance(terms)
    store.record_acceptance(terms)
    (kept,) = WeightStore(store.root, CATALOGUE).state.accepted
    assert (kept.licence, kept.notice) == ("research", "no trade")
    assert kept.accepted_at.endswith("+00:00")
    changed = Licence("research", "Research only", restricted=True, notice="no trade, no teaching")
    assert not store.state.has_accepted(changed)


@pytest.mark.parametrize("text", ["{", '{"version": 2}', '{"surprise": 1}', "[]"])
def test_a_damaged_state_says_so_and_keeps_the_files(store: WeightStore, text: str) -> None:
    install(store, "rec")
    (store.root / "state.json").write_text(text)
    with pytest.raises(WeightsDamaged, match=r"state\.json: can't be read"):
        store.resolve()
    assert store.has(file_of("rec", "recogniser"))


OWN = WeightFile("mine", "mine.onnx", hashlib.sha256(b"own").hexdigest(), "recogniser", "mit")


def test_an_import_survives_a_restart_and_is_described_anew_under_its_name(store: WeightStore) -> None:
    store.record_import(Additions(licence=(MIT,), file=(OWN,), recogniser=(recogniser("mine", "mine"),)))
    again = RecogniserEntry("mine", "mine", "bgr", 0.0, 1.0, 8, "dynamic")
    store.record_import(Additions(licence=(MIT,), file=(OWN,), recogniser=(again,)))
    assert WeightStore(store.root, CATALOGUE).catalogue.find_recogniser("mine") == again


def test_a_taken_name_is_refused(store: WeightStore) -> None:
    store.record_import(Additions(licence=(MIT,), file=(OWN,), recogniser=(recogniser("mine", "mine"),)))
    other = WeightFile("mine", "mine.onnx", "1" * 64, "recogniser", "mit")
    with pytest.raises(UsageError, match="another file was imported under that name"):
        store.record_import(Additions(file=(other,), recogniser=(recogniser("mine", "mine"),)))
    for taken in ("rec", "pack", "near"):
        with pytest.raises(UsageError, match="the catalogue has a model of that name"):
            store.record_import(Additions(recogniser=(recogniser(taken, "rec"),)))


def test_a_newer_catalogue_that_ships_an_imported_file_breaks_nothing(store: WeightStore) -> None:
    store.record_import(Additions(licence=(MIT,), file=(OWN,), recogniser=(recogniser("mine", "mine"),)))
    shipped = WeightFile("famous", "famous.onnx", OWN.sha256, "recogniser", "mit")
    newer = Catalogue(licence=(MIT,), file=(shipped,), recogniser=(recogniser("famous", "famous"),))
    catalogue = WeightStore(store.root, newer).catalogue
    assert catalogue.files_of_model("mine") == catalogue.files_of_model("famous") == (shipped,)
    same_name = Catalogue(
        licence=(MIT,), file=(WeightFile("mine", "m.onnx", "2" * 64, "recogniser", "mit"),),
        recogniser=(recogniser("mine", "mine"),),
    )  # fmt: skip
    assert WeightStore(store.root, same_name).catalogue.files_of_model("mine")[0].sha256 == "2" * 64
