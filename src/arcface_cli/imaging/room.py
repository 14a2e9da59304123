"""How many pixels may be decoded at a time, by all workers together, so that large pictures fit in memory."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable, Iterator

Reserve = Callable[[int], None]
"""Waits until so many pixels fit."""

_SHARED, _OF_EACH = 96_000_000, 12_000_000
_SMALL = 2_100_000
"""A full-HD picture. A worker that has a few of those at a time takes less than one of 12 megapixels does."""
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_LARGE_BLOCK = 16_000_000
"""Bytes. Pillow keeps pictures in blocks of 16 MiB."""


class Room:
    """Pixels of pictures that are decoded and not let go of yet. Decoding takes some 7 bytes for each.

    A picture waits for others to go, but never for itself: one that is larger than the room has it alone.
    small: pixels up to which a picture doesn't count.
    """

    def __init__(self, pixels: int = _SHARED, small: int = 0) -> None:
        self._pixels = pixels
        self._small = small
        self._taken = 0
        self._changed = threading.Condition()

    @classmethod
    def for_workers(cls, workers: int) -> Room:
        """Two pictures of 50 megapixels for two workers, 24 megapixels for each of eight."""
        return cls(_SHARED + _OF_EACH * workers, _SMALL)

    def is_small(self, pixels: int) -> bool:
        """Whether a picture is too small to count."""
        return pixels <= self._small

    @contextlib.contextmanager
    def lease(self) -> Iterator[Reserve]:
        """Space for one picture: reserve it once, when its size is known; it is given back at the end."""
        taken = 0

        def reserve(pixels: int) -> None:
            nonlocal taken
            if self.is_small(pixels):
                return
            with self._changed:
                self._changed.wait_for(lambda: not self._taken or self._taken + pixels <= self._pixels)
                self._taken += pixels
            taken = pixels

        try:
            yield reserve
        finally:
            with self._changed:
                self._taken -= taken
                self._changed.notify_all()


@functools.cache
def give_back_large_blocks() -> None:
    """Have glibc return freed pictures to the system, rather than keep some for every thread.

    By itself it raises its limit for that with every block that is freed, up to 32 MiB, and ten pictures of
    50 megapixels on eight threads then take 2.3 GB in place of 1.4. Elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
        # A fixed threshold fixes this one too, at 128 KiB: every network's input would be faulted in anew.
        mallopt(_M_TRIM_THRESHOLD, 4 * _LARGE_BLOCK)
