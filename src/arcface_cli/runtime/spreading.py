"""One network on several cards: whoever asks is served by a card that is idle."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import Fed
from arcface_cli.runtime.sessions import Session


class SpreadNetwork:
    """Sessions of the same network, one a card, behind the face of one: runs by several threads share them.

    name, takes_pixels: as of a `Session`.
    """

    def __init__(self, sessions: Sequence[Session]) -> None:
        first = sessions[0]
        self.name, self.takes_pixels = first.name, first.takes_pixels
        self._idle: SimpleQueue[Session] = SimpleQueue()
        for session in sessions:
            self._idle.put(session)

    def run(self, blob: Fed) -> list[NDArray[np.float32]]:
        """See `Session.run`. Waits where all cards are busy; the card that was idle longest is taken."""
        session = self._idle.get()
        try:
            return session.run(blob)
        finally:
            self._idle.put(session)
