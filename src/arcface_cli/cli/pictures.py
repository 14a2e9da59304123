"""`--draw` and `--sheet`: results pass through on their way to the records, and leave pictures behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from arcface_cli.cli.build import Workshop
from arcface_cli.cli.console import say
from arcface_cli.errors import UsageError
from arcface_cli.installing import install

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from arcface_cli.imaging.typeface import Typeface
    from arcface_cli.inputs.photo import Photo
    from arcface_cli.workflows.align import SaveCrops
    from arcface_cli.workflows.pictures import Identified

Pass = Callable[[Iterator["Identified | None"]], Iterator["Identified | None"]]


@contextlib.contextmanager
def drawing(folder: Path | None, workers: int, *, quiet: bool) -> Iterator[Pass]:
    """What draws each answer into `folder` as it passes; None: nothing is drawn."""
    if folder is None:
        yield lambda results: results
        return
    from arcface_cli.imaging.typeface import Typeface
    from arcface_cli.output.pictures import AnnotatedFolder
    from arcface_cli.workflows.pictures import draw

    typeface = Typeface()
    pictures = AnnotatedFolder(folder, typeface)
    yield lambda results: draw(results, pictures.draw, workers)
    if not quiet:
        _mention_missing(typeface)


def keeping_content(shop: Workshop, folder: Path | None) -> Workshop:
    """The workshop, its photographs' bytes kept where they are to be drawn on."""
    return shop if folder is None else replace(shop, stages=replace(shop.stages, keep_content=True))


@contextlib.contextmanager
def sheets(path: Path | None, save: SaveCrops, *, resume: bool, quiet: bool) -> Iterator[SaveCrops]:
    """`save`, which also puts the crops on contact sheets; None: it is left as it is."""
    if path is None:
        yield save
        return
    if resume:
        raise UsageError("--sheet shows the crops of one run", hint="leave out --resume, or --sheet")
    from arcface_cli.imaging.typeface import Typeface
    from arcface_cli.output.pictures import ContactSheets

    typeface = Typeface()
    with ContactSheets(path, typeface) as pages:

        def saved(photo: Photo, crops: NDArray[np.uint8]) -> tuple[Path, ...]:
            files = save(photo, crops)
            pages.add(photo, crops)
            return files

        yield saved
    if not quiet:
        _mention_missing(typeface)


def _mention_missing(typeface: Typeface) -> None:
    """Say once which letters were drawn as escapes."""
    if typeface.missing:
        letters = " ".join(sorted(typeface.missing)[:10])
        more = f" and {len(typeface.missing) - 10} more" if len(typeface.missing) > 10 else ""
        say(
            f"no font here draws {letters}{more}: escapes stand for them in the pictures; "
            f"install fonts with: {install('draw')}, or those of your system"
        )
