"""What `arcface doctor` found, told to people and programs."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from arcface_cli import __version__
from arcface_cli.cli import build
from arcface_cli.cli.console import data_stream, is_terminal, say, wants_color
from arcface_cli.cli.listing import show_rows
from arcface_cli.cli.pasting import PASTED
from arcface_cli.cli.sources import SOURCES
from arcface_cli.diagnosis.findings import Finding, Level
from arcface_cli.errors import MachineError, UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.settings import (
    LoadedSettings,
    Settings,
    cache_folder,
    config_path,
    option_name,
    sparing,
    variable_name,
)
from arcface_cli.wording import counted
from arcface_cli.workflows.doctor import Asked, Places, examine

OF_THIS_REPORT = ("format", "quiet")
"""Settings that say how the examination is told, and nothing of the machine."""

STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "bold red"}


def examine_machine(params: dict[str, Any]) -> int:
    """Examine, show, and answer 0, or 5 when anything is wrong."""
    problems: list[UsageError] = []
    loaded = build.settings_from(params, sparing(problems))
    settings = loaded.values
    places = Places(settings.gallery, settings.models_dir, cache_folder())
    asked = Asked(
        settings.model,
        settings.detector,
        settings.device,
        settings.precision,
        settings.tensorrt,
        given(loaded),
    )
    found = [
        _in_words(each)
        for each in examine(__version__, places, build.store(settings), asked, problems=problems)
    ]
    show_findings(found, settings)
    counts = Counter(finding.level for finding in found)
    if not settings.quiet:
        told = (counted(counts[level], level) for level in tuple(Level)[1:])
        say(f"doctor: {counts[Level.OK]} ok, {', '.join(told)}")
    return MachineError.exit_status if counts[Level.ERROR] else 0


def given(loaded: LoadedSettings) -> str:
    """Which settings were given, and where: `--gallery, ARCFACE_DEVICE; /etc/arcface.toml: model`."""
    by: dict[str, list[str]] = {}
    for name, origin in loaded.origins.items():
        if name in OF_THIS_REPORT:
            continue
        by.setdefault(origin, []).append(name)
    words = [*map(option_name, by.get("option", ())), *map(variable_name, by.get("environment", ()))]
    parts = [", ".join(words)] if words else []
    if "config" in by:
        parts.append(f"{config_path()}: {', '.join(by['config'])}")
    return "; ".join(parts)


def _in_words(finding: Finding) -> Finding:
    """With the variable or key that a setting came from in place of its flag, and commands to paste."""
    mend = None if finding.mend is None else PASTED(SOURCES.hint(finding.mend))
    if finding.level is Level.OK and finding.what != "device":
        return replace(finding, mend=mend)
    return replace(finding, detail=SOURCES.message(finding.detail), mend=mend)


def show_findings(found: Sequence[Finding], settings: Settings) -> None:
    """Lines for people, or a row a finding for programs."""
    terminal = is_terminal()
    if settings.format == "table" or (settings.format is None and terminal):
        color = terminal and wants_color()
        with data_stream() as stream:
            stream.write(lines(found, color=color))
        return
    rows = [_row(finding) for finding in found]
    if settings.format in ("csv", "tsv"):
        rows = [{key: value for key, value in row.items() if key != "facts"} for row in rows]
    show_rows(rows, settings, ())


def lines(found: Sequence[Finding], *, color: bool) -> bytes:
    """A line a finding, and one for each new command. They aren't folded, so that commands can be copied."""
    from rich.console import Console
    from rich.text import Text

    text = io.StringIO()
    console = Console(force_terminal=color, no_color=not color, highlight=False, file=text)
    width = max(len(printable(finding.what)) for finding in found)
    told: set[str] = set()
    for finding in found:
        level = Text(f"{finding.level:8}", STYLES[finding.level])
        console.print(
            level + f"{printable(finding.what):{width}}  {printable(finding.detail)}", soft_wrap=True
        )
        if finding.mend is not None:
            mend = "as above" if finding.mend in told else printable(finding.mend)
            console.print(Text(f"{'':8}{'':{width}}  mend: {mend}"), soft_wrap=True)
            told.add(finding.mend)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what,
        "level": str(finding.level),
        "detail": finding.detail,
        "mend": finding.mend,
        "facts": dict(finding.facts),
    }
