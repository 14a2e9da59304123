"""The crops of a .bin against the photographs of the same pairs: only where the faces were cut differs.

Nobody says which detector cut the crops of the front-profile set; it is none of ours. Where each crop was cut
can be found, though, by laying it on its photograph. Cut there by us, the photographs have to score as the
crops do: then neither the order of pairs, colours nor the recogniser differ, but the detector's points alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.cli.embedding import Embedder
from arcface_cli.evaluation.rates import equal_error_rate, error_curve
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import encode_jpeg, warp
from arcface_cli.inputs.bins import CropPairs, read_bin
from arcface_cli.inputs.pair_lists import PairList, read_pairs
from arcface_cli.settings import load_settings
from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.evaluate import similarities
from arcface_cli.workflows.templates import Templates

pytestmark = [pytest.mark.real, pytest.mark.slow]

Floats = NDArray[np.float64]
Embed = Callable[[str], Embedder]

RECOGNISERS = ("mobilefacenet_512", "mobilefacenet_192")
QUALITY = 95
"""JPEG quality at which our crops come closest to those of the file, pixel by pixel."""


@dataclass(frozen=True)
class SamePairs:
    """One list of pairs twice. photo_of: the number of each crop's photograph."""

    crops: CropPairs
    photos: PairList
    photo_of: tuple[int, ...]

    @property
    def same(self) -> NDArray[np.bool_]:
        return np.array(self.photos.same, dtype=bool)


@pytest.fixture(scope="module")
def pairs(shared_data: Path) -> SamePairs:
    lists = shared_data / "lists"
    crops = read_bin(lists / "people_front_profile_112.bin")
    photos = read_pairs(lists / "people_front_profile_pairs.csv", shared_data / "people")
    ours, theirs = ((*each.first, *each.second) for each in (photos, crops.pairs))
    photo_of = dict(zip(theirs, ours, strict=True))
    return SamePairs(crops, photos, tuple(photo_of[crop] for crop in range(len(crops.crops))))


@pytest.fixture(scope="module")
def embed(weights: WeightStore) -> Embed:
    def opened(recogniser: str) -> Embedder:
        chosen = {"model": recogniser, "device": "cpu", "models_dir": weights.root, "detector": "yunet"}
        return Embedder("test", load_settings(chosen, {}), cached=False, verbosity=0)

    return opened


def grey(image: NDArray[np.uint8], side: float) -> NDArray[np.uint8]:
    """Without colour, and `side` times as large."""
    return np.asarray(
        cv2.resize(
            cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), None, fx=side, fy=side, interpolation=cv2.INTER_AREA
        )
    )


def place_of(crop: NDArray[np.uint8], photo: NDArray[np.uint8]) -> Floats:
    """(2, 3) from photograph to crop: by the features that both show (SIFT), then by the pixels (ECC)."""
    sift = cv2.SIFT_create(contrastThreshold=0.01)
    (marks, first), (found, second) = (
        sift.detectAndCompute(each, None) for each in (grey(crop, 2.0), grey(photo, 0.5))
    )
    near = [
        one
        for one, other in cv2.BFMatcher().knnMatch(first, second, 2)
        if one.distance < 0.8 * other.distance
    ]
    there = np.array([found[each.trainIdx].pt for each in near]) * 2 + 0.5
    here = np.array([marks[each.queryIdx].pt for each in near]) / 2 - 0.25
    rough, _ = cv2.estimateAffinePartial2D(there, here, ransacReprojThreshold=1)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-5)
    cut = grey(warp(photo, rough[np.newaxis])[0], 1.0)
    _, shift = cv2.findTransformECC(
        grey(crop, 1.0), cut, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, stop, None, 3
    )
    return np.asarray(cv2.invertAffineTransform(shift) @ np.vstack([rough, [0.0, 0.0, 1.0]]), np.float64)


@pytest.fixture(scope="module")
def cut_alike(pairs: SamePairs) -> list[bytes]:
    """The photographs, cut by us where the crops were."""
    made = []
    for content, number in zip(pairs.crops.crops, pairs.photo_of, strict=True):
        photo = decode(pairs.photos.items[number].read_bytes(), name="photo")
        transform = place_of(decode(content, name="crop"), photo)
        made.append(encode_jpeg(warp(photo, transform[np.newaxis])[0], QUALITY))
    return made


def scores(pairs: PairList, templates: Templates) -> Floats:
    assert not templates.failed.any()
    return similarities(templates, np.array(pairs.first), np.array(pairs.second))


def eer(similarity: Floats, same: NDArray[np.bool_]) -> float:
    return equal_error_rate(error_curve(similarity[same], similarity[~same]))[0]


def test_the_bin_and_the_csv_list_the_same_pairs_in_the_same_order(pairs: SamePairs) -> None:
    assert len(pairs.crops.crops) == len(pairs.photos.items) == len(set(pairs.photo_of)) == 359
    assert pairs.crops.pairs.same == pairs.photos.same
    assert pairs.crops.pairs.fold == pairs.photos.fold
    for ours, theirs in (
        (pairs.photos.first, pairs.crops.pairs.first), (pairs.photos.second, pairs.crops.pairs.second),
    ):  # fmt: skip
        assert ours == tuple(pairs.photo_of[crop] for crop in theirs)


@pytest.mark.parametrize("recogniser", RECOGNISERS)
def test_photographs_cut_where_the_crops_were_score_as_the_crops_do(
    pairs: SamePairs, cut_alike: list[bytes], embed: Embed, recogniser: str
) -> None:
    names = [str(number) for number in range(len(cut_alike))]
    with embed(recogniser) as embedder:
        theirs, alike = (
            scores(pairs.crops.pairs, embedder.crops(crops, names))
            for crops in (pairs.crops.crops, cut_alike)
        )
    apart = np.abs(theirs - alike)
    errors = eer(theirs, pairs.same), eer(alike, pairs.same)
    print(  # noqa: T201 - figures to report
        f"{recogniser}: EER {errors[0]:.4f} and {errors[1]:.4f}; similarities apart: median "
        f"{np.median(apart):.4f}, 95 % {np.quantile(apart, 0.95):.4f}, most {apart.max():.4f}"
    )
    assert np.median(apart) < 0.01
    assert apart.max() < 0.06
    assert abs(errors[0] - errors[1]) <= 0.015


@pytest.mark.parametrize("recogniser", RECOGNISERS)
def test_the_points_of_another_detector_move_the_scores_eight_times_as_far_and_more(
    pairs: SamePairs, cut_alike: list[bytes], embed: Embed, recogniser: str
) -> None:
    names = [str(number) for number in range(len(cut_alike))]
    with embed(recogniser) as embedder:
        theirs = scores(pairs.crops.pairs, embedder.crops(pairs.crops.crops, names))
        alike = scores(pairs.crops.pairs, embedder.crops(cut_alike, names))
        detected = scores(pairs.photos, embedder.photos(pairs.photos.items))
    print(f"{recogniser}: EER {eer(detected, pairs.same):.4f} as YuNet finds them")  # noqa: T201 - a figure to report
    assert np.median(np.abs(theirs - detected)) > 8 * np.median(np.abs(theirs - alike))
