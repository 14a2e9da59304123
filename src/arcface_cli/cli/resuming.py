"""`--resume`: which inputs an earlier run has done, so that this one begins behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from arcface_cli.cli.tally import Tally
from arcface_cli.errors import UsageError
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.resume import (
    RESUMABLE,
    EarlierRecord,
    ResumableFormat,
    continued,
    cut,
    earlier_columns,
    earlier_records,
    locked_output,
)
from arcface_cli.output.rows import columns_of
from arcface_cli.settings import Format

OTHER_OUTPUT = "name another -o"


def resumable(format_: Format) -> ResumableFormat:
    """The format, if an output in it can be continued. Raises UsageError for another."""
    for name in RESUMABLE:
        if format_ == name:
            return name
    raise UsageError(
        f"--resume can't continue an output in {format_}", hint="write jsonl, csv or tsv, then --resume can"
    )


@dataclass(frozen=True, slots=True)
class Continuation:
    """An output that a run is to continue, and what the run writes into it.

    dimension: of features, if any.  settings: digest of what changes records (`conditions`).
    """

    path: Path
    format: ResumableFormat
    command: str
    dimension: int | None
    settings: str

    def open(self, photos: Iterator[Photo], tally: Tally) -> contextlib.AbstractContextManager[BinaryIO]:
        """The output, locked and cut behind its last whole record, to be continued.

        Takes the inputs that it holds records of off `photos`, and counts them in `tally`. Raises
        UsageError, leaving the output as it is, when this run can't continue it, and OutputError.
        """
        shown = printable(str(self.path))
        stream = locked_output(self.path)
        try:
            self._refuse_other_columns(stream)
            cut(stream, self._skip_done(stream, photos, tally), shown)
        except BaseException:
            stream.close()
            raise
        return continued(stream, shown)

    def _refuse_other_columns(self, stream: BinaryIO) -> None:
        """Two kinds of rows in one file can't be read."""
        if self.format == "jsonl":
            return
        if earlier_columns(stream, self.format) not in (None, columns_of(self.command, self.dimension)):
            raise self._refusal(f"was not written by this arcface {self.command}", hint=OTHER_OUTPUT)

    def _skip_done(self, stream: BinaryIO, photos: Iterator[Photo], tally: Tally) -> int:
        """Returns how many bytes to keep."""
        keep = 0
        for earlier in earlier_records(stream, self.path, self.format):
            self._refuse_other_run(earlier)
            given = tuple(photo.display for photo in islice(photos, len(earlier.inputs)))
            if given != earlier.inputs:
                raise self._refusal(
                    f"goes on with {' and '.join(earlier.inputs)}, "
                    f"the inputs with {' and '.join(given) or 'nothing'}",
                    hint=f"give the same inputs as before, or {OTHER_OUTPUT}",
                )
            tally.add_earlier(earlier.status, earlier.code, matched=earlier.matched)
            keep = earlier.end
        return keep

    def _refuse_other_run(self, earlier: EarlierRecord) -> None:
        if earlier.command not in (None, self.command):
            raise self._refusal(f"was not written by arcface {self.command}", hint=OTHER_OUTPUT)
        if earlier.settings != self.settings:
            raise self._refusal(
                "was made with other settings (model, device, threshold, limits, gallery or version)",
                hint=f"use the settings of the first run, or {OTHER_OUTPUT}",
            )

    def _refusal(self, why: str, hint: str) -> UsageError:
        return UsageError(f"--resume: {printable(str(self.path))} {why}", hint=hint)
