"""`arcface demo`, step by step. Each step runs the very command line that it prints."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arcface_cli.cli import build
from arcface_cli.cli.console import say
from arcface_cli.cli.weights import fetcher
from arcface_cli.errors import DownloadFailed
from arcface_cli.inputs.names import printable
from arcface_cli.output.files import make_folder, telling_output
from arcface_cli.settings import Settings
from arcface_cli.wording import command, quoted
from arcface_cli.workflows.models import pull_model, pull_samples

PACKS = ("compact", "compact-mirror")
"""In this order; the second comes from package registries alone."""

PERSON = "Barack Obama"


@dataclass(frozen=True, slots=True)
class Step:
    """A command line, what it shows, and the status it should end with."""

    words: str
    arguments: tuple[str, ...]
    status: int


def demonstrate(settings: Settings, folder: Path | None) -> int:
    """Run the demonstration; status 0 when every step ended as it should, else 1."""
    place = Path(tempfile.mkdtemp(prefix="arcface-demo-")) if folder is None else folder
    make_folder(place)
    pack = _fetch(settings, place)
    extra = () if settings.device == "auto" else ("--device", settings.device)
    succeeded = True
    _print(f"\n$ {command('cd', str(place))}")
    # Short paths read better; but a models folder that was given relative to here must still be found.
    with contextlib.chdir(place) if settings.models_dir.is_absolute() else contextlib.nullcontext():
        for step in _steps(pack, Path() if settings.models_dir.is_absolute() else place, extra):
            _print(f"\n# {step.words}\n$ {_command_line(step.arguments)}")
            succeeded &= _run(step.arguments) == step.status
    shown = printable(str(place))
    _print(f"\nEverything is in {shown}. Now yours: arcface enroll ./people/; arcface identify photo.jpg")
    return 0 if succeeded else 1


def _fetch(settings: Settings, place: Path) -> str:
    """The first pack that can be had, and the portraits in `place`/photos."""
    store = build.store(settings)
    with fetcher(settings, store) as fetching:
        pack = ""
        for name in PACKS:
            try:
                _print(f"# Weights\n$ arcface models pull {name}")
                pack = pull_model(store, name, fetching, lambda licence: False).name
                break
            except DownloadFailed as error:
                if name == PACKS[-1]:
                    raise
                say(f"{error.message}; trying the other pack")
        samples = pull_samples(store, fetching)
    make_folder(place / "photos")
    for name, path in samples.items():
        with telling_output(str(place / "photos" / name)):
            shutil.copyfile(path, place / "photos" / name)
    return pack


def _steps(pack: str, place: Path, extra: Sequence[str]) -> list[Step]:
    gallery, photos = str(place / "gallery"), place / "photos"
    one, two, three, other = (str(photos / f"{name}.jpg") for name in ("obama", "obama2", "obama3", "biden"))
    model = ("-m", pack, *extra)
    return [
        Step(
            "One person, from one photograph",
            ("enroll", "--name", PERSON, one, "-g", gallery, *model),
            0,
        ),
        Step(
            "Two more photographs of him, and one of somebody who is not enrolled",
            ("identify", two, three, other, "-g", gallery, *model),
            0,
        ),
        Step("The same person? Status 0: yes", ("verify", one, two, *model), 0),
        Step("The same person? Status 1: no", ("verify", one, other, *model), 1),
    ]


def _command_line(arguments: Sequence[str]) -> str:
    return " ".join(["arcface", *map(quoted, arguments)])


def _run(arguments: Sequence[str]) -> int:
    from arcface_cli.cli.app import run

    return run([*arguments, "--format", "table"])


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
