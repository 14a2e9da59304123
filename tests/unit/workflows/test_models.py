from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from arcface_cli.errors import (
    DownloadFailed,
    LicenceNotAccepted,
    MissingFile,
    ModelUnusable,
    NotAFile,
    UsageError,
)
from arcface_cli.weights.catalogue import (
    Catalogue,
    DetectorEntry,
    Licence,
    PackEntry,
    RecogniserEntry,
    WeightFile,
)
from arcface_cli.weights.fetch import Fetched, Fetcher
from arcface_cli.weights.insightface_zoo import PackageLicence, ZooModel
from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.models import (
    Accept,
    Imported,
    OwnModel,
    import_path,
    list_models,
    pull_model,
    pull_via_insightface,
    show_model,
    use_model,
    verify_files,
)

MIT = Licence("mit", "MIT", restricted=False, notice="free")
RESEARCH = Licence("insightface-research", "Research only", restricted=True, notice="no trade")
BODIES = {"free_det": b"a detector", "det": b"another detector", "rec": b"a recogniser"}


def file_of(name: str) -> WeightFile:
    licence = "mit" if name.startswith("free") else "insightface-research"
    kind = "recogniser" if name == "rec" else "detector"
    return WeightFile(name, f"{name}.onnx", hashlib.sha256(BODIES[name]).hexdigest(), kind, licence)  # type: ignore[arg-type]


def detector(name: str) -> DetectorEntry:
    return DetectorEntry(name, name, "scrfd", "rgb", 127.5, 128.0, "fixed", "dynamic")


CATALOGUE = Catalogue(
    detector_preference=("det", "free_det"),
    licence=(MIT, RESEARCH),
    file=tuple(map(file_of, BODIES)),
    detector=(detector("free_det"), detector("det")),
    recogniser=(RecogniserEntry("rec", "rec", "rgb", 127.5, 127.5, 8, "dynamic"),),
    pack=(PackEntry("pack", "det", "rec"), PackEntry("other", "free_det", "rec")),
)


class Shelf(Fetcher):
    """Fetches from memory."""

    def __init__(self, store: WeightStore) -> None:
        super().__init__(store)
        self.store, self.fetched = store, [""][:0]

    def fetch(self, file: WeightFile) -> Fetched:
        self.fetched.append(file.id)
        finished = self.store.download_path(file.sha256, "part")
        finished.write_bytes(BODIES[file.id])
        return Fetched(file, self.store.place(file, finished), "shelf", 0.0)


@dataclass
class User:
    """Answers every licence alike and remembers what was shown."""

    answer: bool
    shown: list[str]

    def __call__(self, licence: Licence) -> bool:
        self.shown.append(licence.id)
        return self.answer


YES: Accept = lambda licence: True  # noqa: E731


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return WeightStore(tmp_path / "models", CATALOGUE)


def write(folder: Path, name: str, body: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(body)
    return path


# --- pull --------------------------------------------------------------------------------------------


def test_a_pulled_pack_is_installed_and_the_default(store: WeightStore) -> None:
    pulled = pull_model(store, "pack", Shelf(store), YES)
    assert [each.file.id for each in pulled.files] == ["det", "rec"]
    assert pulled.became_default
    assert store.resolve().name == "pack"


def test_a_pull_does_not_move_a_default_that_was_chosen(store: WeightStore) -> None:
    pull_model(store, "pack", Shelf(store), YES)
    use_model(store, "pack")
    assert not pull_model(store, "other", Shelf(store), YES).became_default
    assert store.state.default == "pack"


def test_refused_terms_fetch_nothing_and_name_the_flag(store: WeightStore) -> None:
    shelf, user = Shelf(store), User(False, [])
    with pytest.raises(LicenceNotAccepted, match="no trade") as caught:
        pull_model(store, "pack", shelf, user)
    assert caught.value.hint is not None and "--accept-license" in caught.value.hint
    assert shelf.fetched == []
    assert user.shown == ["insightface-research"]


def test_terms_are_asked_once_and_remembered(store: WeightStore) -> None:
    user = User(True, [])
    pull_model(store, "pack", Shelf(store), user)
    pull_model(store, "det", Shelf(store), user)
    assert user.shown == ["insightface-research"]


def test_a_free_file_asks_nothing(store: WeightStore) -> None:
    user = User(False, [])
    assert not pull_model(store, "free_det", Shelf(store), user).became_default
    assert user.shown == []


def test_a_name_nobody_knows_is_wrong_usage(store: WeightStore) -> None:
    with pytest.raises(UsageError, match="no model is called 'nosuch'"):
        pull_model(store, "nosuch", Shelf(store), YES)


# --- list, show, verify --------------------------------------------------------------------------------


def test_the_list_tells_what_is_installed_and_what_is_the_default(store: WeightStore) -> None:
    assert not any(row.installed or row.default for row in list_models(store))
    pull_model(store, "pack", Shelf(store), YES)
    rows = {row.name: row for row in list_models(store)}
    assert (rows["pack"].kind, rows["pack"].installed, rows["pack"].default, rows["pack"].restricted) == (
        "pack", True, True, True,
    )  # fmt: skip
    assert not rows["other"].installed and rows["rec"].installed
    assert rows["free_det"].licences == ("MIT",) and not rows["free_det"].restricted


def test_show_tells_files_terms_and_input(store: WeightStore) -> None:
    details = show_model(store, "pack")
    assert details.recogniser is not None and details.recogniser.preprocessing == "rgb,(x-127.5)/127.5"
    assert [(each.file.id, each.soundness, each.accepted) for each in details.files] == [
        ("det", "missing", False),
        ("rec", "missing", False),
    ]


def test_verify_finds_the_damaged_file_and_names_what_mends_it(store: WeightStore) -> None:
    pull_model(store, "pack", Shelf(store), YES)
    store.path_of(file_of("rec")).write_bytes(b"swapped")
    rows = {row.model: row for row in verify_files(store)}
    assert set(rows) == {"det", "rec"}
    assert (rows["det"].soundness, rows["det"].mend) == ("sound", None)
    assert rows["rec"].soundness == "damaged"
    assert rows["rec"].mend is not None


# --- import ----------------------------------------------------------------------------------------------


def imports(store: WeightStore, path: Path, **given: object) -> list[Imported]:
    return list(import_path(store, path, YES, **given))  # type: ignore[arg-type]


def test_a_catalogue_file_is_known_under_a_wrong_name_and_completes_a_pack(
    store: WeightStore, tmp_path: Path
) -> None:
    (first,) = imports(store, write(tmp_path, "holiday.jpg", BODIES["det"]))
    assert (first.model, first.became_default) == ("det", None)
    (second,) = imports(store, write(tmp_path, "x", BODIES["rec"]))
    assert (second.model, second.became_default) == ("rec", "pack")
    assert store.resolve().detector.entry.name == "det"


def test_an_insightface_folder_gives_what_is_known_and_reports_the_rest(
    store: WeightStore, tmp_path: Path
) -> None:
    folder = tmp_path / "antelope" / "antelope"
    write(folder, "det_10g.onnx", BODIES["det"])
    write(folder, "genderage.onnx", b"something else")
    rows = {row.path.name: row for row in imports(store, tmp_path / "antelope")}
    assert rows["det_10g.onnx"].model == "det"
    assert rows["genderage.onnx"].model is None
    assert rows["genderage.onnx"].reason is not None


def test_restricted_files_are_not_imported_without_acceptance(store: WeightStore, tmp_path: Path) -> None:
    with pytest.raises(LicenceNotAccepted):
        list(import_path(store, write(tmp_path, "x", BODIES["rec"]), User(False, [])))
    assert not store.has(file_of("rec"))


def test_a_folder_gives_what_no_licence_restricts_and_then_says_what_must_be_accepted(
    store: WeightStore, tmp_path: Path
) -> None:
    folder, user = tmp_path / "mixed", User(False, [])
    for name in ("det", "free_det", "rec"):
        write(folder, f"{name}.onnx", BODIES[name])
    rows: list[Imported] = []
    with pytest.raises(LicenceNotAccepted, match="Research only: no trade") as caught:
        rows.extend(import_path(store, folder, user))
    assert caught.value.hint is not None and "--accept-license" in caught.value.hint
    assert [(row.path.stem, row.model) for row in rows] == [
        ("det", None), ("free_det", "free_det"), ("rec", None),
    ]  # fmt: skip
    assert user.shown == ["insightface-research"]
    assert store.has(file_of("free_det")) and not store.has(file_of("det"))


def test_what_is_not_there_or_empty_is_one_line(store: WeightStore, tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        imports(store, tmp_path / "gone.onnx")
    with pytest.raises(NotAFile, match=r"no \.onnx file"):
        imports(store, tmp_path)


@dataclass(frozen=True)
class Facts:
    input_shape: tuple[int | str | None, ...] = (1, 3, 112, 112)
    output_shapes: tuple[tuple[int | str | None, ...], ...] = ((1, 512),)


SAID = OwnModel("mine", "rgb", 127.5, 127.5)


def test_an_own_network_is_imported_as_it_was_described(store: WeightStore, tmp_path: Path) -> None:
    path = write(tmp_path, "net.onnx", b"own")
    (row,) = imports(store, path, own=SAID, inspect=lambda _: Facts(), try_out=lambda *_: [0.1] * 512)
    entry = store.catalogue.find_recogniser("mine")
    assert row.model == "mine" and entry is not None
    assert (entry.dimension, entry.batch, entry.preprocessing) == (512, "rewritable", "rgb,(x-127.5)/127.5")
    pull_model(store, "free_det", Shelf(store), YES)
    use_model(store, "mine")
    assert store.resolve().recogniser.path.read_bytes() == b"own"
    assert {row.name: row.imported for row in list_models(store)}["mine"]


def test_an_own_network_can_be_described_anew(store: WeightStore, tmp_path: Path) -> None:
    path = write(tmp_path, "net.onnx", b"own")
    imports(store, path, own=SAID, inspect=lambda _: Facts())
    imports(
        store, path, own=OwnModel("mine", "bgr", in_graph=True), inspect=lambda _: Facts((None, 3, 112, 112))
    )
    entry = store.catalogue.find_recogniser("mine")
    assert entry is not None and (entry.preprocessing, entry.batch) == ("bgr,in-graph", "dynamic")
    with pytest.raises(UsageError, match="another file"):
        imports(store, write(tmp_path, "b.onnx", b"else"), own=SAID, inspect=lambda _: Facts())


@pytest.mark.parametrize(
    "own",
    [
        None,
        OwnModel("mine"),
        OwnModel("mine", "rgb"),
        OwnModel("mine", "rgb", 127.5),
        OwnModel(None, "rgb", 0.0, 1.0),
    ],
)
def test_how_to_feed_an_own_network_is_asked_never_guessed(
    store: WeightStore, tmp_path: Path, own: OwnModel | None
) -> None:
    with pytest.raises(UsageError, match="isn't guessed") as caught:
        imports(store, write(tmp_path, "net.onnx", b"own"), own=own, inspect=lambda _: Facts())
    assert caught.value.hint is not None
    for flag in ("--name", "--colour", "--mean", "--scale", "--in-graph"):
        assert flag in caught.value.hint


@pytest.mark.parametrize("own", [OwnModel(colour="bgr"), OwnModel("mine"), OwnModel(mean=0.0, scale=1.0)])
def test_what_is_said_of_a_file_that_is_known_is_refused_not_ignored(
    store: WeightStore, tmp_path: Path, own: OwnModel
) -> None:
    path = write(tmp_path, "det.onnx", BODIES["free_det"])
    with pytest.raises(UsageError, match="is known as free_det") as caught:
        imports(store, path, own=own)
    assert "leave --name" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="describe one file"):
        imports(store, tmp_path, own=own)
    assert not store.is_installed("free_det")


def test_an_own_network_is_described_anew_only_under_a_name(store: WeightStore, tmp_path: Path) -> None:
    path = write(tmp_path, "net.onnx", b"own")
    imports(store, path, own=SAID, inspect=lambda _: Facts())
    with pytest.raises(UsageError, match="is known as mine") as caught:
        imports(store, path, own=OwnModel(colour="bgr"), inspect=lambda _: Facts())
    assert "add --name" in (caught.value.hint or "")
    assert [row.model for row in imports(store, path, own=OwnModel())] == ["mine"]


def test_pixels_are_scaled_in_the_graph_or_before_it_never_in_both(
    store: WeightStore, tmp_path: Path
) -> None:
    own = OwnModel("mine", "rgb", 127.5, 127.5, in_graph=True)
    with pytest.raises(UsageError, match="nothing to subtract"):
        imports(store, write(tmp_path, "net.onnx", b"own"), own=own, inspect=lambda _: Facts())


def test_a_mean_of_zero_is_a_mean(store: WeightStore, tmp_path: Path) -> None:
    path = write(tmp_path, "net.onnx", b"own")
    imports(store, path, own=OwnModel("mine", "rgb", 0.0, 1.0), inspect=lambda _: Facts())
    entry = store.catalogue.find_recogniser("mine")
    assert entry is not None and (entry.mean, entry.preprocessing) == (0.0, "rgb,(x-0)/1")


@pytest.mark.parametrize(
    "own", [OwnModel("mine", "rgb", 0.0, 0.0), OwnModel("mine", "rgb", float("nan"), 1.0)]
)
def test_numbers_that_feed_nothing_are_wrong_usage(store: WeightStore, tmp_path: Path, own: OwnModel) -> None:
    with pytest.raises(UsageError, match="positive scale"):
        imports(store, write(tmp_path, "net.onnx", b"own"), own=own, inspect=lambda _: Facts())


@pytest.mark.parametrize("name", ["../mine", "-mine", ".mine", "mïne", "a b", "m" * 65, "mine\n", ""])
def test_a_name_that_could_be_a_path_or_a_flag_is_refused(
    store: WeightStore, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError):
        imports(
            store,
            write(tmp_path, "net.onnx", b"own"),
            own=OwnModel(name, "rgb", 0.0, 1.0),
            inspect=lambda _: Facts(),
        )
    assert store.state.imported.recogniser == ()


def test_the_longest_name_survives_a_restart(store: WeightStore, tmp_path: Path) -> None:
    name = "m" * 64
    path = write(tmp_path, "net.onnx", b"own")
    imports(store, path, own=OwnModel(name, "rgb", 0.0, 1.0), inspect=lambda _: Facts())
    assert WeightStore(store.root, CATALOGUE).is_installed(name)


@pytest.mark.parametrize(
    "facts",
    [
        Facts(input_shape=(1, 3, 640, 640)),
        Facts(input_shape=(1, 112, 112, 3)),
        Facts(input_shape=(1, 3)),
        Facts(output_shapes=((1, 512), (1, 4))),
        Facts(output_shapes=((1, 512, 7, 7),)),
    ],
)
def test_a_graph_that_is_no_recogniser_is_refused_with_its_shapes(
    store: WeightStore, tmp_path: Path, facts: Facts
) -> None:
    with pytest.raises(ModelUnusable, match=r"net\.onnx: its (input|output) is \("):
        imports(store, write(tmp_path, "net.onnx", b"own"), own=SAID, inspect=lambda _: facts)


@pytest.mark.parametrize("feature", [[], [float("nan")] * 512, [0.1] * 128])
def test_a_network_that_answers_badly_is_not_imported(
    store: WeightStore, tmp_path: Path, feature: list[float]
) -> None:
    with pytest.raises(ModelUnusable):
        imports(
            store,
            write(tmp_path, "net.onnx", b"own"),
            own=SAID,
            inspect=lambda _: Facts(),
            try_out=lambda *_: feature,
        )
    assert store.catalogue.find_recogniser("mine") is None


def test_a_free_output_dimension_is_learnt_by_trying(store: WeightStore, tmp_path: Path) -> None:
    path = write(tmp_path, "net.onnx", b"own")
    free = Facts(output_shapes=(("N", "D"),))
    with pytest.raises(ModelUnusable, match="how long"):
        imports(store, path, own=SAID, inspect=lambda _: free)
    imports(store, path, own=SAID, inspect=lambda _: free, try_out=lambda *_: [0.5] * 192)
    entry = store.catalogue.find_recogniser("mine")
    assert entry is not None and entry.dimension == 192


# --- through insightface -----------------------------------------------------------------------------------


class FakeZoo:
    """An insightface with one package."""

    def __init__(self, folder: Path, *, here: bool = False, commercial: bool = False) -> None:
        self.folder, self.here, self.commercial = folder, here, commercial
        self.downloads = 0

    def folder_if_here(self, name: str) -> Path | None:
        return self.folder if self.here else None

    def download(self, name: str) -> Path:
        self.downloads += 1
        return self.folder

    def check_licence(self, folder: Path) -> PackageLicence:
        return PackageLicence("tested", self.commercial, "says the test")

    def describe(self, folder: Path, file: Path) -> ZooModel | None:
        if "det" in file.name:
            return ZooModel(file, "detection", 127.5, 128.0, in_graph=False)
        if "rec" in file.name:
            return ZooModel(file, "recognition", 0.0, 1.0, in_graph=True, dimension=512)
        return None


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "raccoon_s"
    for name in ("det new.onnx", "rec.onnx", "age.onnx"):
        write(folder, name, name.encode())
    return folder


def test_a_package_of_insightface_becomes_a_pack_run_by_insightface(
    store: WeightStore, package: Path
) -> None:
    zoo = FakeZoo(package)
    rows = list(pull_via_insightface(store, "raccoon_s", YES, zoo=zoo))
    assert [row.model for row in rows] == [None, "raccoon_s_det_new", "raccoon_s_rec"]
    resolved = WeightStore(store.root, CATALOGUE).resolve("raccoon_s")
    assert resolved.detector.entry.family == "insightface"
    assert resolved.recogniser.entry.preprocessing == "rgb,in-graph"
    assert store.state.default == "raccoon_s"
    list(pull_via_insightface(store, "raccoon_s", YES, zoo=zoo))


def test_insightfaces_terms_are_asked_before_anything_is_fetched(store: WeightStore, package: Path) -> None:
    zoo = FakeZoo(package)
    with pytest.raises(LicenceNotAccepted):
        list(pull_via_insightface(store, "raccoon_s", User(False, []), zoo=zoo))
    assert zoo.downloads == 0


def test_a_commercial_licence_in_the_package_asks_nothing(store: WeightStore, package: Path) -> None:
    zoo = FakeZoo(package, here=True, commercial=True)
    user = User(False, [])
    assert len(list(pull_via_insightface(store, "raccoon_s", user, zoo=zoo))) == 3
    assert user.shown == []
    assert not store.catalogue.licence_of(store.catalogue.files_of_model("raccoon_s_rec")[0]).restricted


def test_offline_asks_insightface_for_nothing(store: WeightStore, package: Path) -> None:
    with pytest.raises(DownloadFailed, match="--offline"):
        list(pull_via_insightface(store, "raccoon_s", YES, zoo=FakeZoo(package), offline=True))


def test_a_folder_that_a_broken_fetch_left_empty_is_named(store: WeightStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DownloadFailed, match=r"empty: no \.onnx file in it"):
        list(pull_via_insightface(store, "raccoon_s", YES, zoo=FakeZoo(tmp_path / "empty", here=True)))


@pytest.mark.parametrize("name", ["../up", "a/b", ""])
def test_a_package_name_is_no_path(store: WeightStore, package: Path, name: str) -> None:
    with pytest.raises(UsageError):
        list(pull_via_insightface(store, name, YES, zoo=FakeZoo(package)))


# --- real weights ----------------------------------------------------------------------------------------


@pytest.mark.real
def test_real_files_are_known_by_their_hash_under_wrong_names(shared_models: Path, tmp_path: Path) -> None:
    store = WeightStore(tmp_path / "models")
    known = {}
    for index, path in enumerate(sorted(shared_models.glob("*.onnx"))):
        wrong = shutil.copy(path, tmp_path / f"picture{index}.png")
        (row,) = imports(store, Path(wrong))
        known[path.name] = row.model
    assert known == {
        "centerface.onnx": "centerface",
        "det_500m.onnx": "scrfd_500m",
        "face_detection_yunet_2023mar.onnx": "yunet",
        "mobilefacenet_192.onnx": "mobilefacenet_192",
        "mobilefacenet_512.onnx": "mobilefacenet_512",
        "scrfd_2.5g_kps.onnx": "scrfd_2.5g",
        "yunet_n_dynamic.onnx": "yunet_n",
    }
    assert store.resolve().name == "compact"
    assert store.is_installed("compact-mirror")
    assert all(row.soundness == "sound" for row in verify_files(store))
    assert store.resolve("mobilefacenet_192").detector.entry.name == "scrfd_500m"
