"""Graphs that take pixels or several pictures answer as the originals do, one picture at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_graphs import detector_graph, mixing_graph, recogniser_graph

from arcface_cli.errors import ModelUnusable
from arcface_cli.imaging.blob import PixelScaling, to_blob
from arcface_cli.runtime.graphs import free_dimensions, halve, read_network, take_pixels
from arcface_cli.runtime.sessions import Session, SessionOptions, open_session

OPTIONS = SessionOptions(threads=1)
SCALINGS = [
    PixelScaling(rgb=True, mean=127.5, scale=127.5),
    PixelScaling(rgb=True, mean=127.5, scale=128.0),
    PixelScaling(rgb=False, mean=0.0, scale=1.0),
    PixelScaling(rgb=True, mean=0.0, scale=1.0),
    PixelScaling(rgb=False, mean=104.0, scale=57.3),
]


def pixels(count: int, side: int, seed: int = 21) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def opened(path: Path, scaling: PixelScaling | None = None, *, half: bool = False, **freed: bool) -> Session:
    """The graph of `path` with some of its dimensions freed, halved and taking pixels, where asked for."""
    network = read_network(path)
    if freed:
        free_dimensions(network, **{"batch": False, "spatial": False} | freed)
    if half:
        halve(network)
    if scaling is not None:
        take_pixels(network, scaling)
    return open_session(network.serialised(), path.name, OPTIONS)


@pytest.mark.parametrize("scaling", SCALINGS, ids=str)
@pytest.mark.parametrize("weights_as_inputs", [False, True])
def test_a_graph_that_takes_pixels_answers_to_the_bit_what_the_host_scaled(
    tmp_path: Path, scaling: PixelScaling, weights_as_inputs: bool
) -> None:
    path = recogniser_graph(
        tmp_path / "net.onnx", batch="N", reshape_to=(0, -1), weights_as_inputs=weights_as_inputs
    )
    crops = pixels(3, 8)
    inside, outside = opened(path, scaling), opened(path, batch=True)
    assert np.array_equal(inside.run(crops)[0], outside.run(to_blob(crops, scaling))[0])


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rgb=st.booleans(),
    mean=st.floats(-300, 300, width=32),
    scale=st.floats(0.5, 300, width=32),
    seed=st.integers(0, 1000),
)
def test_any_scaling_of_the_catalogue_is_the_same_inside_and_outside(
    tmp_path: Path, rgb: bool, mean: float, scale: float, seed: int
) -> None:
    scaling = PixelScaling(rgb, mean, scale)
    path = detector_graph(tmp_path / "det.onnx")
    canvas = pixels(1, 32, seed)
    assert np.array_equal(opened(path, scaling).run(canvas)[0], opened(path).run(to_blob(canvas, scaling))[0])


def test_a_session_says_which_of_the_two_it_is_fed(tmp_path: Path) -> None:
    path = detector_graph(tmp_path / "det.onnx")
    fed = opened(path, SCALINGS[0])
    assert fed.takes_pixels
    assert (fed.input_name, fed.input_shape) == ("pixels", (1, 32, 32, 3))
    assert not opened(path).takes_pixels


def test_pixels_a_free_batch_and_a_free_size_go_together(tmp_path: Path) -> None:
    path = detector_graph(tmp_path / "det.onnx")
    session = opened(path, SCALINGS[1], batch=True, spatial=True)
    canvases = pixels(3, 48)
    alone = [session.run(canvases[i : i + 1])[0] for i in range(3)]
    assert np.array_equal(session.run(canvases)[0], np.concatenate(alone))
    assert session.input_shape == ("batch", "height", "width", 3)


def test_a_halved_graph_scales_pixels_in_float32_and_answers_in_float32(tmp_path: Path) -> None:
    path = recogniser_graph(tmp_path / "net.onnx")
    crops = pixels(2, 8)
    half, blob = opened(path, SCALINGS[0], half=True, batch=True), to_blob(crops, SCALINGS[0])
    answer = half.run(crops)[0]
    assert answer.dtype == np.float32
    assert np.array_equal(answer, opened(path, half=True, batch=True).run(blob)[0])
    assert answer == pytest.approx(opened(path, batch=True).run(blob)[0], abs=5e-3)


@pytest.mark.parametrize("shape_as_constant", [False, True])
def test_heads_that_mix_pictures_list_them_one_after_another_once_the_batch_is_free(
    tmp_path: Path, shape_as_constant: bool
) -> None:
    path = mixing_graph(tmp_path / "scrfd.onnx", shape_as_constant=shape_as_constant)
    fixed, freed = opened(path), opened(path, batch=True)
    blob = to_blob(pixels(4, 16), SCALINGS[0])
    together = freed.run(blob)
    for place in range(4):
        for head, alone in zip(together, fixed.run(blob[place : place + 1]), strict=True):
            assert np.array_equal(head[place], alone)
    assert [head.shape for head in together] == [(4, 32, 1), (4, 32, 4)]


def test_a_shape_that_weights_are_brought_into_keeps_its_leading_one(tmp_path: Path) -> None:
    path = mixing_graph(tmp_path / "scrfd.onnx", reshaped_slope=True)
    blob = to_blob(pixels(2, 16), SCALINGS[0])
    together = opened(path, batch=True).run(blob)[0]
    assert np.array_equal(together[1], opened(path).run(blob[1:])[0])


def test_a_network_of_grey_pictures_takes_no_colour_pixels(tmp_path: Path) -> None:
    path = mixing_graph(tmp_path / "grey.onnx", channels=1)
    with pytest.raises(ModelUnusable, match=r"grey\.onnx: .* \(N, 3, H, W\)"):
        opened(path, SCALINGS[0])


def test_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = recogniser_graph(tmp_path / "net.onnx")
    before = path.read_bytes()
    opened(path, SCALINGS[0], half=True, batch=True)
    assert path.read_bytes() == before
