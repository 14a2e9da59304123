"""How to install what is missing: arcface is on no package index, so pip runs in its checkout."""

from __future__ import annotations

from collections.abc import Callable

PLACE = "in arcface's checkout"
RIVALS = ("onnxruntime", "onnxruntime-gpu", "faiss-cpu", "faiss-gpu")
"""What the extras [cpu] and [gpu] bring. Two of a kind share a folder, and removing either breaks both."""


def is_installed(distribution: str) -> bool:
    """Whether pip knows a distribution of this name here."""
    from importlib import metadata  # costs more than all the rest of a start

    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def install(extras: str) -> str:
    """The command that brings these extras ("heic", or several with commas), and where it runs."""
    return f"pip install '.[{extras}]' {PLACE}"


def install_instead(extras: str, installed: Callable[[str], bool] = is_installed) -> str:
    """The same for another runtime than the one that is there, which has to go first."""
    there = [name for name in RIVALS if installed(name)]
    return f"pip uninstall -y {' '.join(there)} && {install(extras)}" if there else install(extras)
