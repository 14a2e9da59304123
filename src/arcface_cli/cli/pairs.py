"""What `verify` needs beyond a batch: two inputs, one answer."""

from __future__ import annotations

import sys

from arcface_cli.cli.build import Workshop
from arcface_cli.cli.console import say, say_error
from arcface_cli.decision import OperatingPoint
from arcface_cli.errors import UsageError
from arcface_cli.faces import Done, Outcome, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.files import telling_output
from arcface_cli.output.records import verified
from arcface_cli.output.sinks import Sink
from arcface_cli.results import PhotoFaces, VerifiedPair
from arcface_cli.workflows.verify import verify

SAME, DIFFERENT = 0, 1


def pair_of(first: str, second: str) -> tuple[Photo, Photo]:
    """Two photographs, which must be files (or - for one of them)."""
    pair = tuple(
        Photo(None, named=True, stream=sys.stdin.buffer) if name == "-" else _file(name)
        for name in (first, second)
    )
    if first == second == "-":
        raise UsageError("- stands for standard input and can be given only once")
    return pair[0], pair[1]


def _file(name: str) -> Photo:
    from pathlib import Path

    return Photo(Path(name), named=True)


def answer(
    shop: Workshop, photos: tuple[Photo, Photo], point: OperatingPoint, sink: Sink, *, quiet: bool
) -> int:
    """Write the record of the pair; return the status that says same, different, or why neither."""
    (_, first), (_, second) = shop.results()
    outcome = verify(first, second, point)
    with telling_output("the output"):
        sink.write(verified(shop.run, photos, outcome, point))
    if not quiet:
        for photo, seen in zip(photos, (first, second), strict=True):
            _mention_others(photo, seen)
    return _status(outcome)


def _mention_others(photo: Photo, seen: Outcome[PhotoFaces]) -> None:
    """The answer hangs on which face was compared, so say when there was a choice."""
    if isinstance(seen, Done) and seen.value.found > 1:
        say(f"{photo.display}: {seen.value.found} faces; took the one at {_place(seen.value)} (see --faces)")


def _place(seen: PhotoFaces) -> str:
    x, y = seen.faces[0].box.center
    return f"x {x:.0f}, y {y:.0f}"


def _status(outcome: Outcome[VerifiedPair]) -> int:
    if isinstance(outcome, Done):
        return SAME if outcome.value.same_person else DIFFERENT
    error = outcome.reason if isinstance(outcome, Skipped) else outcome.error
    say_error(error)
    return error.exit_status
