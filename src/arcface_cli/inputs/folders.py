"""Paths that the user typed -> the photographs behind them, one folder in memory at a time."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from arcface_cli.errors import NoInputs, UsageError
from arcface_cli.inputs.names import folder_refused, folder_subject, printable
from arcface_cli.inputs.patterns import matching
from arcface_cli.inputs.photo import Photo
from arcface_cli.inputs.walking import SUFFIXES, Identity, Listing, identity, listed, walk

STDIN = "-"

_FOLDERS_SEARCHED_FOR_A_HINT = 1000


@dataclass(frozen=True, slots=True)
class Pictures:
    """Those that this run writes into a folder, which are no photographs, though they look so.

    drawn: tells a picture that arcface drew from a photograph.
    """

    folder: Path
    drawn: Callable[[Path], bool]

    def refuse_folder_of(self, typed: Sequence[str]) -> None:
        """Raise UsageError where photographs are to be read from this very folder: they would mix."""
        for text in typed:
            if _leads_to_folder(Path(text)) and self.lie_in(Path(text)):
                raise UsageError(
                    f"{printable(text)} holds the photographs, and this run's pictures would lie among them",
                    hint="name another folder for them; one inside it will do",
                )

    def lie_in(self, folder: Path) -> bool:
        """Whether this is their folder, which may be made at any time."""
        here = identity(self.folder)
        return here is not None and here == identity(folder)

    def left_out(self, listing: Listing) -> Listing:
        """The listing of a folder without them."""
        if self.lie_in(listing.folder):
            listing.files = [name for name in listing.files if not self.drawn(listing.folder / name)]
        return listing


def photos(
    paths: Sequence[str | os.PathLike[str]],
    *,
    recursive: bool = False,
    stdin: BinaryIO | None = None,
    pictures: Pictures | None = None,
) -> Iterator[Photo]:
    """The photographs that the paths stand for, lazily, in the order of the paths.

    A file is taken whatever its suffix; a folder stands for the photographs in it (by `SUFFIXES`, natural
    order, hidden ones left out), with `recursive` also for those in its sub-folders: links are followed,
    each real folder is visited once. A pattern (*, ?, [) that is no file
    itself stands for the files that match it. "-" is read from `stdin`. What can't be had (a missing path, an
    unreadable folder, a folder without photographs) is a Photo whose `read` says why, so it costs one
    record and not the run.

    pictures: of this run and earlier ones like it, which are left out where their folder is met.

    Raises UsageError at once if "-" is given twice, or an empty name, or the folder of `pictures`.
    """
    typed = _typed(paths)
    if typed.count(STDIN) > 1:
        raise UsageError("- stands for standard input and can be given only once")
    if pictures is not None:
        pictures.refuse_folder_of(typed)
    return _photos(typed, recursive, stdin, pictures)


def people(paths: Sequence[str | os.PathLike[str]]) -> Iterator[Photo]:
    """The photographs to enrol, each with its subject, lazily.

    A folder whose sub-folders hold photographs is a folder of people: each sub-folder is a subject, and
    whatever lies deeper belongs to it. A folder that holds photographs but no such sub-folder is one
    person, named after the folder. A photograph beside the people's folders, or named by itself, has
    subject None. What can't be had is a Photo whose `read` says why, and so are the photographs in a folder
    after which nobody can be named: one that is no UTF-8, or holds a control character or a line break.

    Raises UsageError at once for an empty name.
    """
    return _people(_typed(paths))


@dataclass(frozen=True, slots=True)
class FlatFolder:
    """A folder whose photographs `people` takes for one person's, and how many lie directly in it."""

    folder: Path
    photographs: int
    subject: str | None


def flat_folder(paths: Sequence[str | os.PathLike[str]]) -> FlatFolder | None:
    """The one folder that was named, if several photographs lie directly in it and no person's folder does.

    Several folders, each a person's, are what a shell makes of people/*: nobody has to be told of them.
    """
    if len(paths) != 1 or not _leads_to_folder(Path(paths[0])):
        return None
    root = Path(paths[0])
    listing = listed(root)
    if len(listing.files) < 2 or _holds_people(root, listing) or folder_refused(root) is not None:
        return None
    return FlatFolder(root, len(listing.files), folder_subject(root))


def _typed(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The paths as text. An empty one would stand for the current folder, which nobody meant by "$unset"."""
    typed = [os.fspath(path) for path in paths]
    if "" in typed:
        raise UsageError(
            "an empty name was given", hint="check the shell's variables; . is the current folder"
        )
    return typed


def _people(paths: list[str]) -> Iterator[Photo]:
    for typed in paths:
        path = Path(typed)
        if _leads_to_folder(path):
            yield from _people_of(path)
        else:
            yield Photo(path, named=True)


def _photos(
    typed: list[str], recursive: bool, stdin: BinaryIO | None, pictures: Pictures | None
) -> Iterator[Photo]:
    for text in typed:
        path = Path(text)
        if text == STDIN:
            yield Photo(None, named=True, stream=stdin)
        elif _leads_to_folder(path):
            yield from _photos_of(path, recursive, pictures)
        elif glob.has_magic(text) and not os.path.lexists(path):
            yield from _photos_matching(text, recursive, pictures)
        else:
            yield Photo(path, named=True)


def _photos_matching(pattern: str, recursive: bool, pictures: Pictures | None) -> Iterator[Photo]:
    """What a quoted pattern stands for, folder by folder. A folder that matches stands for what is in it."""
    typed, nothing_yet = Path(pattern).parent, True
    for listing in matching(pattern):
        found = _photos_in(listing if pictures is None else pictures.left_out(listing), typed)
        within = (_photos_of(listing.folder / name, recursive, pictures) for name in listing.folders)
        for photo in chain(found, chain.from_iterable(within)):
            nothing_yet = False
            yield photo
    if nothing_yet:
        failure = NoInputs(f"{printable(pattern)} matches no file", hint="check the pattern")
        yield Photo(Path(pattern), named=True, failure=failure)


def _leads_to_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where this answers


def _photos_of(root: Path, recursive: bool, pictures: Pictures | None) -> Iterator[Photo]:
    nothing_yet = pictures is None or not pictures.lie_in(root)
    for listing in walk(root) if recursive else [listed(root)]:
        for photo in _photos_in(listing if pictures is None else pictures.left_out(listing), root):
            nothing_yet = False
            yield photo
    if nothing_yet:
        yield _nothing_in(root, recursive)


def _people_of(root: Path) -> Iterator[Photo]:
    listing = listed(root)
    found = _photos_in(listing, root)
    yield from found if _holds_people(root, listing) else _named_after(root, found)
    nothing_yet = not listing.files and listing.failure is None
    seen: set[Identity] = {identity(root)}
    for name in listing.folders:
        for below in walk(root / name, seen):
            for photo in _named_after(name, _photos_in(below, root)):
                nothing_yet = False
                yield photo
    if nothing_yet:
        yield _nothing_in(root, recursive=True)


def _holds_people(root: Path, listing: Listing) -> bool:
    """Whether a folder inside holds photographs: then each folder inside is a person's."""
    return any(_holds_photos(root / name, {identity(root)}) for name in listing.folders)


def _named_after(folder: str | Path, found: Iterator[Photo]) -> Iterator[Photo]:
    """Photographs of the person that a folder is named after; each says so where nobody can be."""
    subject, refusal = folder_subject(folder), folder_refused(folder)
    for photo in found:
        yield replace(photo, subject=subject, failure=refusal if photo.failure is None else photo.failure)


def _photos_in(listing: Listing, root: Path) -> Iterator[Photo]:
    for name in listing.files:
        yield Photo(listing.folder / name)
    if listing.failure is not None:
        yield Photo(listing.folder, named=listing.folder == root, failure=listing.failure)


def _nothing_in(root: Path, recursive: bool) -> Photo:
    hint = f"photographs are told by their suffix: {' '.join(sorted(SUFFIXES))}"
    if not recursive and _holds_photos(root):
        hint = "its sub-folders hold some: add -r"
    failure = NoInputs(f"{printable(str(root))} holds no photographs", hint=hint)
    return Photo(root, named=True, failure=failure)


def _holds_photos(folder: Path, seen: set[Identity] | None = None) -> bool:
    return any(listing.files for listing in islice(walk(folder, seen), _FOLDERS_SEARCHED_FOR_A_HINT))
