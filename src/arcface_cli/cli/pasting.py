"""Commands that are proposed go on with the gallery and model of this run, so that they work when pasted."""

from __future__ import annotations

import re
import shlex

from arcface_cli.settings import LoadedSettings, Settings

_COMMAND = re.compile(r"\barcface (?P<verb>gallery [a-z]+|enroll|identify|calibrate)\b")
_BY_MODEL = "gallery reembed"


class Pasting:
    """Completes commands in what is told. What a config file says they find themselves: it isn't repeated."""

    def __init__(self) -> None:
        self._gallery = self._model = ""

    def go_on_with(self, loaded: LoadedSettings) -> None:
        """Note what the command line and the environment say, other than what goes without saying."""
        values, said = loaded.values, ("option", "environment")
        usual = values.gallery == Settings().gallery or loaded.origins["gallery"] not in said
        self._gallery = "" if usual else f" -g {shlex.quote(str(values.gallery))}"
        named = values.model is not None and loaded.origins["model"] in said
        self._model = f" -m {shlex.quote(str(values.model))}" if named else ""

    def __call__(self, text: str) -> str:
        """A text with its commands completed."""
        return _COMMAND.sub(self._completed, text)

    def _completed(self, found: re.Match[str]) -> str:
        return found[0] + self._gallery + (self._model if found["verb"] == _BY_MODEL else "")


PASTED = Pasting()
"""The one of this process: what is told is told in many places, and all are of one run."""
