"""No output takes the place of what the same run reads, or of a photograph: told before any work."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from arcface_cli.cli.console import STDOUT
from arcface_cli.errors import UsageError
from arcface_cli.settings import option_name

OUTPUTS = ("output", "sheet", "report", "save", "html")
"""Parameters that name a file to write; `align` and `demo` name a folder with the first."""


def spare_inputs(params: Mapping[str, Any]) -> None:
    """Raise UsageError for an output that is there already and that this run reads, or is precious.

    Photographs and lists that were typed are compared by what they lead to. What is found in folders and in
    lists is a photograph, and no output replaces one, whenever it is met (`output.files`).
    """
    _spare_from_stdout(params)
    for name in OUTPUTS:
        path = params.get(name)
        if not isinstance(path, Path) or not os.path.isfile(path):  # noqa: PTH113 - raises for no name
            continue
        from arcface_cli.output.files import require_replaceable  # most runs write to no file that is there

        if any(os.path.samestat(path.stat(), each) for each in _files_typed(params)):
            raise UsageError(
                f"{option_name(name)} {path}: this run reads that file, and would replace it",
                hint="name another file to write",
            )
        require_replaceable(path, picture=name == "sheet")


def _spare_from_stdout(params: Mapping[str, Any]) -> None:
    """The same for `>> FILE`, which a shell opens for us; with `> FILE` it has emptied the file already."""
    try:
        status = os.fstat(STDOUT)
    except OSError:  # closed: for whoever writes there to say
        return
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return
    from arcface_cli.output.files import require_replaceable

    if any(os.path.samestat(status, each) for each in _files_typed(params)):
        raise UsageError(
            "standard output: this run reads the file that it goes to, and would write into it",
            hint="name another file to write",
        )
    require_replaceable(Path(f"/dev/fd/{STDOUT}"), called="standard output")


def _files_typed(params: Mapping[str, Any]) -> Iterator[os.stat_result]:
    """What every other parameter that may be a path leads to, if it does; "-" is standard input."""
    for name, value in params.items():
        if name not in OUTPUTS:
            for each in value if isinstance(value, list | tuple) else [value]:
                if isinstance(each, str | Path):
                    try:
                        yield os.fstat(0) if str(each) == "-" else Path(each).stat()
                    except (OSError, ValueError):  # no file, which is for whoever reads it to say
                        continue
