"""Patterns that the user quoted, matched as a shell does, but folder by folder and never in circles."""

from __future__ import annotations

import glob
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import translate
from pathlib import Path

from arcface_cli.inputs.walking import Identity, Listing, Wanted, is_new, is_shown, listed, walk

_ACROSS = "**"

_Seen = defaultdict[int, set[Identity]]
"""Real folders that were visited, by how many parts of the pattern were left to match in them."""


def matching(pattern: str) -> Iterator[Listing]:
    """What a pattern matches, lazily: listings in the order of a walk.

    *, ? and [ match within a name, a hidden one only where the pattern says the dot. ** is any number of
    folders, none of them hidden: links are followed, and from there on each real folder is visited once.
    A pattern with ** stands for files: no folders are listed, for what is in them matches too. A folder
    that can't be listed is a listing with a failure.
    """
    path = Path(pattern)
    parts = path.parts[1:] if path.anchor else path.parts
    if parts[-1] == _ACROSS:
        parts = (*parts, "*")
    for listing in _below(Path(path.anchor), parts, None):
        if pattern.endswith(os.sep):
            listing.files = []
        if _ACROSS in parts:
            listing.folders = []
        yield listing


def _below(folder: Path, parts: Sequence[str], seen: _Seen | None) -> Iterator[Listing]:
    """What the rest of a pattern matches in a folder; `seen`: None before the first **."""
    part, rest = parts[0], parts[1:]
    if part == _ACROSS:
        seen = defaultdict(set) if seen is None else seen
        for listing in walk(folder, seen[len(parts)], files=_nothing):
            if listing.failure is None:
                yield from _below(listing.folder, rest, seen)
            else:
                yield listing
        return
    if seen is not None and not is_new(folder, seen[len(parts)]):
        return
    found = _found(folder, part, files=not rest)
    if not rest:
        yield found
        return
    for name in found.folders:
        yield from _below(folder / name, rest, seen)
    if found.failure is not None:
        yield Listing(folder, failure=found.failure)


def _found(folder: Path, part: str, *, files: bool) -> Listing:
    """What one part of a pattern matches in a folder."""
    if glob.has_magic(part):
        wanted = _wanted(part)
        return listed(folder, wanted if files else _nothing, wanted)
    path, listing = folder / part, Listing(folder)
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where this answers
        listing.folders = [part]
    elif files and os.path.lexists(path):
        listing.files = [part]
    return listing


def _wanted(part: str) -> Wanted:
    fits = re.compile(translate(part)).match
    hidden = part.startswith(".")
    return lambda name: (hidden or is_shown(name)) and fits(name) is not None


def _nothing(_: str) -> bool:
    return False
