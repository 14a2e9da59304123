"""Labelled photographs for `evaluate` and `calibrate`: embedded once, remembered in the cache folder."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType

from arcface_cli.alignment import similarity_to_template
from arcface_cli.cli import build
from arcface_cli.cli.console import say
from arcface_cli.cli.stopping import STOP
from arcface_cli.errors import ArcfaceError, NoInputs
from arcface_cli.faces import ModelFingerprint
from arcface_cli.gallery.template_cache import TemplateCache
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import encode_png, warp
from arcface_cli.inputs import folders
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.settings import LoadedSettings, cache_folder
from arcface_cli.weights.store import ResolvedModel
from arcface_cli.workflows.templates import Templates, decoded_crop, embed_crops, embed_photos

VIEW = "1"
"""Raised when what becomes of a photograph changes though no setting did."""


@dataclass(frozen=True, slots=True)
class People:
    """Photographs with a person each, in the folders' order."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]


def people_of(folder: Path) -> People:
    """The photographs of a folder of people. Raises NoInputs, and what kept the folder from being read."""
    if not folder.is_dir():
        shown = printable(str(folder))
        raise NoInputs(
            f"{shown} is no folder" if folder.exists() else f"{shown} does not exist",
            hint="name a folder that holds a folder for each person",
        )
    paths, names = [], []
    for photo in folders.people([folder]):
        if photo.failure is not None:
            raise photo.failure
        if photo.path is not None and photo.subject is not None:
            paths.append(photo.path)
            names.append(photo.subject)
    if not paths:
        raise NoInputs(
            f"{printable(str(folder))} holds no folder of a person",
            hint="make one folder for each person in it",
        )
    return People(tuple(paths), tuple(names))


class Embedder:
    """Templates of photographs, made by the settings' networks, which are loaded only when needed."""

    def __init__(self, command: str, loaded: LoadedSettings, *, cached: bool, verbosity: int) -> None:
        self._command = command
        self._settings = loaded.values
        self._verbosity = verbosity
        self.model: ResolvedModel = build.store(self._settings).resolve(
            self._settings.model, self._settings.detector
        )
        self.fingerprint: ModelFingerprint = build.fingerprint_of(self.model, self._settings)
        self._cache = TemplateCache(cache_folder() if cached else None, self.fingerprint.dimension)
        self.inferences = 0

    def __enter__(self) -> Embedder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cache.__exit__(kind, error, trace)

    @property
    def detector(self) -> str:
        """Name of the detector."""
        return self.model.detector.entry.name

    @cached_property
    def _recognition(self) -> str:
        return f"{VIEW} {self.fingerprint.canonical} precision={self._settings.precision}"

    @cached_property
    def _view(self) -> str:
        settings = self._settings
        gates = build.quality_gates(settings, enrolling=False)
        choice = "largest" if settings.faces is None else settings.faces
        words = f"{self._recognition} detector={self.model.detector.sha256} faces={choice} gates={gates!r}"
        return hashlib.sha256(words.encode()).hexdigest()

    def photos(self, paths: Sequence[Path]) -> Templates:
        """One template a photograph: of the largest face, unless --faces says otherwise."""
        dimension = self.fingerprint.dimension
        found = embed_photos(paths, self._cache, self._view, dimension, self._process, self._told)
        return self._counted(found)

    def crops(self, crops: Sequence[bytes], names: Sequence[str]) -> Templates:
        """One template a crop that is aligned already."""
        view = hashlib.sha256(f"{self._recognition} crops".encode()).hexdigest()
        dimension = self.fingerprint.dimension
        found = embed_crops(crops, names, self._cache, view, dimension, self._recogniser, self._told)
        return self._counted(found)

    def _counted(self, templates: Templates) -> Templates:
        self.inferences += templates.inferences
        failed = int(templates.failed.sum())
        if failed and not self._settings.quiet:
            reasons = sorted({reason for reason in templates.reasons if reason is not None})
            say(f"{failed} of {len(templates.reasons)} gave no template ({', '.join(reasons)}): errors all")
        return templates

    def _process(self, photos: Iterator[Photo]) -> Iterable[PhotoOutcome]:
        build.require_runtime()
        shop = build.workshop(
            self._command, self._settings, photos, recognise=True, faces="largest", verbosity=self._verbosity
        )
        return shop.results()

    def _recogniser(self) -> Recogniser:
        build.require_runtime()
        options = build.session_options(self._settings, workers=1, verbosity=self._verbosity)
        return build.recogniser(self.model, self._settings, options)

    def _told(self, done: int, total: int) -> None:
        STOP.go_on()
        quiet = self._settings.quiet or self._settings.no_progress
        if not quiet and sys.stderr.isatty():
            sys.stderr.write(f"\r{done} of {total} embedded" + ("\n" if done == total else ""))
            sys.stderr.flush()


def shown_photo(path: Path, templates: Templates, place: int) -> bytes | None:
    """A PNG of the aligned face on a photograph, cut anew; None where there is none any more."""
    landmarks = templates.landmarks[place]
    if landmarks is None:
        return None
    try:
        image = decode(Photo(path).read(), name=str(path))
    except ArcfaceError:
        return None
    return encode_png(warp(image, similarity_to_template(landmarks[None]))[0])


def shown_crop(crop: bytes, name: str) -> bytes | None:
    """A PNG of an aligned crop; None where it can't be decoded."""
    try:
        return encode_png(decoded_crop(crop, name))
    except ArcfaceError:
        return None
