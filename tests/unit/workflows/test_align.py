"""Alignment: crops are saved as they come, photographs without a face are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import NoFace
from arcface_cli.faces import Done, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.workflows.align import align
from fakes import face_at, seen_faces

NOBODY = Skipped(NoFace("b.jpg: no face was found"))


def test_crops_are_saved_one_photograph_at_a_time_in_order() -> None:
    saved: list[tuple[str, int]] = []

    def save(photo: Photo, crops: NDArray[np.uint8]) -> tuple[Path, ...]:
        saved.append((photo.display, len(crops)))
        return tuple(Path(f"{photo.display}-{i}.png") for i in range(len(crops)))

    names = [Photo(Path(name)) for name in ("a.jpg", "b.jpg", "c.jpg")]
    outcomes = [Done(seen_faces([face_at(), face_at(30, 20)])), NOBODY, Done(seen_faces([face_at()]))]
    stream = align(zip(names, outcomes, strict=True), save)
    photo, first = next(stream)
    assert saved == [("a.jpg", 2)]
    assert isinstance(first, Done)
    assert first.value.crops == (Path("a.jpg-0.png"), Path("a.jpg-1.png"))
    assert [outcome is NOBODY for _, outcome in stream] == [True, False]
    assert saved == [("a.jpg", 2), ("c.jpg", 1)]
    assert photo is names[0]
