"""On a real GPU: the card serves and answers what the CPU answers. Skips with the reason where none is."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small_graphs import detector_graph, mixing_graph, recogniser_graph

from arcface_cli.faces import CROP_SIDE
from arcface_cli.imaging.blob import PixelScaling
from arcface_cli.runtime.cards import cards, memory
from arcface_cli.runtime.ceilings import copy_rate, product_rate
from arcface_cli.runtime.devices import (
    Device,
    choose_device,
    cuda_obstacle,
    tensorrt_obstacle,
    this_machine,
)
from arcface_cli.runtime.engines import Engines, kind_here
from arcface_cli.runtime.gathering import GatheringNetwork
from arcface_cli.runtime.networks import Precision, Rewrite, open_network
from arcface_cli.runtime.selftest import network
from arcface_cli.runtime.sessions import CUDA_PROVIDER, Session, SessionOptions
from arcface_cli.runtime.spreading import SpreadNetwork

OBSTACLE = cuda_obstacle(0, this_machine())
NO_TENSORRT = None if OBSTACLE is not None else tensorrt_obstacle(this_machine())
CARDS = len(cards()) if OBSTACLE is None else 0
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(OBSTACLE is not None, reason=f"no GPU to test: {OBSTACLE and OBSTACLE.reason}"),
]

SCALING = PixelScaling(rgb=True, mean=127.5, scale=127.5)
CUDA, CPU = SessionOptions(Device((0,))), SessionOptions(threads=1)
TF32 = 2e-2
"""Of sums of a few dozen products whose factors are rounded to 10 bits."""


def pixels(count: int, side: int) -> NDArray[np.uint8]:
    return np.random.default_rng(31).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def both(path: Path, rewrite: Rewrite, precision: Precision = Precision.FP32) -> tuple[Session, Session]:
    return open_network(path, rewrite, precision, CUDA), open_network(path, rewrite, Precision.FP32, CPU)


def test_the_first_card_is_chosen_and_serves(tmp_path: Path) -> None:
    path = detector_graph(tmp_path / "det.onnx")
    session = open_network(path, Rewrite(), Precision.FP32, SessionOptions(choose_device("auto").device))
    assert str(session.device) == "cuda:0"
    assert session._session.get_providers()[0] == CUDA_PROVIDER


@pytest.mark.parametrize("precision", list(Precision))
def test_a_card_answers_pixels_as_the_cpu_does(tmp_path: Path, precision: Precision) -> None:
    path = recogniser_graph(tmp_path / "net.onnx")
    cuda, cpu = both(path, Rewrite(batch=True, pixels=SCALING), precision)
    for count in (1, 2, 5):
        crops = pixels(count, 8)
        assert cuda.run(crops)[0] == pytest.approx(cpu.run(crops)[0], abs=TF32)


def test_a_card_keeps_the_pictures_of_a_batch_apart(tmp_path: Path) -> None:
    cuda, cpu = both(mixing_graph(tmp_path / "scrfd.onnx"), Rewrite(batch=True, pixels=SCALING))
    canvases = pixels(4, 16)
    for head, same in zip(cuda.run(canvases), cpu.run(canvases), strict=True):
        assert head == pytest.approx(same, abs=TF32)


def test_workers_that_share_a_card_get_their_own_answers(tmp_path: Path) -> None:
    cuda, cpu = both(mixing_graph(tmp_path / "scrfd.onnx"), Rewrite(batch=True, pixels=SCALING))
    shared, canvases = GatheringNetwork(cuda), pixels(64, 16)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda place: shared.run(canvases[place : place + 1]), range(64)))
    for place, heads in enumerate(answers):
        for head, same in zip(heads, cpu.run(canvases[place : place + 1]), strict=True):
            assert head == pytest.approx(same, abs=TF32)


@pytest.mark.skipif(CARDS < 2, reason=f"needs two cards: {CARDS} here")
def test_two_cards_answer_as_the_cpu_does_and_both_work(tmp_path: Path) -> None:
    path, rewrite = recogniser_graph(tmp_path / "net.onnx"), Rewrite(batch=True, pixels=SCALING)
    spread = open_network(path, rewrite, Precision.FP32, SessionOptions(Device((0, 1))))
    cpu = open_network(path, rewrite, Precision.FP32, CPU)
    assert isinstance(spread, SpreadNetwork)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda count: spread.run(pixels(count, 8))[0], range(1, 9)))
    for count, answer in enumerate(answers, start=1):
        assert answer == pytest.approx(cpu.run(pixels(count, 8))[0], abs=TF32)


@pytest.mark.skipif(NO_TENSORRT is not None, reason=f"no TensorRT: {NO_TENSORRT and NO_TENSORRT.reason}")
@pytest.mark.parametrize("half", [False, True])
def test_tensorrt_answers_as_the_cpu_does_and_builds_its_engine_once(tmp_path: Path, half: bool) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(network())
    told: list[str] = []
    engines = Engines(tmp_path / "engines", most=4, half=half, tell=told.append, kind_of=kind_here)
    rewrite, sha256 = Rewrite(pixels=SCALING), hashlib.sha256(path.read_bytes()).hexdigest()
    cpu = open_network(path, rewrite, Precision.FP32, CPU)
    for _ in range(2):
        session = open_network(path, rewrite, Precision.FP32, replace(CUDA, engines=engines), sha256=sha256)
        for count in (1, 2, 4):
            crops = pixels(count, CROP_SIDE)
            assert session.run(crops)[0] == pytest.approx(cpu.run(crops)[0], abs=10 * TF32)
    assert len(told) == 1


def test_what_a_card_has_left_is_no_more_than_it_has() -> None:
    room = memory(0)
    assert 0 < room.free <= room.total
    assert room.total <= cards()[0].memory


def test_a_run_on_the_card_alone_is_a_run(tmp_path: Path) -> None:
    session, _ = both(recogniser_graph(tmp_path / "net.onnx"), Rewrite(batch=True, pixels=SCALING))
    once = session.resident(pixels(4, 8))
    once()
    once()


def test_half_precision_products_are_the_faster_ones() -> None:
    half, full = (
        product_rate(CUDA, precision, seconds=0.2) for precision in (Precision.FP16, Precision.FP32)
    )
    assert half > full > 1e12


def test_the_copy_runs_in_the_cards_own_memory() -> None:
    assert copy_rate(CUDA, seconds=0.2) > 1e11  # no bus is that wide
