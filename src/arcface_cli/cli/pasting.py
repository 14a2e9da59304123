"""Commands that are proposed go on with the gallery and model of this run, so that they work when pasted."""

from __future__ import annotations

import re

from arcface_cli.settings import LoadedSettings, Settings
from arcface_cli.wording import quoted

_COMMAND = re.compile(
    r"""(?<!\w)'[^']*'(?:"'"'[^']*')*"""  # a quoted word: what it holds is a name or a path, no command
    r"|\barcface (?P<verb>gallery [a-z]+|enroll|identify|calibrate)\b"
)
_BY_MODEL = "gallery reembed"


class Pasting:
    """Completes commands in what is told. What a config file says they find themselves: it isn't repeated."""

    def __init__(self) -> None:
        self._gallery = self._model = ""

    def go_on_with(self, loaded: LoadedSettings) -> None:
        """Note what the command line and the environment say, other than what goes without saying."""
        values, said = loaded.values, ("option", "environment")
        usual = values.gallery == Settings().gallery or loaded.origins["gallery"] not in said
        # A shell takes newlines from the end of what printf prints, and a folder may be named with a slash.
        folder = f"{values.gallery}/" if values.gallery.name.endswith("\n") else str(values.gallery)
        self._gallery = "" if usual else f" -g {quoted(folder)}"
        named = values.model is not None and loaded.origins["model"] in said
        self._model = f" -m {quoted(str(values.model))}" if named else ""

    def __call__(self, text: str) -> str:
        """A text with its commands, which `wording.command` made, completed."""
        return _COMMAND.sub(self._completed, text)

    def _completed(self, found: re.Match[str]) -> str:
        if found["verb"] is None:
            return found[0]
        return found[0] + self._gallery + (self._model if found["verb"] == _BY_MODEL else "")


PASTED = Pasting()
"""The one of this process: what is told is told in many places, and all are of one run."""
