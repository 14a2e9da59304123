"""What is known of each network: its hash, where its authors publish it, under which licence, and how
its input must look. Read from models/catalogue.toml, strictly: an unknown key is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta, Struct

from arcface_cli.errors import UsageError, WeightsDamaged

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
Similarity = Annotated[float, Meta(ge=-1.0, le=1.0)]
Rate = Annotated[float, Meta(ge=0.0, le=1.0)]
Mean = Annotated[float, Meta(ge=-1e6, le=1e6)]
Scale = Annotated[float, Meta(gt=0.0, le=1e6)]
Count = Annotated[int, Meta(gt=0)]
Axis = Literal["dynamic", "fixed", "rewritable"]
"""Whether a dimension is free in the graph, fixed for good, or declared fixed but free once rewritten."""


class Strict(Struct, frozen=True, forbid_unknown_fields=True):
    """What is read from TOML or JSON takes no key that it doesn't know."""


# --- where a file comes from ------------------------------------------------------------------


class HttpsSource(Strict, frozen=True, tag_field="kind", tag="https"):
    """A plain file, or (with `member`) one member of a zip whose own SHA-256 is `artifact_sha256`."""

    url: Annotated[str, Meta(pattern=r"^https://")]
    member: str | None = None
    artifact_sha256: Sha256 | None = None

    def __post_init__(self) -> None:
        if (self.member is None) != (self.artifact_sha256 is None):
            raise ValueError(f"{self.url}: a member of an archive needs the archive's sha256, and only it")

    def __str__(self) -> str:
        return self.url.split("/")[2]


class PypiSource(Strict, frozen=True, tag_field="kind", tag="pypi"):
    """One member of a pinned wheel or source distribution, from the index that pip is set up for."""

    requirement: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9.]+\Z")]
    member: str
    artifact_sha256: Sha256
    form: Literal["wheel", "sdist"]

    def __str__(self) -> str:
        return f"pip ({self.requirement})"


class NpmSource(Strict, frozen=True, tag_field="kind", tag="npm"):
    """One member of a pinned npm tarball, from the registry that npm is set up for."""

    package: Annotated[str, Meta(pattern=r"^(@[a-z0-9._-]+/)?[a-z0-9._-]+\Z")]
    version: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.+-]+\Z")]
    member: str
    artifact_sha256: Sha256

    def __str__(self) -> str:
        return f"npm ({self.package}@{self.version})"


Source = HttpsSource | PypiSource | NpmSource


# --- what there is -------------------------------------------------------------------------------


class Licence(Strict, frozen=True):
    """Terms of use as the publisher states them; `restricted` ones must be accepted before a fetch."""

    id: Name
    name: str
    restricted: bool
    notice: str
    url: str | None = None

    @property
    def terms(self) -> str:
        """What there is to accept, and where it stands."""
        where = "" if self.url is None else f" ({self.url})"
        return f"{self.name}: {self.notice}{where}"


class WeightFile(Strict, frozen=True):
    """One file, known by its SHA-256. size: bytes, where known. licence: id of a `Licence`."""

    id: Name
    name: FileName
    sha256: Sha256
    kind: Literal["detector", "recogniser", "sample"]
    licence: Name
    size: Count | None = None
    sources: tuple[Source, ...] = ()


class StatedThreshold(Strict, frozen=True):
    """An operating point that somebody measured: similarity >= `similarity` matches at this FMR on that data.

    similarity: cosine, [-1, 1].  fmr, fnmr: rates in [0, 1].  Counts are None where not stated.
    """

    similarity: Similarity
    fmr: Rate
    data: str
    source: str
    fnmr: Rate | None = None
    impostor_comparisons: Count | None = None
    genuine_comparisons: Count | None = None
    detector: Name | None = None
    default: bool = False


class DetectorEntry(Strict, frozen=True):
    """How to feed a detector: float32 (N, 3, H, W), colour order, then (x - mean) / scale with x in 0..255.

    batch, size: whether N, and H and W, may differ from the declared ones.  declared_size: (height,
    width) in pixels where they may not.  multiple: H and W must be multiples of it.
    normalisation "graph": the graph normalises; feed 0..255.
    """

    name: Name
    file: Name
    family: Literal["scrfd", "yunet", "centerface", "insightface"]
    colour: Literal["rgb", "bgr"]
    mean: Mean
    scale: Scale
    batch: Axis
    size: Axis
    multiple: Count = 32
    declared_size: tuple[int, int] | None = None
    normalisation: Literal["host", "graph"] = "host"
    summary: str = ""

    @property
    def preprocessing(self) -> str:
        """Canonical line such as "rgb,(x-127.5)/128"."""
        return _preprocessing(self)


class RecogniserEntry(Strict, frozen=True):
    """How to feed a recogniser: float32 (N, 3, 112, 112), colour order, then (x - mean) / scale, x in 0..255.

    dimension: D of the feature.  batch "rewritable": declared fixed, free once rewritten in memory.
    normalisation "graph": the graph does it; feed 0..255 and mean, scale are 0 and 1.
    """

    name: Name
    file: Name
    colour: Literal["rgb", "bgr"]
    mean: Mean
    scale: Scale
    dimension: Count
    batch: Axis
    normalisation: Literal["host", "graph"] = "host"
    stated_thresholds: tuple[StatedThreshold, ...] = ()
    summary: str = ""

    def __post_init__(self) -> None:
        if sum(point.default for point in self.stated_thresholds) > 1:
            raise ValueError(f"{self.name}: more than one stated threshold is marked as the default")

    @property
    def preprocessing(self) -> str:
        """Canonical line such as "rgb,(x-127.5)/127.5", or "rgb,in-graph"; part of a model's fingerprint."""
        return _preprocessing(self)

    @property
    def default_threshold(self) -> StatedThreshold | None:
        """The point that is used when the user names none, or None where nothing was measured."""
        return next((point for point in self.stated_thresholds if point.default), None)


class PackEntry(Strict, frozen=True):
    """A detector and a recogniser that go together under one name."""

    name: Name
    detector: Name
    recogniser: Name
    summary: str = ""


class _Fed(Protocol):
    @property
    def colour(self) -> str: ...
    @property
    def mean(self) -> float: ...
    @property
    def scale(self) -> float: ...
    @property
    def normalisation(self) -> str: ...


def _preprocessing(entry: _Fed) -> str:
    if entry.normalisation == "graph":
        return f"{entry.colour},in-graph"
    return f"{entry.colour},(x-{entry.mean:g})/{entry.scale:g}"


class Additions(Strict, frozen=True):
    """What was imported. References may lead into the shipped catalogue."""

    licence: tuple[Licence, ...] = ()
    file: tuple[WeightFile, ...] = ()
    detector: tuple[DetectorEntry, ...] = ()
    recogniser: tuple[RecogniserEntry, ...] = ()
    pack: tuple[PackEntry, ...] = ()

    @property
    def models(self) -> Iterator[DetectorEntry | RecogniserEntry]:
        """Detectors, then recognisers."""
        yield from self.detector
        yield from self.recogniser

    def merged(self, newer: Additions) -> Additions:
        """Both; where a name is in both, the newer entry stands."""
        return Additions(
            licence=tuple({each.id: each for each in (*self.licence, *newer.licence)}.values()),
            file=tuple({each.id: each for each in (*self.file, *newer.file)}.values()),
            detector=tuple({each.name: each for each in (*self.detector, *newer.detector)}.values()),
            recogniser=tuple({each.name: each for each in (*self.recogniser, *newer.recogniser)}.values()),
            pack=tuple({each.name: each for each in (*self.pack, *newer.pack)}.values()),
        )


# --- the whole ------------------------------------------------------------------------------------


class Catalogue(Strict, frozen=True):
    """Every licence, file, detector, recogniser and pack; names are unique, references resolve.

    detector_preference: which detector goes with a recogniser that was named alone, best first.
    """

    version: Literal[1] = 1
    detector_preference: tuple[Name, ...] = ()
    licence: tuple[Licence, ...] = ()
    file: tuple[WeightFile, ...] = ()
    detector: tuple[DetectorEntry, ...] = ()
    recogniser: tuple[RecogniserEntry, ...] = ()
    pack: tuple[PackEntry, ...] = ()

    def __post_init__(self) -> None:
        _refuse_duplicates("file", (file.id for file in self.file))
        _refuse_duplicates("sha256", (file.sha256 for file in self.file))
        models = tuple(self.models)
        _refuse_duplicates("model", (entry.name for entry in (*models, *self.pack)))
        _refuse_strangers("licence", {x.id for x in self.licence}, (file.licence for file in self.file))
        _refuse_strangers("file", {file.id for file in self.file}, (entry.file for entry in models))
        detectors = {entry.name for entry in self.detector}
        recognisers = {entry.name for entry in self.recogniser}
        _refuse_strangers("detector", detectors, (pack.detector for pack in self.pack))
        _refuse_strangers("detector", detectors, self.detector_preference)
        _refuse_strangers("recogniser", recognisers, (pack.recogniser for pack in self.pack))

    def find_pack(self, name: str) -> PackEntry | None:
        """The pack of that name, if there is one."""
        return _named(self.pack, name)

    def find_detector(self, name: str) -> DetectorEntry | None:
        """The detector of that name, if there is one."""
        return _named(self.detector, name)

    def find_recogniser(self, name: str) -> RecogniserEntry | None:
        """The recogniser of that name, if there is one."""
        return _named(self.recogniser, name)

    def file_of(self, entry: DetectorEntry | RecogniserEntry) -> WeightFile:
        """The file that holds this network."""
        return next(file for file in self.file if file.id == entry.file)

    def licence_of(self, file: WeightFile) -> Licence:
        """The terms under which the file is published."""
        return next(licence for licence in self.licence if licence.id == file.licence)

    def file_with_hash(self, sha256: str) -> WeightFile | None:
        """The file that has this SHA-256, whatever it is called on disk."""
        return next((file for file in self.file if file.sha256 == sha256), None)

    def files_of_model(self, name: str) -> tuple[WeightFile, ...]:
        """The files of a pack (detector first), a detector, a recogniser, or the one file with that id.

        Raises UsageError for a name that nothing has.
        """
        pack = self.find_pack(name)
        names = (name,) if pack is None else (pack.detector, pack.recogniser)
        entries = [self.find_detector(each) or self.find_recogniser(each) for each in names]
        files = tuple(self.file_of(entry) for entry in entries if entry is not None)
        files = files or tuple(file for file in self.file if file.id == name)
        if not files:
            raise unknown_model(name)
        return files

    def model_of_file(self, file: WeightFile) -> str:
        """Name by which the user can ask for this file again."""
        return next((entry.name for entry in self.models if entry.file == file.id), file.id)

    @property
    def names(self) -> set[str]:
        """Every name that is taken: of packs, models and files."""
        return {entry.name for entry in (*self.models, *self.pack)} | {file.id for file in self.file}

    @property
    def models(self) -> Iterator[DetectorEntry | RecogniserEntry]:
        """Detectors, then recognisers."""
        yield from self.detector
        yield from self.recogniser

    @property
    def samples(self) -> tuple[WeightFile, ...]:
        """The sample photographs."""
        return tuple(file for file in self.file if file.kind == "sample")

    def extended(self, additions: Additions) -> Catalogue:
        """This catalogue, then the additions. Raises ValueError when a name is taken or leads nowhere."""
        licences = {licence.id: licence for licence in (*additions.licence, *self.licence)}
        return Catalogue(
            detector_preference=(*self.detector_preference, *(each.name for each in additions.detector)),
            licence=tuple(licences.values()),
            file=(*self.file, *additions.file),
            detector=(*self.detector, *additions.detector),
            recogniser=(*self.recogniser, *additions.recogniser),
            pack=(*self.pack, *additions.pack),
        )


_Entry = TypeVar("_Entry", PackEntry, DetectorEntry, RecogniserEntry)


def _named(entries: Iterable[_Entry], name: str) -> _Entry | None:
    return next((entry for entry in entries if entry.name == name), None)


def unknown_model(name: str, asked: str | None = None) -> UsageError:
    """The error for a name that neither the catalogue nor an import knows.

    asked: the words that it was asked for with, where it was by a setting.
    """
    said = f"no model is called {name!r}" if asked is None else f"{asked}: no model is called so"
    return UsageError(said, hint="see the names with: arcface models list")


def _refuse_duplicates(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two entries have the {what} {name!r}")
        seen.add(name)


def _refuse_strangers(what: str, known: set[str], used: Iterable[str]) -> None:
    for name in used:
        if name not in known:
            raise ValueError(f"no {what} is called {name!r}")


# --- reading ----------------------------------------------------------------------------------------


def parse_catalogue(document: str, origin: str) -> Catalogue:
    """Parse TOML text. Raises WeightsDamaged naming `origin` and the first thing that is wrong."""
    hint = "install arcface-cli again: its catalogue is damaged"
    try:
        return msgspec.convert(tomllib.loads(document), Catalogue)
    except tomllib.TOMLDecodeError as error:
        raise WeightsDamaged(f"{origin}: no TOML ({error})", hint=hint) from error
    except msgspec.ValidationError as error:
        raise WeightsDamaged(f"{origin}: {error}", hint=hint) from error


def models_folder() -> Path:
    """The folder of catalogue.toml and the model cards: inside the wheel, else at the top of the checkout."""
    packaged = Path(str(resources.files("arcface_cli"))) / "models"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "models"


@cache
def shipped_catalogue() -> Catalogue:
    """The catalogue that came with this version of the program."""
    path = models_folder() / "catalogue.toml"
    try:
        document = path.read_text(encoding="utf-8")
    except OSError as error:
        raise WeightsDamaged(
            f"{path}: can't be read ({error.strerror})", hint="install arcface-cli again"
        ) from error
    return parse_catalogue(document, str(path))


def model_card(file: WeightFile) -> str | None:
    """Markdown text of the file's card, or None where none is written (imported files)."""
    path = models_folder() / f"{file.id}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None
