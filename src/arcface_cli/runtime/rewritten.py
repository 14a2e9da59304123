"""Rewritten graphs kept on disk, so that a short run needn't import `onnx` and rewrite again.

A kept file is its content's SHA-256 (32 bytes), then the content: a damaged one is made anew, never run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

REWRITE_VERSION = 3
"""Grows whenever `graphs` writes something else for the same file."""

DIGEST_BYTES = 32


def kept_or_made(folder: Path | None, key: str, make: Callable[[], bytes]) -> bytes:
    """The graph that `make` writes, from `folder` if it was kept there before; None keeps nothing.

    key: names the source's hash and what is done to it. A folder that can't be written costs time only.
    """
    if folder is None:
        return make()
    path = folder / f"{key}-{REWRITE_VERSION}"
    kept = _read(path)
    if kept is not None:
        return kept
    content = make()
    with contextlib.suppress(OSError):
        _write(path, content)
        _remove_other_versions(path, key)
    return content


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, content = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def _remove_other_versions(path: Path, key: str) -> None:
    """What another version of the program left: a graph may have 130 MB."""
    for other in path.parent.glob(f"{key}-*"):
        if other != path and other.name.removeprefix(f"{key}-").isdecimal():
            other.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; a power cut may leave a torn file, which its digest gives away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(hashlib.sha256(content).digest() + content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
