"""`arcface models`: list, pull, import, verify, show, use. Plain values out; nothing is printed here."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from msgspec.structs import replace

from arcface_cli.errors import (
    DownloadFailed,
    LicenceNotAccepted,
    MissingFile,
    ModelUnusable,
    NotAFile,
    PermissionDenied,
    UsageError,
)
from arcface_cli.faces import CROP_SIDE
from arcface_cli.weights.catalogue import (
    NAME_PATTERN,
    Additions,
    Axis,
    DetectorEntry,
    Licence,
    PackEntry,
    RecogniserEntry,
    WeightFile,
    model_card,
)
from arcface_cli.weights.fetch import Fetched, Fetcher
from arcface_cli.weights.files import CHUNK, sha256_of, writing
from arcface_cli.weights.insightface_zoo import InsightfaceZoo, Zoo, ZooModel
from arcface_cli.weights.store import Soundness, WeightStore

Accept = Callable[[Licence], bool]
"""Shows the terms and answers whether the user accepts them."""

OWN = Licence(
    "own", "your own file", restricted=False, notice="Imported by the user; its terms are theirs to know."
)
OWN_FLAGS = "--name, --colour, --mean, --scale and --in-graph"
INSIGHTFACE_TERMS = "insightface-research"


# --- list, show, verify, use --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of `models list`. bytes: of all its files, None where one is unknown."""

    name: str
    kind: Literal["pack", "detector", "recogniser"]
    installed: bool
    default: bool
    bytes: int | None
    restricted: bool
    licences: tuple[str, ...]
    files: tuple[str, ...]
    imported: bool
    summary: str


def list_models(store: WeightStore) -> list[ModelRow]:
    """Packs first, then detectors and recognisers, imported ones last of their kind."""
    catalogue, state = store.catalogue, store.state
    sound = {file.id: store.has(file) for file in catalogue.file if file.kind != "sample"}
    shipped = {entry.name for entry in (*store.shipped.pack, *store.shipped.models)}
    rows = []
    for entry in (*catalogue.pack, *catalogue.models):
        files = catalogue.files_of_model(entry.name)
        licences = {file.licence: catalogue.licence_of(file) for file in files}
        sizes = [file.size for file in files]
        rows.append(
            ModelRow(
                name=entry.name,
                kind=_kind(entry),
                installed=all(sound[file.id] for file in files),
                default=entry.name == state.default,
                bytes=None if None in sizes else sum(size for size in sizes if size is not None),
                restricted=any(licence.restricted for licence in licences.values()),
                licences=tuple(licence.name for licence in licences.values()),
                files=tuple(file.name for file in files),
                imported=entry.name not in shipped,
                summary=entry.summary,
            )
        )
    return rows


def _kind(entry: PackEntry | DetectorEntry | RecogniserEntry) -> Literal["pack", "detector", "recogniser"]:
    match entry:
        case PackEntry():
            return "pack"
        case DetectorEntry():
            return "detector"
        case RecogniserEntry():
            return "recogniser"


@dataclass(frozen=True, slots=True)
class FileDetails:
    """One file of a shown model. accepted: whether its terms need no acceptance or have it."""

    file: WeightFile
    path: Path
    soundness: Soundness
    licence: Licence
    accepted: bool
    card: str | None


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """All that is known of one model. default: whether it is used when none is named."""

    name: str
    kind: Literal["pack", "detector", "recogniser"]
    default: bool
    detector: DetectorEntry | None
    recogniser: RecogniserEntry | None
    files: tuple[FileDetails, ...]
    summary: str


def show_model(store: WeightStore, name: str) -> ModelDetails:
    """Facts, files, licence and card of a model. Raises UsageError for a name that none has."""
    catalogue, state = store.catalogue, store.state
    files = catalogue.files_of_model(name)
    pack = catalogue.find_pack(name)
    detector = catalogue.find_detector(name if pack is None else pack.detector)
    recogniser = catalogue.find_recogniser(name if pack is None else pack.recogniser)
    entry = pack if pack is not None else (detector if detector is not None else recogniser)
    if entry is None:
        raise UsageError(f"{name} is no model but a sample", hint="see the models with: arcface models list")
    details = []
    for file in files:
        licence = catalogue.licence_of(file)
        accepted = not licence.restricted or state.has_accepted(licence)
        details.append(
            FileDetails(file, store.path_of(file), store.soundness(file), licence, accepted, model_card(file))
        )
    return ModelDetails(
        name, _kind(entry), name == state.default, detector, recogniser, tuple(details), entry.summary
    )


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """What hashing one installed file anew said. mend: the command that brings a sound one."""

    model: str
    file: WeightFile
    path: Path
    soundness: Soundness
    mend: str | None


def verify_files(store: WeightStore) -> Iterator[VerifiedFile]:
    """Hash every installed file anew, and report imported ones that are gone."""
    catalogue = store.catalogue
    imported = {file.id for file in store.state.imported.file}
    for file in catalogue.file:
        soundness = store.soundness(file, rehash=True)
        if soundness == "missing" and file.id not in imported:
            continue
        model = catalogue.model_of_file(file)
        mend = f"arcface models pull {model}" if file.sources else "arcface models import FILE"
        yield VerifiedFile(
            model, file, store.path_of(file), soundness, None if soundness == "sound" else mend
        )


def use_model(store: WeightStore, name: str) -> None:
    """Make an installed pack or recogniser the default, whatever is pulled later."""
    store.choose_default(name)


# --- pull ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model whose files are all here. became_default: it is what is used when none is named."""

    name: str
    files: tuple[Fetched, ...]
    became_default: bool


def pull_model(store: WeightStore, name: str, fetcher: Fetcher, accept: Accept) -> Pulled:
    """Fetch a pack, detector, recogniser or sample; a pack becomes the default unless one was chosen.

    Raises UsageError for an unknown name, LicenceNotAccepted when restricted terms are refused, and
    DownloadFailed when no source serves a file.
    """
    catalogue = store.catalogue
    files = catalogue.files_of_model(name)
    require_acceptance(store, files, accept)
    fetched = tuple(fetcher.fetch(file) for file in files)
    is_pack = catalogue.find_pack(name) is not None
    became_default = is_pack and store.offer_default(name, replacing=True)
    if not is_pack:
        became_default = _offer_completed_pack(store) == name
    return Pulled(name, fetched, became_default)


def pull_samples(store: WeightStore, fetcher: Fetcher) -> dict[str, Path]:
    """Fetch the sample photographs; file name -> where it is."""
    return {file.name: fetcher.fetch(file).path for file in store.shipped.samples}


def require_acceptance(store: WeightStore, files: Iterable[WeightFile], accept: Accept) -> None:
    """Have every restricted licence of these files accepted, asking once for each; acceptances are kept.

    Raises LicenceNotAccepted when one is refused.
    """
    catalogue = store.catalogue
    for licence in {file.licence: catalogue.licence_of(file) for file in files}.values():
        _require(store, licence, accept)


def _require(store: WeightStore, licence: Licence, accept: Accept) -> None:
    if not licence.restricted or store.state.has_accepted(licence):
        return
    if not accept(licence):
        raise LicenceNotAccepted(
            licence.terms,
            hint="if you accept these terms, run it again with --accept-license",
        )
    store.record_acceptance(licence)


def _offer_completed_pack(store: WeightStore) -> str | None:
    """After single files arrived: the first complete pack becomes the default when there is none yet."""
    if store.state.default is not None:
        return None
    for pack in store.catalogue.pack:
        if store.is_installed(pack.name):
            return pack.name if store.offer_default(pack.name, replacing=False) else None
    return None


# --- import ----------------------------------------------------------------------------------------


class GraphFacts(Protocol):
    """Shapes that an ONNX graph declares; a free dimension is a name or None."""

    @property
    def input_shape(self) -> tuple[int | str | None, ...]:
        """Of the one picture input."""
        ...

    @property
    def output_shapes(self) -> tuple[tuple[int | str | None, ...], ...]:
        """Of every output."""
        ...


Inspect = Callable[[Path], GraphFacts]
"""Reads a graph's shapes; raises ModelUnusable for what is no ONNX file."""

TryOut = Callable[[RecogniserEntry, Path], Sequence[float]]
"""Embeds one crop with a recogniser that isn't installed yet; returns the feature, (D,)."""


@dataclass(frozen=True, slots=True)
class OwnModel:
    """What the user says of their own ONNX file. None: not said."""

    name: str | None = None
    colour: Literal["rgb", "bgr"] | None = None
    mean: float | None = None
    scale: float | None = None
    in_graph: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """One file that was looked at. model: as what it is known now, None when it was left alone and why."""

    path: Path
    model: str | None
    sha256: str
    reason: str | None = None
    became_default: str | None = None


def import_path(
    store: WeightStore,
    path: Path,
    accept: Accept,
    *,
    own: OwnModel | None = None,
    inspect: Inspect | None = None,
    try_out: TryOut | None = None,
) -> Iterator[Imported]:
    """Import one file, or the files of an insightface folder (such as ~/.insightface/models/buffalo_l).

    A catalogue file is known by its hash, whatever it is called. Another file is the user's own
    recogniser: `own` says how to feed it. Raises MissingFile, NotAFile, PermissionDenied,
    LicenceNotAccepted, ModelUnusable, and UsageError when `own` doesn't say enough, or has no say.
    """
    said = own not in (None, OwnModel())
    if path.is_dir():
        if said:
            raise UsageError(f"{path} is a folder, and the flags describe one file", hint="name the file")
        yield from import_folder(store, path, accept)
        return
    sha256 = _hash_of_input(path)
    file = store.catalogue.file_with_hash(sha256)
    described_anew = own is not None and own.name is not None and file not in store.shipped.file
    if file is not None and not described_anew:
        if said:
            raise UsageError(
                f"{path} is known as {store.catalogue.model_of_file(file)}, and how to feed it too",
                hint=f"leave {OWN_FLAGS} out"
                + ("" if file in store.shipped.file else ", or add --name NAME"),
            )
        yield _import_known(store, path, file, accept)
    else:
        yield _import_own(store, path, sha256, OwnModel() if own is None else own, inspect, try_out)


def import_folder(store: WeightStore, folder: Path, accept: Accept) -> Iterator[Imported]:
    """Take the ONNX files that are known by their hash, also in folders inside; report the others.

    Raises LicenceNotAccepted at the end, if it kept us from some of them.
    """
    paths = sorted(folder.rglob("*.onnx"))
    if not paths:
        raise NotAFile(
            f"{folder}: no .onnx file in this folder", hint="name the file, or the folder that holds it"
        )
    refused: dict[str, LicenceNotAccepted] = {}
    for path in paths:
        sha256 = _hash_of_input(path)
        file = store.catalogue.file_with_hash(sha256)
        if file is None:
            yield Imported(path, None, sha256, reason="the catalogue doesn't know it")
            continue
        if file.licence not in refused:
            try:
                yield _import_known(store, path, file, accept)
                continue
            except LicenceNotAccepted as refusal:
                refused[file.licence] = refusal
        name = store.catalogue.licence_of(file).name
        yield Imported(path, None, sha256, reason=f"its licence is not accepted: {name}")
    if refused:
        terms = "; ".join(refusal.message for refusal in refused.values())
        raise LicenceNotAccepted(terms, hint=next(iter(refused.values())).hint)


def _hash_of_input(path: Path) -> str:
    try:
        return sha256_of(path)
    except FileNotFoundError as error:
        raise MissingFile(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise NotAFile(f"{path}: this is a folder") from error
    except PermissionError as error:
        raise PermissionDenied(f"{path}: can't be read") from error


def _import_known(store: WeightStore, path: Path, file: WeightFile, accept: Accept) -> Imported:
    require_acceptance(store, [file], accept)
    _copy_in(store, path, file)
    became_default = _offer_completed_pack(store)
    return Imported(path, store.catalogue.model_of_file(file), file.sha256, became_default=became_default)


def _copy_in(store: WeightStore, path: Path, file: WeightFile) -> Path:
    """Copy into the store; what arrived is hashed, not what was read before."""
    with store.locked(file.sha256):
        if store.has(file):
            return store.path_of(file)
        copy = store.download_path(file.sha256, "member")
        with path.open("rb") as source, writing(copy), copy.open("wb") as target:
            while chunk := source.read(CHUNK):
                target.write(chunk)
        if sha256_of(copy) != file.sha256:
            copy.unlink()
            raise ModelUnusable(f"{path}: it changed while it was copied", hint="run this again")
        return store.place(file, copy)


def _import_own(
    store: WeightStore,
    path: Path,
    sha256: str,
    own: OwnModel,
    inspect: Inspect | None,
    try_out: TryOut | None,
) -> Imported:
    """Check the graph first, so that a text file isn't answered with a question about its colours."""
    dimension, batch = _checked_graph(path, None if inspect is None else inspect(path))
    entry = _described(path, own, dimension, batch)
    if try_out is not None:
        entry = replace(entry, dimension=_tried_dimension(path, entry, try_out(entry, path)))
    if entry.dimension == UNKNOWN_DIMENSION:
        raise ModelUnusable(f"{path.name}: the graph doesn't say how long its features are")
    file = store.catalogue.file_with_hash(sha256)
    if file is None:
        file = WeightFile(
            entry.name, f"{entry.name[:59]}.onnx", sha256, "recogniser", OWN.id, path.stat().st_size
        )
    entry = replace(entry, file=file.id)
    store.record_import(Additions(licence=(OWN,), file=(file,), recogniser=(entry,)))
    _copy_in(store, path, file)
    return Imported(path, entry.name, sha256)


UNKNOWN_DIMENSION = 1 << 30
"""Stands for the feature's length until the network has answered once."""


def _checked_graph(path: Path, facts: GraphFacts | None) -> tuple[int, Axis]:
    """Dimension and batch of a graph that can be a recogniser. Raises ModelUnusable for another."""
    if facts is None:
        return UNKNOWN_DIMENSION, "rewritable"
    shape = facts.input_shape
    sides = [side if isinstance(side, int) else CROP_SIDE for side in shape[2:]]
    channels = shape[1] if len(shape) == 4 else None
    if len(shape) != 4 or channels != 3 or sides != [CROP_SIDE, CROP_SIDE]:
        raise ModelUnusable(
            f"{path.name}: its input is {_written(shape)}, not (N, 3, {CROP_SIDE}, {CROP_SIDE})",
            hint="a detector can't be imported as a recogniser; the catalogue's are known by their hash",
        )
    outputs = facts.output_shapes
    if len(outputs) != 1 or len(outputs[0]) != 2:
        described = ", ".join(_written(output) for output in outputs)
        raise ModelUnusable(f"{path.name}: its output is {described}, a recogniser gives one (N, D)")
    last = outputs[0][-1]
    dimension = last if isinstance(last, int) and last > 0 else UNKNOWN_DIMENSION
    return dimension, "rewritable" if isinstance(shape[0], int) else "dynamic"


def _written(shape: Sequence[int | str | None]) -> str:
    return "(" + ", ".join("?" if side is None else str(side) for side in shape) + ")"


def _described(path: Path, own: OwnModel, dimension: int, batch: Axis) -> RecogniserEntry:
    """The entry for what the user said. Raises UsageError naming the flags that are missing or clash."""
    if own.in_graph and (own.mean, own.scale) != (None, None):
        raise UsageError(
            "--in-graph leaves nothing to subtract or divide by", hint="leave it out, or --mean and --scale"
        )
    normalised = own.in_graph or (own.mean is not None and own.scale is not None)
    if own.name is None or own.colour is None or not normalised:
        raise UsageError(
            f"{path.name}: the catalogue doesn't know it, and how to feed it isn't guessed",
            hint="say so: --name NAME --colour rgb|bgr, and --mean 127.5 --scale 127.5 or --in-graph",
        )
    mean, scale = (
        (0.0, 1.0) if own.mean is None or own.scale is None or own.in_graph else (own.mean, own.scale)
    )
    if not (math.isfinite(mean) and math.isfinite(scale) and scale > 0):
        raise UsageError(f"--mean {mean:g} --scale {scale:g}: finite numbers and a positive scale are needed")
    if re.fullmatch(NAME_PATTERN, own.name) is None:
        raise UsageError(f"--name {own.name!r}: up to 64 letters, digits, '.', '-' and '_' make a name")
    return RecogniserEntry(
        name=own.name,
        file=own.name,
        colour=own.colour,
        mean=mean,
        scale=scale,
        dimension=dimension,
        batch=batch,
        normalisation="graph" if own.in_graph else "host",
        summary="imported",
    )


def _tried_dimension(path: Path, entry: RecogniserEntry, feature: Sequence[float]) -> int:
    """Length of the feature that the network really gave. Raises ModelUnusable for NaN or another length."""
    if len(feature) == 0 or not all(map(math.isfinite, feature)):
        raise ModelUnusable(f"{path.name}: the network answers with no finite feature")
    if entry.dimension not in (UNKNOWN_DIMENSION, len(feature)):
        raise ModelUnusable(f"{path.name}: declared {entry.dimension} dimensions, gave {len(feature)}")
    return len(feature)


# --- through insightface -------------------------------------------------------------------------------


def pull_via_insightface(
    store: WeightStore, name: str, accept: Accept, *, offline: bool = False, zoo: Zoo | None = None
) -> Iterator[Imported]:
    """Let insightface fetch one of its packages, check its licence, and import what is in it.

    Files that the catalogue knows are taken by their hash; another detector is recorded as run by
    insightface, another recogniser as insightface feeds it; the rest (landmarks, age) is reported.
    Raises RuntimeMissing without the extra, LicenceNotAccepted, and DownloadFailed.
    """
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise UsageError(f"{name!r} is no name of an insightface package")
    zoo = InsightfaceZoo() if zoo is None else zoo
    folder, terms = _licensed_folder(store, name, accept, zoo, offline=offline)
    found: dict[str, str] = {}
    paths = sorted(folder.rglob("*.onnx"))
    if not paths:
        raise DownloadFailed(
            f"{folder}: no .onnx file in it",
            hint="an earlier fetch broke: remove that folder and run this again",
        )
    for path in paths:
        imported = _import_from_zoo(store, name, folder, path, terms, zoo)
        if imported.model is not None:
            found[_kind_of(store, imported.model)] = imported.model
        yield imported
    if store.catalogue.find_pack(name) is None and set(found) == {"detector", "recogniser"}:
        pack = PackEntry(name, found["detector"], found["recogniser"], ZOO_SUMMARY)
        store.record_import(Additions(pack=(pack,)))
    if store.catalogue.find_pack(name) is not None and store.is_installed(name):
        store.offer_default(name, replacing=True)


ZOO_SUMMARY = "from insightface's model zoo"


def _kind_of(store: WeightStore, model: str) -> str:
    return "recogniser" if store.catalogue.find_detector(model) is None else "detector"


def _licensed_folder(
    store: WeightStore, name: str, accept: Accept, zoo: Zoo, *, offline: bool
) -> tuple[Path, Licence]:
    """The package's folder and the terms it is used under, accepted where they restrict."""
    terms = next(each for each in store.shipped.licence if each.id == INSIGHTFACE_TERMS)
    folder = zoo.folder_if_here(name)
    if folder is None:
        if offline:
            raise DownloadFailed(
                f"{name}: it is not here, and --offline was asked for", hint="run again without --offline"
            )
        _require(store, terms, accept)
        folder = zoo.download(name)
    licence = zoo.check_licence(folder)
    if licence.commercial:
        return folder, Licence(
            "insightface-licensed", "InsightFace, licensed", False, licence.message, terms.url
        )
    _require(store, terms, accept)
    return folder, terms


def _import_from_zoo(
    store: WeightStore, package: str, folder: Path, path: Path, terms: Licence, zoo: Zoo
) -> Imported:
    sha256 = _hash_of_input(path)
    file = store.catalogue.file_with_hash(sha256)
    if file is None:
        model = zoo.describe(folder, path)
        if model is None:
            return Imported(path, None, sha256, reason="neither a detector nor a recogniser")
        name = re.sub(r"[^A-Za-z0-9._-]", "_", f"{package}_{path.stem}")[:64]
        kind: Literal["detector", "recogniser"] = "detector" if model.task == "detection" else "recogniser"
        file = WeightFile(name, f"{name[:59]}.onnx", sha256, kind, terms.id, path.stat().st_size)
        store.record_import(_zoo_additions(file, terms, model))
    _copy_in(store, path, file)
    return Imported(path, store.catalogue.model_of_file(file), sha256)


def _zoo_additions(file: WeightFile, terms: Licence, model: ZooModel) -> Additions:
    normalisation: Literal["host", "graph"] = "graph" if model.in_graph else "host"
    if model.task == "detection":
        detector = DetectorEntry(
            name=file.id,
            file=file.id,
            family="insightface",
            colour="rgb",
            mean=model.mean,
            scale=model.scale,
            batch="fixed",
            size="dynamic",
            normalisation=normalisation,
            summary=ZOO_SUMMARY,
        )
        return Additions(licence=(terms,), file=(file,), detector=(detector,))
    if model.dimension is None:
        raise ModelUnusable(f"{model.path.name}: insightface doesn't say how long its features are")
    recogniser = RecogniserEntry(
        name=file.id,
        file=file.id,
        colour="rgb",
        mean=model.mean,
        scale=model.scale,
        dimension=model.dimension,
        batch="rewritable",
        normalisation=normalisation,
        summary=ZOO_SUMMARY,
    )
    return Additions(licence=(terms,), file=(file,), recogniser=(recogniser,))
