"""What pip installed: who owns an imported package, whether its files are whole, and how to install anew.

Two distributions may write into one folder (`onnxruntime` and `onnxruntime-gpu` do). Then the files are those
of whichever came last, and removing one of them removes files of the other.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from arcface_cli.diagnosis.findings import Finding, fine, wrong

RUNTIME, SEARCH, PIXELS = "onnxruntime", "faiss", "cv2"

PREFIXES = {RUNTIME: "onnxruntime", SEARCH: "faiss", PIXELS: "opencv"}
"""Imported package -> how the names of the distributions begin that bring it."""

EXTRAS = {"onnxruntime-gpu": "[cuda,cudnn]"}
"""Extras with which a distribution is complete."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A distribution that brings an imported package.

    damaged: the first of its files that is missing or has another size than when it was installed.
    by_uv: whether uv installed it, which leaves environments without pip.
    """

    name: str
    version: str
    damaged: str | None = None
    by_uv: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def requirement(self) -> str:
        """The same again, for pip. A local version (1.2+cu118) is on no index, so it isn't insisted on."""
        name = f"{self.name}{EXTRAS.get(self.name, '')}"
        return name if "+" in self.version else f"{name}=={self.version}"


def owners(
    package: str, distributions: Callable[[], Iterable[metadata.Distribution]] = metadata.distributions
) -> list[Owner]:
    """The distributions that bring the imported package `package` (a key of PREFIXES), by name."""
    found: dict[str, Owner] = {}
    for distribution in distributions():
        name = str(distribution.metadata["Name"] or "").lower().replace("_", "-")
        if not name.startswith(PREFIXES[package]) or name in found:  # the first on the path is imported
            continue
        files = [file for file in distribution.files or () if file.parts[:1] == (package,)]
        if any(file.parts == (package, "__init__.py") for file in files):
            by_uv = (distribution.read_text("INSTALLER") or "").strip() == "uv"
            found[name] = Owner(name, distribution.version, _first_damaged(files), by_uv)
    return [found[name] for name in sorted(found)]


def _first_damaged(files: Sequence[metadata.PackagePath]) -> str | None:
    return next((str(file) for file in files if file.size is not None and _size(file) != file.size), None)


def _size(file: metadata.PackagePath) -> int | None:
    try:
        return Path(file.locate()).stat().st_size
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Installer:
    """The command lines of pip, or of uv where the environment has no pip."""

    python: str = sys.executable
    pip: bool = True

    def install(self, *requirements: str, again: bool = False) -> str:
        """Install these. again: also what is installed already, without what it needs."""
        force = " --force-reinstall --no-deps" if again and self.pip else ""
        force = " --reinstall --no-deps" if again and not self.pip else force
        return f"{self._begin('install')}{force} {shlex.join(requirements)}"

    def replace(self, old: Sequence[Owner], requirement: str) -> str:
        """Remove all of `old`, then install `requirement`."""
        names = shlex.join(owner.name for owner in old)
        yes = " -y" if self.pip else ""
        return f"{self._begin('uninstall')}{yes} {names} && {self.install(requirement)}"

    def _begin(self, verb: str) -> str:
        python = shlex.quote(self.python)
        return f"{python} -m pip {verb}" if self.pip else f"uv pip {verb} --python {python}"


def this_installer() -> Installer:
    """How to install into the environment that we run in."""
    return Installer(sys.executable, pip=find_spec("pip") is not None)


def examine_owners(package: str, found: Sequence[Owner], kept: str, installer: Installer) -> Finding:
    """One line on who brings `package`. found: at least one.  kept: the one to stay where several do."""
    what = f"{package} package"
    names = " and ".join(map(str, found))
    facts = {owner.name: owner.version for owner in found}
    if len(found) > 1:
        whole = [owner.name for owner in found if owner.damaged is None]
        there = f"those of {whole[0]}" if len(whole) == 1 else "a mixture"
        stays = next((owner for owner in found if owner.name == kept), found[0])
        return wrong(
            what,
            f"{names} overwrite each other: all write into the folder {package}, where the files are {there}",
            installer.replace(found, stays.requirement),
            **facts,
        )
    (owner,) = found
    if owner.damaged is not None:
        return wrong(
            what,
            f"{owner}: {owner.damaged} is missing or not what was installed",
            installer.install(owner.requirement, again=True),
            **facts,
        )
    return fine(what, names, **facts)
