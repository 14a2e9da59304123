"""insightface's own model zoo, for packs that our catalogue doesn't hold. Imported lazily: it costs seconds.

Everything that insightface prints goes to stderr. Its signed licences are checked by its own code.
It has no type hints, hence `Any`.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import requests

from arcface_cli.errors import DownloadFailed, LicenceNotAccepted, ModelUnusable, RuntimeMissing
from arcface_cli.installing import install
from arcface_cli.weights.https import reason_of


@dataclass(frozen=True, slots=True)
class PackageLicence:
    """What a package's signed licence says, or "non-commercial" where the package has none."""

    status: str
    commercial: bool
    message: str


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A network of a package as insightface would feed it: RGB, then (x - mean) / scale.

    dimension: of a recogniser's feature.  in_graph: the graph normalises by itself.
    """

    path: Path
    task: Literal["detection", "recognition"]
    mean: float
    scale: float
    in_graph: bool
    dimension: int | None = None


class Zoo(Protocol):
    """What `models pull --via insightface` needs of insightface."""

    def folder_if_here(self, name: str) -> Path | None:
        """The package's folder, when it was fetched before."""
        ...

    def download(self, name: str) -> Path:
        """Fetch the package and return its folder."""
        ...

    def check_licence(self, folder: Path) -> PackageLicence:
        """Verify the package's signed licence. Raises LicenceNotAccepted for one that doesn't hold."""
        ...

    def describe(self, folder: Path, file: Path) -> ZooModel | None:
        """What the file is, or None when it is neither detector nor recogniser."""
        ...


class InsightfaceZoo:
    """The installed insightface. Raises RuntimeMissing when the extra isn't installed."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = Path("~/.insightface").expanduser() if root is None else root
        with _kept_off_stdout():
            self._storage = _import("insightface.utils.storage")
            self._licence = _import("insightface.model_zoo.model_license")

    def folder_if_here(self, name: str) -> Path | None:
        """The package's folder, when it was fetched before."""
        folder = self._root / "models" / name
        return folder if folder.is_dir() else None

    def download(self, name: str) -> Path:
        """Fetch the package and return its folder. Raises DownloadFailed with insightface's reason."""
        try:
            with _kept_off_stdout():
                return Path(self._storage.ensure_available("models", name, root=str(self._root)))
        except Exception as error:  # requests, zipfile, OSError, RuntimeError: whatever its download raises
            reason = _words(error)
            raise DownloadFailed(
                f"{name}: insightface could not fetch it ({reason})",
                hint="check the name and the network, or get the folder elsewhere and: arcface models import",
            ) from error

    def check_licence(self, folder: Path) -> PackageLicence:
        """Verify the package's signed licence. Raises LicenceNotAccepted for one that doesn't hold."""
        with _kept_off_stdout():
            found = self._licence.inspect_model_package_license(folder)
        if found.error is not None:
            needs_packages = found.status == self._licence.STATUS_DEPENDENCY_MISSING
            hint = (
                "pip install cryptography rfc8785"
                if needs_packages
                else "ask InsightFace for a valid licence"
            )
            raise LicenceNotAccepted(f"{folder.name}: its licence does not hold ({found.error})", hint=hint)
        return PackageLicence(found.status, bool(found.commercial_use_permitted), str(found.message))

    def describe(self, folder: Path, file: Path) -> ZooModel | None:
        """What the file is, or None when it is neither detector nor recogniser."""
        with _kept_off_stdout():
            zoo = _import("insightface.model_zoo.model_zoo")
            manifest = _import("insightface.model_zoo.package_manifest")
            try:
                if manifest.has_model_package_manifest(folder):
                    return _from_manifest(manifest.load_model_package(folder), file)
                return _from_model(file, zoo.get_model(str(file)))
            except Exception as error:  # onnxruntime's and protobuf's exceptions share no base class
                raise ModelUnusable(f"{file}: insightface can't use it ({_words(error)})") from error


def _from_manifest(package: Any, file: Path) -> ZooModel | None:
    """A network of a manifest package (insightface 2), as its manifest describes it."""
    for name in ("detection", "recognition"):
        task = package.tasks.get(name)
        if task is None or task.path != file.resolve():
            continue
        package.verify_task(name)
        stated = task.metadata["preprocessing"]
        in_graph = stated == "embedded"
        mean, scale = (0.0, 1.0) if in_graph else (float(stated["mean"]), float(stated["std"]))
        dimension = task.metadata.get("embedding_dimension")
        kind: Literal["detection", "recognition"] = "detection" if name == "detection" else "recognition"
        return ZooModel(file, kind, mean, scale, in_graph, dimension)
    return None


def _from_model(file: Path, model: Any) -> ZooModel | None:
    """A network of an older package, as insightface's own router sets it up."""
    task = getattr(model, "taskname", None)
    if task not in ("detection", "recognition"):
        return None
    mean, scale = float(model.input_mean), float(model.input_std)
    dimension = int(model.output_shape[-1]) if task == "recognition" else None
    in_graph = (mean, scale) == (0.0, 1.0)
    return ZooModel(file, task, mean, scale, in_graph, dimension)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RuntimeMissing(
            f"insightface can't be imported ({error})", hint=f"install it with: {install('insightface')}"
        ) from error


def _words(error: Exception) -> str:
    """One short line of whatever was raised."""
    if isinstance(error, requests.RequestException):
        return reason_of(error)
    return " ".join(str(error).split())[:200]


@contextlib.contextmanager
def _kept_off_stdout() -> Iterator[None]:
    """Stdout is for data; what insightface prints goes to stderr."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
