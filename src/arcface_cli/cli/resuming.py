"""`--resume`: which inputs an earlier run has done, so that this one begins behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from arcface_cli.cli.tally import Tally
from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.resume import (
    RESUMABLE,
    ResumableFormat,
    earlier_columns,
    earlier_conditions,
    earlier_records,
)
from arcface_cli.output.rows import columns_of
from arcface_cli.settings import Format


def resumable(format_: Format) -> ResumableFormat:
    """The format, if an output in it can be continued. Raises UsageError for another."""
    for name in RESUMABLE:
        if format_ == name:
            return name
    raise UsageError(
        f"--resume can't continue an output in {format_}", hint="write jsonl, csv or tsv, then --resume can"
    )


def refuse_other_command(path: Path, format_: ResumableFormat, command: str, dimension: int | None) -> None:
    """Raise UsageError when `path` holds another command's records: two kinds in one file can't be read."""
    if format_ == "jsonl":
        conditions = earlier_conditions(path)
        same = conditions is None or conditions["command"] in (command, None)
    else:
        columns = earlier_columns(path, format_)
        same = columns in (None, columns_of(command, dimension))
    if not same:
        raise UsageError(
            f"--resume: {printable(str(path))} was not written by arcface {command}",
            hint="name another -o",
        )


def skip_done(photos: Iterator[Photo], path: Path, format_: ResumableFormat, tally: Tally) -> int:
    """Take the inputs that `path` holds records of off `photos`, and count them in `tally`.

    Returns how many bytes of `path` to keep. Raises UsageError when its records are of other inputs.
    """
    keep = 0
    for earlier in earlier_records(path, format_):
        photo = next(photos, None)
        if photo is None or photo.display != earlier.input:
            named = "nothing" if photo is None else photo.display
            raise UsageError(
                f"--resume: {printable(str(path))} goes on with {earlier.input}, the inputs with {named}",
                hint="give the same inputs as before, or another -o",
            )
        tally.add_earlier(earlier.status, earlier.code, matched=earlier.matched)
        keep = earlier.end
    return keep
