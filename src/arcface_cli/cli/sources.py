"""What is said of a flag names the variable or the key of the config file that its value came from instead.

Errors arise in many places, which know a value and what is wrong with it, but not who gave it: they name the
flag. Here, on the way to the user, the flag gets the name that the value goes by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from arcface_cli.settings import KNOWN, LoadedSettings, Origin, config_path, option_name, variable_name

_SPOKEN = {option_name(name): name for name, known in KNOWN.items() if known.kind is not Path}
"""Errors on galleries and models folders name the folder; `evaluate` has a flag --gallery of its own."""

_FLAG = re.compile(rf"(?<![^\s(])(?:{'|'.join(_SPOKEN)})(?=[\s:,;)]|$)")
_UNASKED = re.compile(r"\bleave (?P<left>--[a-z-]+) out\b|\bwithout (?P<out>--[a-z-]+)")


class Sources:
    """Where the settings of this run came from."""

    def __init__(self) -> None:
        self._origins: Mapping[str, Origin] = {}

    def go_on_with(self, loaded: LoadedSettings) -> None:
        """Note the origin of every setting."""
        self._origins = loaded.origins

    def message(self, text: str) -> str:
        """`--device gpu: no such device` -> `ARCFACE_DEVICE gpu: ...`, or `PATH: device gpu: ...`."""
        flags = _FLAG.findall(text)
        named = _FLAG.sub(lambda found: self._name(found[0]), text)
        if not any(self._origin(flag) == "config" for flag in flags):
            return named
        begins = text.startswith(flags[0]) and self._origin(flags[0]) == "config"
        return f"{config_path()}: {named}" if begins else f"{named} ({config_path()})"

    def hint(self, text: str) -> str:
        """`leave --tensorrt out` -> `add --no-tensorrt`, where another than the command line asks for it."""
        return _UNASKED.sub(self._undone, text)

    def _origin(self, flag: str) -> Origin:
        return self._origins.get(_SPOKEN.get(flag, ""), "option")

    def _name(self, flag: str) -> str:
        name = _SPOKEN[flag]
        return {"environment": variable_name(name), "config": name}.get(self._origin(flag), flag)

    def _undone(self, found: re.Match[str]) -> str:
        flag = found["left"] or found["out"]
        origin = self._origin(flag)
        if origin not in ("environment", "config"):
            return found[0]
        if found["left"]:  # said of switches that have an opposite
            return f"add --no-{flag.removeprefix('--')}"
        return f"without {self._name(flag)}" + (f" in {config_path()}" if origin == "config" else "")


SOURCES = Sources()
"""The one of this process, as `PASTED` is."""
