"""On a GPU the crops of many photographs are embedded together; nobody can tell from the outcomes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable
from arcface_cli.faces import Done, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import WINDOW, PhotoOutcome, Stages, process
from arcface_cli.recognition.recogniser import Recogniser
from fakes import SCALING, FakeDetector, FakeNetwork, colour_features, face_at, fingerprint, photo_file

COLOURS = [(20 * index, 250 - 20 * index, 90) for index in range(11)]


def photographs(folder: Path) -> list[Photo]:
    sound = [photo_file(folder, f"{index}.png", colour) for index, colour in enumerate(COLOURS)]
    return [*sound[:4], Photo(folder / "missing.png"), *sound[4:]]


def run(photos: list[Photo], network: FakeNetwork, *, pooled: int, faces: int = 1) -> list[PhotoOutcome]:
    detector = FakeDetector([face_at(x=8.0 * index, index=index) for index in range(faces)])
    recogniser = Recogniser(network, SCALING, fingerprint(), batch=4)
    return list(process(photos, Stages(detector, recogniser, pooled=pooled), workers=2))


def features(outcomes: list[PhotoOutcome]) -> list[NDArray[np.float32] | str]:
    return [
        outcome.value.templates.features
        if isinstance(outcome, Done) and outcome.value.templates is not None
        else type(outcome).__name__
        for _, outcome in outcomes
    ]


def test_outcomes_are_the_same_whether_crops_are_pooled_or_not(tmp_path: Path) -> None:
    photos = photographs(tmp_path)
    apart = run(photos, FakeNetwork(colour_features), pooled=0, faces=3)
    together = run(photos, FakeNetwork(colour_features), pooled=1, faces=3)

    assert [photo for photo, _ in together] == photos
    for one, other in zip(features(apart), features(together), strict=True):
        np.testing.assert_array_equal(one, other)


def test_pooled_crops_fill_the_batches_of_the_network(tmp_path: Path) -> None:
    network = FakeNetwork(colour_features)
    run(photographs(tmp_path), network, pooled=1)
    assert [shape[0] for shape in network.shapes] == [4, 4, 3]


def test_a_crop_without_a_usable_feature_costs_its_own_photograph_only(tmp_path: Path) -> None:
    def blind_to_black(blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        (means,) = colour_features(blob)
        means[means[:, 0] < -0.99] = np.nan
        return [means]

    outcomes = run(photographs(tmp_path), FakeNetwork(blind_to_black), pooled=1)
    skipped = [photo.display for photo, outcome in outcomes if isinstance(outcome, Skipped)]
    assert skipped == [str(tmp_path / "0.png")]
    assert sum(isinstance(outcome, Done) for _, outcome in outcomes) == len(COLOURS) - 1


class ThreeAtOnce(FakeNetwork):
    """Answers no run before three are under way: as many cards that all must be busy."""

    def __init__(self) -> None:
        super().__init__(colour_features)
        self._together = threading.Barrier(3)

    def run(self, blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        self._together.wait(30)
        return super().run(blob)


def test_as_many_batches_are_under_way_as_there_are_cards_and_outcomes_keep_their_order(
    tmp_path: Path,
) -> None:
    colours = [(7 * index, 250 - 7 * index, 90) for index in range(24)]  # six batches of four
    photos = [photo_file(tmp_path, f"{index}.png", colour) for index, colour in enumerate(colours)]
    together = run(photos, ThreeAtOnce(), pooled=3)
    assert [photo for photo, _ in together] == photos
    for one, other in zip(
        features(run(photos, FakeNetwork(colour_features), pooled=0)), features(together), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_few_photographs_are_held_back_however_many_there_are(tmp_path: Path) -> None:
    taken = 0

    def endless() -> Iterator[Photo]:
        nonlocal taken
        photo = photo_file(tmp_path, "one.png", (10, 20, 90))
        while True:
            taken += 1
            yield photo

    recogniser = Recogniser(FakeNetwork(colour_features), SCALING, fingerprint(), batch=4)
    outcomes = process(endless(), Stages(FakeDetector([face_at()]), recogniser, pooled=2), workers=2)
    for _ in range(40):
        next(outcomes)
    held = taken - 40
    outcomes.close()
    workers, batches = 2 * WINDOW, (2 + 2) * 4  # under way at the cards, ready to follow, being filled
    assert held <= workers + batches


def test_what_is_wrong_with_the_machine_ends_the_run(tmp_path: Path) -> None:
    def broken(blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        raise ModelUnusable("out of memory")

    photos = [photo_file(tmp_path, f"{index}.png", (index, 20, 90)) for index in range(9)]
    with pytest.raises(ModelUnusable, match="out of memory"):
        run(photos, FakeNetwork(broken), pooled=2)
