"""What `verify` needs beyond a batch: photographs two by two, an answer each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from arcface_cli.cli import build
from arcface_cli.cli.batch import Batch, Target, open_sink
from arcface_cli.cli.conditions import verifying
from arcface_cli.cli.console import say
from arcface_cli.cli.spoken import check_said
from arcface_cli.decision import OperatingPoint
from arcface_cli.errors import UsageError
from arcface_cli.faces import Done, Outcome
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.records import verified
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.results import PhotoFaces, VerifiedPair
from arcface_cli.workflows.verify import verify


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs, and what became of each."""

    first: PhotoOutcome
    second: PhotoOutcome

    @property
    def photos(self) -> tuple[Photo, Photo]:
        """Both, as they were named."""
        return self.first[0], self.second[0]

    @property
    def named(self) -> bool:
        """Whether they were typed on the command line."""
        return self.first[0].named


def verify_photographs(params: dict[str, Any]) -> int:
    """Compare what the parameters of `verify` name; return the exit status."""
    build.require_runtime()
    loaded = build.settings_from(params)
    table: Path | None = params["pairs"]
    settings, photos = loaded.values, photos_of(params["first"], params["second"], table)
    check_said(loaded, yes=params["yes"])
    point = build.operating_point(loaded)
    alone = table is None
    shown = replace(settings, no_progress=True) if alone else settings
    work = Batch(shown, params["fail_fast"], params["verbose"])
    target = Target("verify", settings, params["output"], status_only=True)
    made_with = None if alone else verifying(settings, point)  # which takes time, and one pair is no batch
    earlier = None
    if params["resume"]:
        if made_with is None:
            raise UsageError(
                "--resume goes on in a table of pairs", hint="give one with --pairs, or leave it out"
            )
        earlier = target.resume(photos, work.tally, made_with)
    with open_sink(target, earlier) as sink:
        shop = build.workshop(
            "verify",
            settings,
            photos,
            recognise=True,
            faces="largest",
            verbosity=work.verbosity,
            made_with=made_with,
            streamed=build.is_streamed(params),
        )
        answers = _answers(shop.results_with_pauses(), point, choices=alone and not settings.quiet)
        work.run(sink, answers, lambda pair, answer: verified(shop.run, pair.photos, answer, point))
    work.finish("verify", unanswered=alone, what="pair")
    return work.tally.status(every=True)


def photos_of(first: str | None, second: str | None, table: Path | None) -> Iterator[Photo]:
    """The photographs to compare, two by two: A and B, or those of a table of pairs."""
    if table is not None:
        if first is not None:
            raise UsageError(
                "--pairs says what to compare, so it goes without A and B", hint="give one of them"
            )
        from arcface_cli.inputs.pairs import pairs

        return chain.from_iterable(pairs(table, sys.stdin.buffer))
    if first is None or second is None:
        raise UsageError("two photographs are needed", hint="name A and B, or a table of pairs with --pairs")
    if first == second == "-":
        raise UsageError("- stands for standard input and can be given only once")
    return iter([_photo(first), _photo(second)])


def _photo(name: str) -> Photo:
    """A file (or - for standard input) that was typed."""
    return Photo(None, named=True, stream=sys.stdin.buffer) if name == "-" else Photo(Path(name), named=True)


def _answers(
    results: Iterable[PhotoOutcome | None], point: OperatingPoint, *, choices: bool
) -> Iterator[tuple[Pair, Outcome[VerifiedPair]] | None]:
    """An answer a pair; None: none for the moment. choices: say which face was compared of several."""
    for pair in _two_by_two(results):
        if pair is None:
            yield None
            continue
        yield pair, verify(pair.first[1], pair.second[1], point)
        if choices:
            for photo, seen in (pair.first, pair.second):
                _mention_others(photo, seen)


def _two_by_two(results: Iterable[PhotoOutcome | None]) -> Iterator[Pair | None]:
    waiting: list[PhotoOutcome] = []
    for result in results:
        if result is None:
            yield None
            continue
        waiting.append(result)
        if len(waiting) == 2:
            yield Pair(*waiting)
            waiting = []


def _mention_others(photo: Photo, seen: Outcome[PhotoFaces]) -> None:
    """The answer hangs on which face was compared, so say when there was a choice."""
    if isinstance(seen, Done) and seen.value.found > 1:
        say(f"{photo.display}: {seen.value.found} faces; took the one at {_place(seen.value)} (see --faces)")


def _place(seen: PhotoFaces) -> str:
    x, y = seen.faces[0].box.center
    return f"x {x:.0f}, y {y:.0f}"
