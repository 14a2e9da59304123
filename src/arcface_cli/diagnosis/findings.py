"""What an examination of this machine says: one line each, with the one command that mends what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from arcface_cli.errors import ArcfaceError

Fact = str | int | float | bool | None


class Level(StrEnum):
    """ok: as it should be. warning: works, not as it could. error: what was installed can't work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    what: the thing that was looked at.  detail: what was found.  mend: the command or step that mends it,
    None where nothing is wrong.  facts: the same as values, for programs (paths, versions, hashes, bytes).
    """

    what: str
    level: Level
    detail: str
    mend: str | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)


def fine(what: str, detail: str, **facts: Fact) -> Finding:
    """A thing that is as it should be."""
    return Finding(what, Level.OK, detail, None, facts)


def warning(what: str, detail: str, mend: str | None, **facts: Fact) -> Finding:
    """A thing that works, but not as it could."""
    return Finding(what, Level.WARNING, detail, mend, facts)


def wrong(what: str, detail: str, mend: str | None, **facts: Fact) -> Finding:
    """A thing that doesn't work."""
    return Finding(what, Level.ERROR, detail, mend, facts)


def refusal(what: str, error: ArcfaceError) -> Finding:
    """An error of ours as a finding."""
    return Finding(what, Level.ERROR, error.message, error.hint, {"code": error.code})
