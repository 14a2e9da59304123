"""`align`: photographs -> 112x112 crops, each saved where the caller decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import Done, Outcome
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import AlignedPhoto, PhotoFaces

SaveCrops = Callable[[Photo, NDArray[np.uint8]], tuple[Path, ...]]
"""Saves the crops (B, 112, 112, 3) uint8 BGR of one photograph; returns their files, in order."""


def align(results: Iterable[PhotoOutcome], save: SaveCrops) -> Iterator[tuple[Photo, Outcome[AlignedPhoto]]]:
    """Save the crops of every photograph; one outcome each, in order."""
    for photo, outcome in results:
        yield photo, _saved(photo, outcome, save)


def _saved(photo: Photo, outcome: Outcome[PhotoFaces], save: SaveCrops) -> Outcome[AlignedPhoto]:
    if not isinstance(outcome, Done):
        return outcome
    return Done(AlignedPhoto(outcome.value, save(photo, outcome.value.aligned.crops)))
