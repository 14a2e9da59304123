"""`arcface doctor`: everything that could keep this machine from working, looked at room by room."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from arcface_cli.diagnosis.findings import Fact, Finding, fine, refusal, warning, wrong
from arcface_cli.diagnosis.surroundings import Surroundings
from arcface_cli.errors import ArcfaceError
from arcface_cli.gallery import inspection as gallery_room
from arcface_cli.imaging import inspection as imaging_room
from arcface_cli.runtime import inspection as runtime_room
from arcface_cli.runtime.sessions import CPU_PROVIDER
from arcface_cli.weights import inspection as weights_room
from arcface_cli.weights.store import InstalledRecogniser, WeightStore
from arcface_cli.wording import command

PYTHONS = ((3, 11), (3, 13))
"""Oldest and newest Python that is tested."""

LITTLE, HARDLY_ANY = 2**30, 100 * 2**20
"""Bytes free on a disk: under the first a pack may not fit, under the second hardly a template."""


@dataclass(frozen=True, slots=True)
class Places:
    """The user's folders; none need exist."""

    gallery: Path
    models: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Asked:
    """What the settings ask for. model, detector: None leaves the choice to the store.

    from_where: which settings were given, and where; "" if none was.
    """

    model: str | None = None
    detector: str | None = None
    device: str = "auto"
    precision: str = "fp32"
    tensorrt: bool = False
    from_where: str = ""


class Usage(Protocol):
    """What `shutil.disk_usage` answers."""

    @property
    def free(self) -> int:
        """Bytes."""


def examine(
    version: str,
    places: Places,
    store: WeightStore,
    asked: Asked | None = None,
    here: Surroundings | None = None,
    problems: Sequence[ArcfaceError] = (),
) -> Iterator[Finding]:
    """One finding after another. version: of arcface.  problems: with the settings, which go on without."""
    asked = Asked() if asked is None else asked
    here = Surroundings() if here is None else here
    yield python(sys.version_info[:2], version)
    yield system()
    yield from settings(asked.from_where, problems)
    runtime = list(runtime_room.findings(here, tensorrt=asked.tensorrt))
    yield from runtime
    yield from runtime_room.device_findings(here, runtime, asked.device, tensorrt=asked.tensorrt)
    serving = runtime_room.serving_providers(runtime)
    gpus = any(provider != CPU_PROVIDER for provider in serving)
    yield from imaging_room.findings(here)
    yield from gallery_room.search_findings(here, gpus=gpus)
    yield from weights_room.findings(store, asked.model, asked.detector)
    in_force = _recogniser_in_force(store, asked.model, asked.detector)
    if in_force is not None:
        yield from _recogniser(in_force, asked.precision, serving, here)
    yield from gallery(places.gallery, store, None if in_force is None else in_force.sha256)
    for name in ("models", "cache", "gallery"):
        yield disk(f"disk of {name}", getattr(places, name))


def python(version: tuple[int, int], arcface: str) -> Finding:
    """The interpreter, and whether it is one of those that are tested."""
    found = ".".join(map(str, version))
    detail = f"{platform.python_version()}, {sys.executable}, arcface {arcface}"
    facts = {"version": platform.python_version(), "path": sys.executable, "arcface": arcface}
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return fine("python", detail, **facts)
    oldest, newest = (".".join(map(str, each)) for each in PYTHONS)
    mend = f"install arcface into an environment of Python {oldest} to {newest}"
    return warning("python", f"{detail}: {found} is not tested", mend, **facts)


def settings(from_where: str, problems: Sequence[ArcfaceError]) -> Iterator[Finding]:
    """A line for each setting that can't be used, else one that says which were given, and where."""
    if not problems:
        yield fine("settings", from_where or "all built-in", given=from_where or None)
    for error in problems:
        yield refusal("settings", error)


def system() -> Finding:
    """Operating system, processor, C library."""
    library = " ".join(platform.libc_ver())
    named = f"{platform.system()} {platform.release()}, {platform.machine()}, {library}".rstrip(", ")
    return fine("platform", named, system=platform.system(), machine=platform.machine(), libc=library)


def _recogniser(
    found: InstalledRecogniser, precision: str, serving: list[str], here: Surroundings
) -> Iterator[Finding]:
    """The recogniser in force on every provider that serves."""
    entry = found.entry
    request = {
        "path": str(found.path),
        "rgb": entry.colour == "rgb",
        "mean": entry.mean,
        "scale": entry.scale,
        "precision": precision,
    }
    yield from runtime_room.recogniser_findings(entry.name, request, serving, here)


def _recogniser_in_force(
    store: WeightStore, model: str | None, detector: str | None
) -> InstalledRecogniser | None:
    """None where none can be found: the line of the model tells why."""
    try:
        return store.resolve(model, detector).recogniser
    except ArcfaceError:
        return None


def gallery(directory: Path, store: WeightStore, in_force: str | None) -> Iterator[Finding]:
    """The gallery's own check, and whether its model is here."""
    try:
        models = weights_room.installed_recognisers(store)
        yield from gallery_room.gallery_findings(directory, models, in_force)
    except ArcfaceError as error:
        yield refusal("gallery", error)
    except OSError as error:
        yield wrong("gallery", f"{directory}: {error.strerror}", command("ls -ld", str(directory)))


def disk(what: str, folder: Path, usage: Callable[[Path], Usage] = shutil.disk_usage) -> Finding:
    """Space and permission where `folder` lies, or will lie."""
    place = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    try:
        free = usage(place).free
    except OSError as error:
        return wrong(what, f"{folder}: {error.strerror}", command("ls -ld", str(place)), path=str(folder))
    detail = f"{free / 2**30:.1f} GiB free, {folder}"
    facts: dict[str, Fact] = {"path": str(folder), "bytes_free": free}
    if free < HARDLY_ANY:
        return wrong(what, detail, f"free some space: {command('du -sh', str(place))}", **facts)
    if free < LITTLE:
        return warning(what, detail, f"free some space: {command('du -sh', str(place))}", **facts)
    if not os.access(place, os.W_OK):
        return warning(what, f"{detail}, which can't be written to", command("ls -ld", str(place)), **facts)
    return fine(what, detail, **facts)
