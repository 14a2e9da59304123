"""The ```console and ```sh blocks of a page: which commands it shows, and what it says they print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ELIDED = "…"
_BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_PASSING = (
    re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"),  # when
    re.compile(r"\d+\.\d s, \d+\.\d a second"),  # how fast
    re.compile(r"-[0-9a-f]{8}-"),  # where, in the names of crops
)


@dataclass
class Shown:
    """A command, and the lines that a page shows of its output (none: the page shows nothing of it)."""

    command: str
    lines: list[str] = field(default_factory=list)


def shown_commands(page: Path) -> list[Shown]:
    """Every command of a page, in order. In ```sh blocks every line is one, in ```console those after $."""
    found: list[Shown] = []
    for kind, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if kind == "sh" and line and not line.startswith("#"):
                found.append(Shown(line))
            elif line.startswith("$ "):
                found.append(Shown(line.removeprefix("$ ")))
            elif kind == "console" and line:
                found[-1].lines.append(line)
    return found


def first_untrue_line(shown: Shown, output: str, tolerance: float | None) -> str | None:
    """The first shown line that the output doesn't have, in order and without gaps but where … stands.

    Times, speeds and hashes differ from run to run. Other numbers may differ by `tolerance`;
    None: by anything.
    """
    printed = iter([line.rstrip() for line in output.splitlines() if line.strip()])
    gap = False
    for line in shown.lines:
        if line == ELIDED:
            gap = True
            continue
        for candidate in printed:
            if _alike(line, candidate, tolerance):
                break
            if not gap:
                return line
        else:
            return line
        gap = False
    return None


def _alike(shown: str, printed: str, tolerance: float | None) -> bool:
    shown, printed = _lasting(shown), _lasting(printed)
    if _NUMBER.sub("#", shown) != _NUMBER.sub("#", printed):
        return False
    pairs = zip(_NUMBER.findall(shown), _NUMBER.findall(printed), strict=True)
    return tolerance is None or all(abs(float(a) - float(b)) <= tolerance for a, b in pairs)


def _lasting(line: str) -> str:
    for pattern in _PASSING:
        line = pattern.sub("~", line)
    return " ".join(line.split())
