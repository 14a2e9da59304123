"""What is in a folder and below it: one folder in memory at a time, links followed, loops cut."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from arcface_cli.errors import ArcfaceError, PermissionDenied
from arcface_cli.inputs.names import natural_key, printable
from arcface_cli.inputs.photo import opening_failed

SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
        *(".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm"),
    }
)
"""What counts as a photograph inside a folder; a file that is named itself may be called anything."""

Identity = tuple[int, int] | None
"""Device and inode of a real folder; None if they can't be told."""

Wanted = Callable[[str], bool]
"""Whether a name in a folder counts."""


@dataclass(slots=True)
class Listing:
    """One folder: wanted files and sub-folders in natural order, and what kept us from the rest."""

    folder: Path
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    failure: ArcfaceError | None = None


def is_shown(name: str) -> bool:
    """Whether a name isn't hidden."""
    return not name.startswith(".")


def is_photograph(name: str) -> bool:
    """Whether a file counts as a photograph by its name."""
    return is_shown(name) and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - quick for millions


def walk(root: Path, seen: set[Identity] | None = None, files: Wanted = is_photograph) -> Iterator[Listing]:
    """A folder and all below it, each before its own sub-folders; `seen`: real folders already visited."""
    visited = set() if seen is None else seen
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        if is_new(folder, visited):
            listing = listed(folder, files)
            yield listing
            waiting.extend(folder / name for name in reversed(listing.folders))


def is_new(folder: Path, seen: set[Identity]) -> bool:
    """Whether a real folder is visited for the first time, which is noted; True where nobody can tell."""
    here = identity(folder)
    if here is None:
        return True
    if here in seen:
        return False
    seen.add(here)
    return True


def identity(folder: Path) -> Identity:
    """Of the real folder that a path leads to."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - follows links, as meant
    except OSError:  # listing it will say why
        return None
    return status.st_dev, status.st_ino


def listed(folder: Path, files: Wanted = is_photograph, folders: Wanted = is_shown) -> Listing:
    """What a folder holds of those files and folders; a failure is told, not raised."""
    listing = Listing(folder)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _is_folder(entry):
                    if folders(entry.name):
                        listing.folders.append(entry.name)
                elif files(entry.name):
                    listing.files.append(entry.name)
    except OSError as error:
        listing.failure = _listing_failed(error, folder)
    listing.files.sort(key=natural_key)
    listing.folders.sort(key=natural_key)
    return listing


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that can't be followed: reading it will say why
        return False


def _listing_failed(error: OSError, folder: Path) -> ArcfaceError:
    shown = printable(str(folder))
    if isinstance(error, PermissionError):
        return PermissionDenied(f"{shown} can't be listed: permission denied")
    return opening_failed(error, os.fsencode(folder), shown)
