"""Crops -> templates: batches, mirror images, and networks that answer badly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable, UnusableFeature
from arcface_cli.faces import AlignedFaces
from arcface_cli.recognition.recogniser import SMALLEST_NORM, Recogniser, unit_length
from fakes import DIMENSION, SCALING, FakeNetwork, colour_features, fake_recogniser, fingerprint


def crops(count: int, seed: int = 3) -> AlignedFaces:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)
    return AlignedFaces(pixels, np.tile(np.eye(2, 3), (count, 1, 1)))


def left_half(blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Features that a mirror image changes: the means of the left halves, and a constant."""
    means = blob[:, :, :, :56].mean(axis=(2, 3))
    return [np.hstack([means, np.ones((len(blob), 1))]).astype(np.float32)]


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])])
def test_crops_go_through_in_batches_of_the_size_asked_for(count: int, sizes: list[int]) -> None:
    network = FakeNetwork(colour_features)
    templates = Recogniser(network, SCALING, fingerprint(), batch=4).embed(crops(count), "photo.jpg")
    assert [shape[0] for shape in network.shapes] == sizes
    assert templates.features.shape == (count, DIMENSION)


def test_batches_give_what_one_by_one_gives_in_the_same_order() -> None:
    faces = crops(7)
    together = fake_recogniser(batch=3).embed(faces, "photo.jpg").features
    apart = [
        fake_recogniser(batch=1).embed(AlignedFaces(faces.crops[i : i + 1], faces.transforms[i : i + 1]), "x")
        for i in range(7)
    ]
    assert together == pytest.approx(np.concatenate([each.features for each in apart]), abs=1e-6)


def test_pixels_are_fed_as_red_green_blue_between_minus_one_and_one() -> None:
    blue = np.zeros((1, 112, 112, 3), np.uint8)
    blue[..., 0] = 255
    seen: list[NDArray[np.float32]] = []

    def note(blob: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        seen.append(blob)
        return colour_features(blob)

    fake_recogniser(note).embed(AlignedFaces(blue, np.eye(2, 3)[None]), "photo.jpg")
    assert seen[0].shape == (1, 3, 112, 112)
    assert seen[0][0, :, 50, 50].tolist() == [-1.0, -1.0, 1.0]


def test_flipping_adds_the_mirror_images_feature_before_the_length_is_made_one() -> None:
    faces = crops(2)
    mirrored = AlignedFaces(np.ascontiguousarray(faces.crops[:, :, ::-1]), faces.transforms)
    plain = Recogniser(FakeNetwork(left_half), SCALING, fingerprint(), batch=8)
    flipping = Recogniser(FakeNetwork(left_half), SCALING, fingerprint(flip=True), batch=8)
    assert not np.allclose(plain.embed(faces, "x").features, plain.embed(mirrored, "x").features)
    both = flipping.embed(faces, "x")
    assert both.features == pytest.approx(flipping.embed(mirrored, "x").features, abs=1e-6)
    assert both.fingerprint != plain.fingerprint


@pytest.mark.parametrize("shape", [(1, DIMENSION + 1), (2, DIMENSION), (DIMENSION,), (1, DIMENSION, 1, 1)])
def test_an_answer_of_another_shape_is_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    recogniser = fake_recogniser(lambda blob: [np.ones(shape, np.float32)])
    with pytest.raises(ModelUnusable, match=r"answered with shape .* where \(1, 4\) was promised"):
        recogniser.embed(crops(1), "photo.jpg")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, SMALLEST_NORM / 10])
def test_a_feature_without_a_direction_is_refused_by_the_photographs_name(bad: float) -> None:
    recogniser = fake_recogniser(lambda blob: [np.full((len(blob), DIMENSION), bad, np.float32)])
    with pytest.raises(UnusableFeature, match=r"photo\.jpg: ") as raised:
        recogniser.embed(crops(2), "photo.jpg")
    assert raised.value.exit_status == 4


@given(arrays.arrays(np.float32, (3, 6), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_rows_have_unit_length_and_keep_their_direction_or_are_refused(raw: NDArray[np.float32]) -> None:
    try:
        unit = unit_length(raw, "photo.jpg")
    except UnusableFeature:
        assert (np.linalg.norm(raw.astype(np.float64), axis=1) <= SMALLEST_NORM).any()
        return
    assert unit.dtype == np.float32
    assert np.linalg.norm(unit.astype(np.float64), axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert np.array_equal(np.sign(unit), np.sign(np.where(unit == 0, 0, raw)))


class PixelNetwork:
    """As `colour_features`, but takes crops as they are, and remembers them."""

    def __init__(self) -> None:
        self.fed: list[NDArray[np.uint8]] = []

    def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        self.fed.append(blob)
        means = blob[..., ::-1].mean(axis=(1, 2))
        return [np.hstack([means, np.full((len(blob), 1), 255)]).astype(np.float32)]


def test_a_network_that_scales_by_itself_gets_the_crops_as_they_are() -> None:
    network, faces = PixelNetwork(), crops(6)
    templates = Recogniser(network, None, fingerprint(), batch=4).embed(faces, "photo.jpg")
    assert np.array_equal(np.concatenate(network.fed), faces.crops)
    assert all(fed.dtype == np.uint8 for fed in network.fed)
    assert len(templates) == 6


def test_the_mirror_image_of_pixels_is_fed_left_to_right() -> None:
    network = PixelNetwork()
    Recogniser(network, None, fingerprint(flip=True)).embed(crops(1), "photo.jpg")
    crop, mirrored = network.fed
    assert np.array_equal(mirrored, crop[:, :, ::-1])


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (2, [2]), (3, [4]), (5, [6]), (6, [6]), (7, [6, 1]), (11, [6, 6])]
)
def test_padding_fills_runs_to_a_power_of_two_or_the_batch_and_changes_nothing(
    count: int, sizes: list[int]
) -> None:
    network = FakeNetwork(colour_features)
    padding = Recogniser(network, SCALING, fingerprint(), batch=6, padded=True)
    plain = Recogniser(FakeNetwork(colour_features), SCALING, fingerprint(), batch=6)
    faces = crops(count)
    assert np.array_equal(padding.embed(faces, "x").features, plain.embed(faces, "x").features)
    assert [shape[0] for shape in network.shapes] == sizes


def test_a_crop_without_a_direction_is_refused_but_a_padded_one_is_not() -> None:
    def blind_to_black(fed: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        return [fed.reshape(len(fed), -1)[:, :DIMENSION].astype(np.float32)]

    recogniser = Recogniser(FakeNetwork(blind_to_black), None, fingerprint(), batch=8, padded=True)
    assert len(recogniser.embed(crops(3), "photo.jpg")) == 3
    with pytest.raises(UnusableFeature):
        recogniser.embed(AlignedFaces(np.zeros((3, 112, 112, 3), np.uint8), crops(3).transforms), "photo.jpg")
