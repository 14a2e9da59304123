"""Real weights in a store of their own, and every portrait taken through the pipeline once a detector."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from arcface_cli.cli import build
from arcface_cli.faces import Done, Outcome
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import PhotoFaces
from arcface_cli.settings import load_settings
from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.models import import_path

Seen = dict[Path, Outcome[PhotoFaces]]
OpenWorkshop = Callable[..., build.Workshop]
Rows = Callable[[str], list[dict[str, str]]]


@pytest.fixture(scope="session")
def weights(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> WeightStore:
    """A store that holds the real weights."""
    store = WeightStore(tmp_path_factory.mktemp("models"))
    for imported in import_path(store, shared_models, accept=lambda licence: True):
        assert imported.model is not None, f"{imported.path} is not in the catalogue"
    return store


@pytest.fixture(scope="session")
def open_workshop(weights: WeightStore) -> OpenWorkshop:
    """Builds the pipeline for some photographs: `open_workshop(paths, faces="largest", detector="yunet")`."""

    def opened(
        paths: Iterable[Path] = (), *, faces: str = "all", recognise: bool = True, **settings: object
    ) -> build.Workshop:
        chosen = {"model": "mobilefacenet_512", "device": "cpu", "models_dir": weights.root} | settings
        photos = (Photo(path) for path in paths)
        return build.workshop(
            "test",
            load_settings(chosen, {}).values,
            photos,
            recognise=recognise,
            faces=faces,
            verbosity=0,
        )

    return opened


@pytest.fixture(scope="session")
def portraits(shared_data: Path, open_workshop: OpenWorkshop) -> Callable[[str], Seen]:
    """The largest face of every photograph of people/, strangers/ and wild/, by a detector's name."""
    paths = [path for room in ("people", "strangers", "wild") for path in (shared_data / room).rglob("*.jpg")]

    @functools.cache
    def seen(detector: str) -> Seen:
        shop = open_workshop(sorted(paths), faces="largest", detector=detector)
        return {photo.path: outcome for photo, outcome in shop.results() if photo.path is not None}

    return seen


@pytest.fixture(scope="session")
def real_faces(shared_data: Path, portraits: Callable[[str], Seen]) -> dict[Path, PhotoFaces]:
    """Over 200 faces as SCRFD-500M finds them: a quarter of the studio portraits and everybody in wild/."""
    seen = portraits("scrfd_500m")
    people = sorted((shared_data / "people").rglob("*.jpg"))[::4]
    chosen = [*people, *sorted((shared_data / "wild").glob("*.jpg"))]
    faces = {}
    for path in chosen:
        outcome = seen[path]
        if isinstance(outcome, Done):
            faces[path] = outcome.value
    assert len(faces) >= 200
    return faces


@pytest.fixture(scope="session")
def rows(shared_data: Path) -> Rows:
    """The rows of a CSV file below the shared data, by column."""

    def read(name: str) -> list[dict[str, str]]:
        with (shared_data / name).open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    return read
