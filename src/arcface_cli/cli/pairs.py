"""What `verify` needs beyond a batch: photographs two by two, an answer each."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from arcface_cli.cli.build import Workshop
from arcface_cli.cli.console import say, say_error
from arcface_cli.cli.progress import batch_progress
from arcface_cli.cli.stopping import STOP
from arcface_cli.cli.tally import Tally
from arcface_cli.decision import OperatingPoint
from arcface_cli.errors import UsageError
from arcface_cli.faces import Done, Outcome, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.files import telling_output
from arcface_cli.output.records import verified
from arcface_cli.output.sinks import Sink
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import PhotoFaces, VerifiedPair
from arcface_cli.settings import Settings
from arcface_cli.workflows.verify import verify


def photos_of(first: str | None, second: str | None, table: Path | None) -> Iterator[Photo]:
    """The photographs to compare, two by two: A and B, or those of a table of pairs."""
    if table is not None:
        if first is not None:
            raise UsageError(
                "--pairs says what to compare, so it goes without A and B", hint="give one of them"
            )
        from arcface_cli.inputs.pairs import pairs

        return chain.from_iterable(pairs(table))
    if first is None or second is None:
        raise UsageError("two photographs are needed", hint="name A and B, or a table of pairs with --pairs")
    if first == second == "-":
        raise UsageError("- stands for standard input and can be given only once")
    return iter([_photo(first), _photo(second)])


def _photo(name: str) -> Photo:
    """A file (or - for standard input) that was typed."""
    return Photo(None, named=True, stream=sys.stdin.buffer) if name == "-" else Photo(Path(name), named=True)


def answer(shop: Workshop, point: OperatingPoint, sink: Sink, settings: Settings, *, several: bool) -> int:
    """Write a record a pair; return the status that says same, different, or why neither."""
    tally, started = Tally(), time.monotonic()
    bar = several and not (settings.quiet or settings.no_progress or sink.scrolls)
    with batch_progress(bar=bar, lines=False, count=None) as advance:
        for (photo, first), (other, second) in _two_by_two(shop.results()):
            outcome = verify(first, second, point)
            with telling_output("the output"):
                sink.write(verified(shop.run, (photo, other), outcome, point))
            _count(outcome, tally, named=photo.named, quiet=settings.quiet and several)
            if not (settings.quiet or several):
                _mention_others(photo, first)
                _mention_others(other, second)
            advance(tally)
            STOP.go_on()
    if several and not settings.quiet:
        say(tally.summary("verify", time.monotonic() - started, what="pair"))
    return tally.status(every=True)


def _two_by_two(results: Iterator[PhotoOutcome]) -> Iterator[tuple[PhotoOutcome, PhotoOutcome]]:
    for first in results:
        yield first, next(results)


def _count(outcome: Outcome[VerifiedPair], tally: Tally, *, named: bool, quiet: bool) -> None:
    if isinstance(outcome, Done):
        tally.done += 1
        tally.matches += outcome.value.same_person
        return
    if isinstance(outcome, Skipped):
        error = outcome.reason
        tally.add_skipped(error, named=named)
    else:
        error = outcome.error
        tally.add_failed(error, named=named)
    if not quiet:
        say_error(error)


def _mention_others(photo: Photo, seen: Outcome[PhotoFaces]) -> None:
    """The answer hangs on which face was compared, so say when there was a choice."""
    if isinstance(seen, Done) and seen.value.found > 1:
        say(f"{photo.display}: {seen.value.found} faces; took the one at {_place(seen.value)} (see --faces)")


def _place(seen: PhotoFaces) -> str:
    x, y = seen.faces[0].box.center
    return f"x {x:.0f}, y {y:.0f}"
