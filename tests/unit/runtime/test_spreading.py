"""Several cards behind one network: whoever asks gets one that is idle."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable
from arcface_cli.runtime.spreading import SpreadNetwork

WAIT = 30


class FakeCard:
    """A session that answers with its number, and can be held up."""

    name, takes_pixels = "net.onnx", True

    def __init__(self, number: int) -> None:
        self.number = number
        self.runs = 0
        self.started, self.go = threading.Event(), threading.Event()
        self.go.set()

    def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        self.runs += 1
        self.started.set()
        assert self.go.wait(WAIT)
        return [np.full((len(blob), 1), self.number, np.float32)]


def crops(count: int) -> NDArray[np.uint8]:
    return np.zeros((count, 4, 4, 3), np.uint8)


def test_it_is_fed_and_named_like_its_sessions() -> None:
    spread = SpreadNetwork([FakeCard(0), FakeCard(1)])
    assert (spread.name, spread.takes_pixels) == ("net.onnx", True)


def test_runs_go_round_while_all_cards_are_idle() -> None:
    spread = SpreadNetwork([FakeCard(number) for number in range(3)])
    assert [int(spread.run(crops(2))[0][0, 0]) for _ in range(6)] == [0, 1, 2, 0, 1, 2]


def test_a_busy_card_gets_nothing_and_the_others_all() -> None:
    slow, quick = FakeCard(0), FakeCard(1)
    slow.go.clear()
    spread = SpreadNetwork([slow, quick])
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(spread.run, crops(1))
        assert slow.started.wait(WAIT)
        assert [int(spread.run(crops(1))[0][0, 0]) for _ in range(5)] == [1] * 5
        slow.go.set()
        assert int(held.result(WAIT)[0][0, 0]) == 0
    assert (slow.runs, quick.runs) == (1, 5)


def test_many_threads_share_the_cards_and_no_card_has_two_runs() -> None:
    class Alone(FakeCard):
        def __init__(self, number: int) -> None:
            super().__init__(number)
            self.lock = threading.Lock()

        def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            assert self.lock.acquire(blocking=False), "two runs on one card"
            try:
                return super().run(blob)
            finally:
                self.lock.release()

    cards = [Alone(number) for number in range(3)]
    spread = SpreadNetwork(cards)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda count: len(spread.run(crops(count))[0]), range(1, 100)))
    assert answers == list(range(1, 100))
    assert sum(card.runs for card in cards) == 99


def test_a_card_whose_run_fails_is_idle_again() -> None:
    class Failing(FakeCard):
        def run(self, blob: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            raise ModelUnusable("out of memory")

    spread = SpreadNetwork([Failing(0)])
    for _ in range(2):
        with pytest.raises(ModelUnusable, match="out of memory"):
            spread.run(crops(1))
