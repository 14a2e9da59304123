"""Running a verb over its inputs: records to their sink, words to people, a status in the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from arcface_cli.cli.console import data_stream, is_terminal, say, say_error, wants_color
from arcface_cli.cli.pasting import PASTED
from arcface_cli.cli.stopping import STOP
from arcface_cli.cli.tally import Tally
from arcface_cli.errors import DuplicatePhoto, RefusedBefore, UsageError
from arcface_cli.faces import Done, Failed, Outcome, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.files import output_file, telling_output
from arcface_cli.output.records import Record, has_match
from arcface_cli.output.sinks import NullSink, Sink, make_sink
from arcface_cli.settings import Format, Settings

SUFFIX_FORMATS: dict[str, Format] = {
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".npz": "npz",
    ".npy": "npy", ".parquet": "parquet", ".pq": "parquet", ".txt": "table",
}  # fmt: skip


BINARY: tuple[Format, ...] = ("npz", "npy", "parquet")


class Given(Protocol):
    """What a record is written for: a photograph, or a pair of them."""

    @property
    def named(self) -> bool:
        """Whether it was typed on the command line."""
        ...


Input = TypeVar("Input", bound=Given)


@dataclass(frozen=True, slots=True)
class Target:
    """Where records go and in which form.

    command: names the columns.  dimension: of features, if any.  status_only: the exit status is an answer.
    """

    command: str
    settings: Settings
    output: Path | None = None
    dimension: int | None = None
    status_only: bool = False

    @property
    def silent(self) -> bool:
        """Whether -q leaves only the exit status: where that is the answer and nobody named a format."""
        unasked = self.settings.format is None and self.output is None
        return self.status_only and self.settings.quiet and unasked

    def resume(
        self, photos: Iterator[Photo], tally: Tally, settings: str
    ) -> contextlib.AbstractContextManager[BinaryIO]:
        """The output, to be continued; the inputs that it already has are taken off `photos` and counted.

        settings: digest of what changes records. Raises UsageError when it is nothing that this run could
        continue, OutputError when it can't be written.
        """
        from arcface_cli.cli.resuming import Continuation, resumable

        if self.output is None:
            raise UsageError("--resume needs an output to go on with", hint="name it with -o FILE")
        format_ = resumable(self.format_for(terminal=False))
        going_on = Continuation(self.output, format_, self.command, self.dimension, settings)
        return going_on.open(photos, tally)

    def format_for(self, *, terminal: bool) -> Format:
        """What was asked for, else what the file's suffix says, else what suits the reader."""
        if self.settings.format is not None:
            return self.settings.format
        if self.output is not None:
            return SUFFIX_FORMATS.get(self.output.suffix.lower(), "jsonl")
        return "table" if terminal else "jsonl"


@dataclass(slots=True)
class Batch:
    """One run of a verb over many inputs.

    count: says how many inputs there are, where that can be found out beside the work.  one_is_enough: end
    with the first match.
    """

    settings: Settings
    fail_fast: bool = False
    verbosity: int = 0
    count: Callable[[], int] | None = None
    one_is_enough: bool = False
    tally: Tally = field(default_factory=Tally)
    started: float = field(default_factory=time.monotonic)

    def run(
        self,
        sink: Sink,
        results: Iterable[tuple[Input, Outcome[Any]] | None],
        record_of: Callable[[Input, Outcome[Any]], Record],
    ) -> None:
        """Write the record of every result; tell of those that are no success. None: none for the moment."""
        with contextlib.closing(_as_generator(results)) as stream, self._progress(sink) as advance:
            for result in stream:
                if result is None:
                    STOP.go_on()
                    continue
                given, outcome = result
                record = _with_hint_to_paste(record_of(given, outcome))
                with telling_output("the output"):
                    sink.write(record)
                self._count(given, outcome, record)
                advance(self.tally)
                STOP.go_on()
                if self.fail_fast and isinstance(outcome, Failed):
                    say("stopped at the first failure, as --fail-fast asks")
                    return
                if self.one_is_enough and self.tally.matches:
                    return

    def finish(self, command: str, *, unanswered: bool = False, what: str = "photograph") -> None:
        """The summary line, where there is more than one input to sum up.

        unanswered: neither a record nor the exit status says why there is no answer, so -q doesn't hush it.
        """
        if self.tally.total != 1 and (unanswered or not self.settings.quiet):
            say(self.tally.summary(command, time.monotonic() - self.started, what))
        elif unanswered and self.settings.quiet and self.tally.only is not None:
            say_error(self.tally.only)

    def _count(self, given: Given, outcome: Outcome[Any], record: Record) -> None:
        match outcome:
            case Done():
                self.tally.done += 1
                self.tally.faces += len(record.get("faces", ()))
                self.tally.matches += has_match(record)
                return
            case Skipped(reason):
                self.tally.add_skipped(reason, named=given.named)
            case Failed(reason):
                self.tally.add_failed(reason, named=given.named)
        # What is enrolled or was refused already needs nobody's attention again: the summary counts it.
        if not (self.settings.quiet or isinstance(reason, DuplicatePhoto | RefusedBefore)):
            say_error(reason)

    def _progress(self, sink: Sink) -> contextlib.AbstractContextManager[Callable[[Tally], None]]:
        from arcface_cli.cli.progress import batch_progress

        # Records that scroll by on the terminal show how far the run is, and a bar would break their lines.
        unwanted = self.settings.quiet or self.settings.no_progress or sink.scrolls
        return batch_progress(bar=not unwanted, lines=self.verbosity > 0, count=self.count)


@contextlib.contextmanager
def open_sink(
    target: Target, earlier: contextlib.AbstractContextManager[BinaryIO] | None = None
) -> Iterator[Sink]:
    """A sink on stdout, or on a file that appears only when the block ends well.

    earlier: the file that is continued instead (see `Target.resume`).
    """
    # Asked first: inside data_stream, file descriptor 1 is stderr, which may be another kind of file.
    terminal = target.output is None and is_terminal()
    form = target.format_for(terminal=is_terminal())
    if terminal and form in BINARY:
        raise UsageError(f"{form} is nothing to read on a terminal", hint=f"use -o FILE.{form}, or a pipe")
    color = terminal and wants_color()
    with contextlib.ExitStack() as stack:
        if target.silent:
            stack.enter_context(data_stream())
            yield NullSink()
            return
        # What native libraries print must not reach stdout, even when the data goes elsewhere.
        stream = stack.enter_context(data_stream())
        if target.output is not None:
            stream = stack.enter_context(output_file(target.output, earlier))
        sink = make_sink(
            form,
            stream,
            target.command,
            dimension=target.dimension,
            width=None if terminal else 160,
            color=color,
            output=target.output,
        )
        sink.scrolls = terminal and form != "table"
        yield sink
        with telling_output("the output"):
            sink.close()


def _with_hint_to_paste(record: Record) -> Record:
    error = record.get("error")
    if error is None or error["hint"] is None:
        return record
    return record | {"error": error | {"hint": PASTED(error["hint"])}}


def _as_generator(
    results: Iterable[tuple[Input, Outcome[Any]] | None],
) -> Generator[tuple[Input, Outcome[Any]] | None, None, None]:
    """A generator, so that leaving early closes everything behind it."""
    yield from results
