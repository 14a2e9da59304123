"""Numbers in what is told to people."""

from __future__ import annotations


def counted(count: int, one: str, several: str | None = None) -> str:
    """`1 template`, `2,000 templates`, `0 templates`; several: where an s at the end doesn't make it so."""
    if several is None:
        several = f"{one}s"
    return f"{count:,} {one if count == 1 else several}"
