"""Weights on this machine: files by their SHA-256, and which model is the default.

    root/
      files/<sha256>/<file name>     one network; verified.json beside it says when it was last hashed
      downloads/                     what is under way; may be deleted when nothing runs
      locks/                         one a file, so that processes don't disturb each other
      state.json                     default, accepted licences, imported models

Nothing is believed but its hash. Hashing 260 MB at each start would cost more than loading them, so a
stamp (size, modification time, inode) is kept of the last verification and the file is hashed again
when the stamp doesn't fit.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

from msgspec.structs import replace

from arcface_cli.errors import ModelMissing, UsageError, WeightsDamaged
from arcface_cli.weights.catalogue import (
    Additions,
    Catalogue,
    DetectorEntry,
    Licence,
    PackEntry,
    RecogniserEntry,
    WeightFile,
    shipped_catalogue,
    unknown_model,
)
from arcface_cli.weights.files import move_atomically, reading, sha256_of, write_atomically, writing
from arcface_cli.weights.state import Acceptance, StoreState, read_state, write_state

STAMP = "verified.json"
ANOTHER_NAME = "choose another name with --name"


@dataclass(frozen=True, slots=True)
class InstalledDetector:
    """A detector whose file is here and sound."""

    entry: DetectorEntry
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class InstalledRecogniser:
    """A recogniser whose file is here and sound."""

    entry: RecogniserEntry
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """What a verb works with. name: as the user can ask for it (a pack, or a recogniser)."""

    name: str
    detector: InstalledDetector
    recogniser: InstalledRecogniser


Soundness = Literal["sound", "damaged", "missing"]


class WeightStore:
    """The models folder. Making one touches nothing; folders appear with the first file."""

    def __init__(self, root: Path, catalogue: Catalogue | None = None) -> None:
        self.root = root
        self._shipped = shipped_catalogue() if catalogue is None else catalogue

    # --- what is known ---------------------------------------------------------------------------

    @property
    def state(self) -> StoreState:
        """What state.json says now."""
        return read_state(self.root / "state.json")

    @property
    def catalogue(self) -> Catalogue:
        """The shipped catalogue and the imported models after it."""
        return known_models(self._shipped, self.state.imported)

    @property
    def shipped(self) -> Catalogue:
        """The shipped catalogue alone."""
        return self._shipped

    # --- files -------------------------------------------------------------------------------------

    def path_of(self, file: WeightFile) -> Path:
        """Where the file is, or would be."""
        return self.root / "files" / file.sha256 / file.name

    def soundness(self, file: WeightFile, *, rehash: bool = False) -> Soundness:
        """Whether the file is here and what its hash says; `rehash` trusts no stamp."""
        path = self.path_of(file)
        try:
            with reading(path):
                stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        stamp = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino}
        stamp_path = path.parent / STAMP
        if not rehash and _read_stamp(stamp_path) == stamp:
            return "sound"
        with reading(path):
            found = sha256_of(path)
        if found != file.sha256:
            # A folder that can't be written keeps a stamp that doesn't fit.
            with contextlib.suppress(OSError):
                stamp_path.unlink(missing_ok=True)
            return "damaged"
        with contextlib.suppress(OSError):  # without a stamp the next start hashes again: slower, not wrong
            write_atomically(stamp_path, json.dumps(stamp).encode())
        return "sound"

    def has(self, file: WeightFile) -> bool:
        """Whether the file is here and sound."""
        return self.soundness(file) == "sound"

    def place(self, file: WeightFile, finished: Path) -> Path:
        """Move a finished download, whose hash the caller has checked, to where it belongs."""
        path = self.path_of(file)
        with writing(path):
            move_atomically(finished, path)
        self.soundness(file)
        return path

    def is_installed(self, name: str) -> bool:
        """Whether every file of this pack, detector or recogniser is here and sound."""
        return all(self.has(file) for file in self.catalogue.files_of_model(name))

    @contextlib.contextmanager
    def locked(self, name: str, *, timeout_s: float = -1) -> Iterator[None]:
        """Hold the lock `name` between processes. Raises filelock.Timeout after `timeout_s` (-1: never)."""
        from filelock import FileLock  # only changes lock, and most runs change nothing

        folder = self.root / "locks"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{name}.lock", timeout=timeout_s, thread_local=False)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def download_path(self, sha256: str, ending: str) -> Path:
        """Where a transfer that shall have this hash is kept while it is under way."""
        folder = self.root / "downloads"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{sha256}.{ending}"

    # --- choosing ------------------------------------------------------------------------------------

    def resolve(self, model: str | None = None, detector: str | None = None) -> ResolvedModel:
        """The networks to work with: `model` is a pack or a recogniser (None: the default).

        `detector` takes the place of the pack's. A recogniser that is named alone takes the first
        installed detector of the catalogue's preference. Raises UsageError for an unknown name,
        ModelMissing for what isn't installed and WeightsDamaged for a file whose hash is wrong.
        """
        if model is None:
            return self._resolve(self._default_name(), detector)
        return self._resolve(model, detector, f"--model {model}")

    def _resolve(self, name: str, detector: str | None = None, asked: str | None = None) -> ResolvedModel:
        """asked: the words that the name was asked for with, where it was by a setting."""
        catalogue = self.catalogue
        pack = catalogue.find_pack(name)
        recogniser = catalogue.find_recogniser(name if pack is None else pack.recogniser)
        if recogniser is None:
            if catalogue.find_detector(name) is not None:
                raise UsageError(
                    f"{_name_of(name, asked)} is a detector: it finds faces but can't tell people apart",
                    hint=f"name a pack with -m and this one with --detector {name}",
                )
            raise unknown_model(name, asked)
        file = catalogue.file_of(recogniser)
        path = self._sound_path(file, name, asked)
        return ResolvedModel(
            name,
            self._resolve_detector(catalogue, detector, pack, asked),
            InstalledRecogniser(recogniser, path, file.sha256),
        )

    def resolve_detector(self, detector: str | None = None, model: str | None = None) -> InstalledDetector:
        """The detector alone, for verbs that recognise nobody.

        Without `detector` it is the one of the pack `model` (None: of the default), else the first
        installed one of the catalogue's preference. Raises as `resolve` does.
        """
        catalogue = self.catalogue
        name = model if model is not None else self.state.default
        asked = None if model is None else f"--model {model}"
        if detector is None and name is not None and name not in catalogue.names:
            raise unknown_model(name, asked)
        pack = None if name is None else catalogue.find_pack(name)
        return self._resolve_detector(catalogue, detector, pack, asked)

    def _resolve_detector(
        self, catalogue: Catalogue, detector: str | None, pack: PackEntry | None, asked: str | None
    ) -> InstalledDetector:
        name = detector if detector is not None else (pack.detector if pack is not None else None)
        if name is None:
            name = self._preferred_detector(catalogue)
        entry = catalogue.find_detector(name)
        if entry is None:
            names = ", ".join(each.name for each in catalogue.detector)
            raise UsageError(f"--detector {name}: no detector is called so", hint=f"choose one of {names}")
        file = catalogue.file_of(entry)
        wanted = name if detector is not None or pack is None else pack.name
        if detector is not None:
            asked = f"--detector {detector}"
        elif pack is None:
            asked = None  # it is the first that is installed
        return InstalledDetector(entry, self._sound_path(file, wanted, asked), file.sha256)

    def _preferred_detector(self, catalogue: Catalogue) -> str:
        for name in catalogue.detector_preference:
            entry = catalogue.find_detector(name)
            if entry is not None and self.has(catalogue.file_of(entry)):
                return name
        raise ModelMissing("no detector is installed yet")

    def _default_name(self) -> str:
        """The default, else the one recogniser that is installed, if there is just one."""
        default = self.state.default
        if default is not None:
            return default
        catalogue = self.catalogue
        installed = [each.name for each in catalogue.recogniser if self.has(catalogue.file_of(each))]
        if len(installed) == 1:
            return installed[0]
        if not installed:
            raise ModelMissing("no model pack is installed yet")
        raise ModelMissing(
            f"no default was chosen among {', '.join(installed)}",
            hint=f"choose with -m, or for good with: arcface models use {installed[0]}",
        )

    def _sound_path(self, file: WeightFile, wanted: str, asked: str | None) -> Path:
        path, soundness = self.path_of(file), self.soundness(file)
        command = f"arcface models pull {wanted}" if file.sources else "arcface models import FILE"
        if soundness == "missing":
            said = _name_of(wanted, asked)
            raise ModelMissing(f"{said}: {file.name} is not installed", hint=f"get it with: {command}")
        if soundness == "damaged":
            raise WeightsDamaged(
                f"{path}: damaged, its sha256 is not {file.sha256[:12]}…", hint=f"mend it with: {command}"
            )
        return path

    # --- changing the state --------------------------------------------------------------------------

    def _change_state(self, change: Callable[[StoreState], StoreState]) -> StoreState:
        """Read, change and write state.json with no other process in between; returns what stands now."""
        with self.locked("state"):
            before = self.state
            after = change(before)
            if after != before:
                path = self.root / "state.json"
                with writing(path):
                    write_state(path, after)
            return after

    def choose_default(self, name: str) -> None:
        """Make a pack or a recogniser the default, for good. Raises as `resolve` does when it can't serve."""
        self._resolve(name)
        self._change_state(lambda state: replace(state, default=name, chosen=True))

    def offer_default(self, name: str, *, replacing: bool) -> bool:
        """Make `name` the default unless one was chosen; `replacing` also takes the place of an unchosen one.

        Returns whether it is the default now.
        """

        def offered(state: StoreState) -> StoreState:
            free = not state.chosen and (replacing or state.default is None)
            return replace(state, default=name) if free else state

        return self._change_state(offered).default == name

    def record_acceptance(self, licence: Licence) -> None:
        """Remember when, and which words, the user accepted."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        acceptance = Acceptance(licence.id, licence.name, licence.notice, licence.url, now)
        self._change_state(
            lambda state: state if state.has_accepted(licence) else state.with_acceptance(acceptance)
        )

    def record_import(self, additions: Additions) -> None:
        """Add models of the user's own; one of the same name and the same file is described anew.

        Raises UsageError when a name is taken by something else.
        """
        names = {each.name for each in additions.models} | {each.name for each in additions.pack}
        for name in names & self._shipped.names:
            raise UsageError(f"{name}: the catalogue has a model of that name", hint=ANOTHER_NAME)

        def added(state: StoreState) -> StoreState:
            for name in _taken(state.imported, additions):
                raise UsageError(f"{name}: another file was imported under that name", hint=ANOTHER_NAME)
            merged = state.imported.merged(additions)
            try:
                known_models(self._shipped, merged)
            except ValueError as error:
                raise UsageError(f"can't be imported: {error}", hint=ANOTHER_NAME) from error
            return replace(state, imported=merged)

        self._change_state(added)


def _taken(before: Additions, new: Additions) -> list[str]:
    """Names that stand for another file already."""
    files = {file.id: file.sha256 for file in before.file}
    models = {entry.name: entry.file for entry in before.models}
    taken = [file.id for file in new.file if files.get(file.id, file.sha256) != file.sha256]
    return taken + [entry.name for entry in new.models if models.get(entry.name, entry.file) != entry.file]


def known_models(shipped: Catalogue, imported: Additions) -> Catalogue:
    """Shipped entries, then imported ones. Raises ValueError when they don't fit together.

    A newer catalogue may ship a file or a name that was imported before: then the shipped one stands,
    and an imported model goes on under its own name with the shipped file.
    """
    if imported == Additions():
        return shipped
    taken = shipped.names
    same = {file.id: shipped.file_with_hash(file.sha256) for file in imported.file}
    ids = {name: known.id for name, known in same.items() if known is not None}
    kept_files = tuple(file for file in imported.file if file.id not in ids and file.id not in taken)
    reachable = {file.id for file in (*shipped.file, *kept_files)}

    def kept(entry: _Model) -> _Model | None:
        file = ids.get(entry.file, entry.file)
        return replace(entry, file=file) if entry.name not in taken and file in reachable else None

    return shipped.extended(
        Additions(
            licence=imported.licence,
            file=kept_files,
            detector=tuple(entry for entry in map(kept, imported.detector) if entry is not None),
            recogniser=tuple(entry for entry in map(kept, imported.recogniser) if entry is not None),
            pack=tuple(pack for pack in imported.pack if pack.name not in taken),
        )
    )


_Model = TypeVar("_Model", DetectorEntry, RecogniserEntry)


def _read_stamp(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _name_of(model: str, asked: str | None) -> str:
    """How an error begins: a setting that names the model stands in it, so that the user finds it."""
    return model if asked is None else asked
