"""Threads that ask at the same time share a run of the network, and each gets its own answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable
from arcface_cli.runtime.gathering import GatheringNetwork

WAIT = 30


class SlowNetwork:
    """Answers pictures with their sums and their first rows; its first run waits until `go` is set."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.started, self.go = threading.Event(), threading.Event()

    def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        self.counts.append(len(blob))
        self.started.set()
        assert self.go.wait(WAIT)
        return [blob.sum(axis=(1, 2, 3)).astype(np.float32)[:, None], blob[:, 0, :, 0].astype(np.float32)]


def canvas(value: int, side: int = 4) -> NDArray[np.uint8]:
    return np.full((1, side, side, 3), value, np.uint8)


def asked_together(network: SlowNetwork, shared: GatheringNetwork, canvases: list[NDArray[np.uint8]]) -> list:
    """The answers to all, of which the first is under way when the others are asked for."""
    with ThreadPoolExecutor(len(canvases)) as pool:
        first = pool.submit(shared.run, canvases[0])
        assert network.started.wait(WAIT)
        others = [pool.submit(shared.run, each) for each in canvases[1:]]
        while len(shared._waiting) < len(canvases) - 1:
            threading.Event().wait(0.001)
        network.go.set()
        return [future.result(WAIT) for future in (first, *others)]


def test_what_gathers_during_a_run_goes_through_as_one_batch() -> None:
    network = SlowNetwork()
    answers = asked_together(network, GatheringNetwork(network), [canvas(value) for value in range(6)])
    assert network.counts == [1, 5]
    for value, (sums, rows) in enumerate(answers):
        assert sums.tolist() == [[value * 48]]
        assert rows.tolist() == [[value] * 4]


def test_pictures_of_another_shape_go_apart() -> None:
    network = SlowNetwork()
    canvases = [canvas(1), canvas(2), canvas(3, side=8), canvas(4), canvas(5, side=8)]
    answers = asked_together(network, GatheringNetwork(network), canvases)
    assert sorted(network.counts) == [1, 2, 2]
    assert [sums[0, 0] for sums, _ in answers] == [48, 96, 576, 192, 960]


def test_a_batch_has_no_more_pictures_than_allowed() -> None:
    network = SlowNetwork()
    shared = GatheringNetwork(network, most=2)
    answers = asked_together(network, shared, [canvas(value) for value in range(6)])
    assert network.counts == [1, 2, 2, 1]
    assert [sums[0, 0] for sums, _ in answers] == [48 * value for value in range(6)]


def test_as_many_runs_are_under_way_as_the_network_takes_and_the_rest_gathers() -> None:
    network = SlowNetwork()
    shared = GatheringNetwork(network, at_once=2)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(shared.run, canvas(value)) for value in range(6)]
        while len(network.counts) < 2 or len(shared._waiting) < 4:
            threading.Event().wait(0.001)
        assert network.counts == [1, 1]
        network.go.set()
        answers = [future.result(WAIT) for future in asked]
    assert sum(network.counts) == 6
    assert [sums[0, 0] for sums, _ in answers] == [48 * value for value in range(6)]


def test_one_thread_alone_gets_runs_of_its_own() -> None:
    network = SlowNetwork()
    network.go.set()
    shared = GatheringNetwork(network)
    assert [shared.run(canvas(value))[0][0, 0] for value in (3, 1)] == [144, 48]
    assert network.counts == [1, 1]


def test_everybody_in_a_run_that_fails_is_told() -> None:
    class Failing(SlowNetwork):
        def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            super().run(blob)
            raise ModelUnusable("out of memory", hint="use a smaller --batch")

    network = Failing()
    shared = GatheringNetwork(network)
    told = []

    def ask(value: int) -> None:
        with pytest.raises(ModelUnusable, match="out of memory"):
            shared.run(canvas(value))
        told.append(value)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, value) for value in range(4)]
        network.go.set()
        for each in asked:
            each.result(WAIT)
    assert sorted(told) == [0, 1, 2, 3]


def test_answers_that_mix_pictures_are_refused() -> None:
    class Mixing(SlowNetwork):
        def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            super().run(blob)
            return [blob.reshape(-1, 1).astype(np.float32)]

    network = Mixing()
    with pytest.raises(ModelUnusable, match=r"answers 2 pictures with \(96, 1\)"):
        asked_together(network, GatheringNetwork(network), [canvas(0), canvas(1), canvas(2)])
