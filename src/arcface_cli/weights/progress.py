"""How a long transfer tells of itself: a protocol passed in, inert unless somebody listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told what is being fetched and how far it is. All counts are bytes."""

    def started(self, label: str, total: int | None) -> None:
        """A transfer begins; `total` is None when its size isn't known."""

    def reached(self, done: int) -> None:
        """So many bytes of the transfer are here (a resumed one doesn't begin at 0)."""

    def finished(self) -> None:
        """The transfer ended, well or badly."""

    def remarked(self, text: str) -> None:
        """Something worth a line for the user, such as a source that was passed over."""


class SilentProgress:
    """Listens to nothing."""

    def started(self, label: str, total: int | None) -> None:
        """Nothing to do."""

    def reached(self, done: int) -> None:
        """Nothing to do."""

    def finished(self) -> None:
        """Nothing to do."""

    def remarked(self, text: str) -> None:
        """Nothing to do."""
