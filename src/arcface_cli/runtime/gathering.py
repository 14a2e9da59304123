"""What several threads ask of a network at the same time, run as one batch.

Nobody waits for company: while runs keep all cards busy, requests gather, and whoever comes next takes
all of its own shape along. So one thread alone gets runs of one picture, and many get large ones.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable
from arcface_cli.faces import Fed

LARGEST_BATCH = 32


class Network(Protocol):
    """What is asked of a session."""

    def run(self, blob: Fed) -> list[NDArray[np.float32]]:
        """(N, ...) -> outputs of (N, ...) each."""
        ...


class _Request:
    """Pictures that a thread wants answered, and what it will get."""

    def __init__(self, fed: Fed) -> None:
        self.fed = fed
        self.answer: Future[list[NDArray[np.float32]]] = Future()


class GatheringNetwork:
    """A network whose runs are shared between threads. most: pictures in one run.  at_once: runs of it.

    The network's batch must be free, and every output must begin with it.
    """

    def __init__(self, network: Network, most: int = LARGEST_BATCH, at_once: int = 1) -> None:
        self._network = network
        self._most = most
        self._waiting: list[_Request] = []
        self._choosing = threading.Lock()
        self._turns = threading.Semaphore(at_once)

    def run(self, blob: Fed) -> list[NDArray[np.float32]]:
        """As the network's `run`, with the same results and errors.

        Raises ModelUnusable too when the answers to several pictures can't be told apart.
        """
        request = _Request(blob)
        with self._choosing:
            self._waiting.append(request)
        with self._turns:
            company = self._company_of(request)
            if company:
                self._serve(company)
        return request.answer.result()

    def _company_of(self, request: _Request) -> list[_Request]:
        """It, and what waits with pictures of the same shape, as long as there is room; oldest first.

        Nothing when somebody took it along.
        """
        with self._choosing:
            if request not in self._waiting:
                return []
            self._waiting.remove(request)
            taken, pictures = [request], len(request.fed)
            for other in list(self._waiting):
                alike = other.fed.shape[1:] == request.fed.shape[1:] and other.fed.dtype == request.fed.dtype
                if alike and pictures + len(other.fed) <= self._most:
                    self._waiting.remove(other)
                    taken.append(other)
                    pictures += len(other.fed)
            return taken

    def _serve(self, requests: Sequence[_Request]) -> None:
        try:
            counts = [len(request.fed) for request in requests]
            parts = self._parts([request.fed for request in requests], counts)
        except BaseException as error:  # each thread that asked raises it
            for request in requests:
                request.answer.set_exception(error)
            return
        for request, outputs in zip(requests, parts, strict=True):
            request.answer.set_result(outputs)

    def _parts(self, fed: list[Fed], counts: list[int]) -> list[list[NDArray[np.float32]]]:
        if len(fed) == 1:
            return [self._network.run(fed[0])]
        together: Any = np.concatenate(fed)
        outputs = self._network.run(together)
        for output in outputs:
            if len(output) != sum(counts):
                raise ModelUnusable(
                    f"the network answers {sum(counts)} pictures with {output.shape}, which mixes them",
                    hint="use --jobs 1",
                )
        ends = np.cumsum(counts)[:-1]
        split = [np.split(output, ends) for output in outputs]
        return [list(heads) for heads in zip(*split, strict=True)]
