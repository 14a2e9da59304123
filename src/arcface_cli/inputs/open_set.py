"""Lists for open-set identification: who is enrolled, and whom the probes show. And attributes of people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arcface_cli.errors import InvalidList
from arcface_cli.inputs.names import printable, subject_name
from arcface_cli.inputs.pair_lists import NO, YES
from arcface_cli.inputs.tables import cell, existing, read_table

FILE = ("file", "path", "image", "photo", "filename")
PERSON = ("person", "name", "subject", "identity", "label")
ENROLLED = "enrolled"


@dataclass(frozen=True, slots=True)
class Listed:
    """A photograph, the person on it, and the other columns of its row."""

    path: Path
    person: str
    row: Mapping[str, str]
    at: str


def read_people(path: Path, folder: Path) -> list[Listed]:
    """A CSV of photographs under `folder` with a column of `FILE` and one of `PERSON`.

    Raises InvalidList naming the line, also for a photograph listed twice, and what opening a file raises.
    """
    shown = printable(str(path))
    found: dict[Path, Listed] = {}
    for number, row in read_table(path, (FILE, PERSON)):
        at = f"{shown}, line {number}"
        photo, person = existing(folder / cell(row, FILE), at), subject_name(cell(row, PERSON))
        if not person:
            raise InvalidList(f"{at}: names nobody")
        if photo in found:
            raise InvalidList(f"{at}: {printable(str(photo))} stands in {found[photo].at} already")
        found[photo] = Listed(photo, person, row, at)
    return list(found.values())


def check_enrolled(gallery: list[Listed], probes: list[Listed]) -> None:
    """Raise InvalidList where a probe's `enrolled` column contradicts the gallery, or a probe is enrolled."""
    people, photographs = {each.person for each in gallery}, {each.path for each in gallery}
    for probe in probes:
        word = probe.row.get(ENROLLED, "").casefold()
        if word and word not in YES | NO:
            raise InvalidList(f"{probe.at}: enrolled is {printable(word)!r}, neither yes nor no")
        if word and (word in YES) != (probe.person in people):
            state = "is not" if word in YES else "is"
            raise InvalidList(
                f"{probe.at}: says the other, but {printable(probe.person)} {state} in the gallery"
            )
        if probe.path in photographs:
            raise InvalidList(f"{probe.at}: the same photograph is in the gallery: that search means nothing")


def read_attributes(path: Path, column: str) -> dict[str, str]:
    """What a CSV with a column of `PERSON` says about each person in `column`. Raises InvalidList."""
    shown = printable(str(path))
    found: dict[str, str] = {}
    for number, row in read_table(path, (PERSON, (column.casefold(),))):
        person, value = subject_name(cell(row, PERSON)), row[column.casefold()]
        if found.setdefault(person, value) != value:
            raise InvalidList(
                f"{shown}, line {number}: contradicts an earlier line about {printable(person)}"
            )
    return found
