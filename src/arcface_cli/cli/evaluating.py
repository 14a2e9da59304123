"""What `evaluate` does once its flags are read: find the protocol, embed, count, tell."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arcface_cli import __version__
from arcface_cli.cli import build
from arcface_cli.cli.console import data_stream, is_terminal, say, wants_color
from arcface_cli.cli.embedding import Embedder, People, people_of, shown_crop, shown_photo
from arcface_cli.decision import OperatingPoint
from arcface_cli.errors import NoInputs, NoOperatingPoint, UsageError
from arcface_cli.evaluation import assertions
from arcface_cli.evaluation.comparison import compare
from arcface_cli.evaluation.histogram import ScoreCounts
from arcface_cli.inputs.bins import read_bin
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.open_set import check_enrolled, read_attributes, read_people
from arcface_cli.inputs.pair_lists import read_pairs
from arcface_cli.output.evaluation_tables import Table, percent, tables
from arcface_cli.output.files import whole_file
from arcface_cli.output.records import threshold as threshold_record
from arcface_cli.output.report import require_report, write_report
from arcface_cli.output.runs import load_run, save_run
from arcface_cli.settings import LoadedSettings, Settings
from arcface_cli.wording import counted
from arcface_cli.workflows import evaluate as workflow

_ABOUT = ("data", "model", "detector", "fingerprint", "date")

Show = Callable[[int], bytes | None]
"""A PNG of an item, by number."""


@dataclass(frozen=True, slots=True)
class Request:
    """The flags of `evaluate` that say what to evaluate."""

    source: Path | None
    pairs: Path | None
    gallery: Path | None
    probes: Path | None
    enroll: int | None
    strangers: Path | None
    distractors: Path | None
    sizes: str | None
    attributes: Path | None
    by: str | None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation, what it is of, and how to show an item.

    names: of the items.  detected: whether our detector found the faces; those of a .bin are cut already.
    """

    outcome: workflow.Evaluation
    data: str
    names: tuple[str, ...]
    show: Show
    detected: bool = True


def evaluated(request: Request, embedder: Embedder, threshold: float | None) -> Evaluated:
    """Run the protocol that the flags name. Raises UsageError for flags that name none, or two."""
    _check_together(request)
    attributes = _attributes(request)
    if request.gallery is not None or request.probes is not None:
        return _open_set(request, embedder, threshold, attributes)
    if request.source is None:
        raise NoInputs(
            "nothing to evaluate was named",
            hint="name a folder of people, a FILE.bin, or --pairs FILE FOLDER; see arcface evaluate --help",
        )
    if request.pairs is not None:
        return _pairs(request.pairs, request.source, embedder, threshold, attributes)
    if request.source.suffix.lower() == ".bin":
        return _bin(request.source, embedder, threshold)
    if request.enroll is not None:
        return _split(request, embedder, threshold, attributes)
    return _folder(request.source, embedder, threshold, attributes)


def _check_together(request: Request) -> None:
    """Flags of which one would be passed over in silence are refused."""
    searched = request.gallery is not None or request.probes is not None
    protocols = {
        "--pairs": request.pairs is not None,
        "--gallery": searched,
        "--enroll": request.enroll is not None,
    }
    named = [flag for flag, given in protocols.items() if given]
    if len(named) > 1:
        raise UsageError(f"{named[0]} and {named[1]} are two ways to evaluate", hint="give one")
    searches = searched or request.enroll is not None
    for flag, given in (("--strangers", request.strangers), ("--distractors", request.distractors)):
        if given is not None and not searches:
            raise UsageError(f"{flag} needs searches", hint="add --enroll K, or --gallery FILE --probes FILE")
    if request.sizes is not None and request.distractors is None:
        raise UsageError("--sizes says how many of --distractors", hint="add --distractors DIR")
    crops = request.source is not None and request.source.suffix.lower() == ".bin"
    if crops and (named or request.attributes is not None):
        raise UsageError(
            f"{printable(str(request.source))} lists its pairs itself and names nobody",
            hint="leave out " + (named[0] if named else "--attributes and --by"),
        )


def _attributes(request: Request) -> Mapping[str, str] | None:
    if (request.attributes is None) != (request.by is None):
        raise UsageError("--attributes FILE and --by COLUMN go together", hint="give both")
    if request.attributes is None or request.by is None:
        return None
    return read_attributes(request.attributes, request.by)


def _pairs(
    path: Path,
    folder: Path,
    embedder: Embedder,
    threshold: float | None,
    attributes: Mapping[str, str] | None,
) -> Evaluated:
    pairs = read_pairs(path, folder)
    templates = embedder.photos(pairs.items)
    outcome = workflow.of_pairs(pairs, templates, threshold, attributes)
    data = f"{counted(len(pairs.same), 'pair')} of {printable(str(path))}"
    return Evaluated(
        outcome, data, _printable(pairs.items), lambda i: shown_photo(pairs.items[i], templates, i)
    )


def _bin(path: Path, embedder: Embedder, threshold: float | None) -> Evaluated:
    crops, pairs = (found := read_bin(path)).crops, found.pairs
    names = _printable(pairs.items)
    outcome = workflow.of_pairs(pairs, embedder.crops(crops, names), threshold)
    data = f"{counted(len(pairs.same), 'pair')} of {printable(str(path))}, crops as published"
    return Evaluated(outcome, data, names, lambda i: shown_crop(crops[i], names[i]), detected=False)


def _folder(
    folder: Path, embedder: Embedder, threshold: float | None, attributes: Mapping[str, str] | None
) -> Evaluated:
    people = people_of(folder)
    templates = embedder.photos(people.paths)
    begun = time.monotonic()
    outcome = workflow.of_folder(people.names, templates, threshold, attributes)
    if isinstance(outcome.run, ScoreCounts):
        total = outcome.run.genuines + outcome.run.impostors
        say(f"{counted(total, 'comparison')} counted in {time.monotonic() - begun:.1f} s")
    data = f"all pairs of {counted(len(people.paths), 'photograph')} in {printable(str(folder))}"
    return Evaluated(
        outcome, data, _printable(people.paths), lambda i: shown_photo(people.paths[i], templates, i)
    )


def _split(
    request: Request, embedder: Embedder, threshold: float | None, attributes: Mapping[str, str] | None
) -> Evaluated:
    folder, enroll = request.source, request.enroll
    if folder is None or enroll is None or enroll < 1:
        raise UsageError("--enroll K takes a folder of people, and K is 1 or more")
    people = people_of(folder)
    listed = workflow.split(people.names, enroll)
    first = "the first photograph" if enroll == 1 else f"the first {enroll} photographs"
    data = f"{printable(str(folder))}, {first} of each person enrolled"
    return _searched(request, embedder, threshold, attributes, people.paths, listed, data)


def _open_set(
    request: Request, embedder: Embedder, threshold: float | None, attributes: Mapping[str, str] | None
) -> Evaluated:
    if request.gallery is None or request.probes is None or request.source is None:
        raise UsageError("--gallery FILE, --probes FILE and the FOLDER of their photographs go together")
    gallery, probes = (read_people(each, request.source) for each in (request.gallery, request.probes))
    check_enrolled(gallery, probes)
    listed = workflow.OpenSet(
        tuple(range(len(gallery))),
        tuple(each.person for each in gallery),
        tuple(range(len(gallery), len(gallery) + len(probes))),
        tuple(each.person for each in probes),
    )
    paths = tuple(each.path for each in (*gallery, *probes))
    data = f"{printable(str(request.gallery))} searched with {printable(str(request.probes))}"
    return _searched(request, embedder, threshold, attributes, paths, listed, data)


def _searched(
    request: Request, embedder: Embedder, threshold: float | None, attributes: Mapping[str, str] | None,
    paths: tuple[Path, ...], people: workflow.OpenSet, data: str,
) -> Evaluated:  # fmt: skip
    if request.strangers is not None:
        strangers = people_of(request.strangers)
        places = range(len(paths), len(paths) + len(strangers.paths))
        people = workflow.with_strangers(people, places, _apart(strangers, people))
        paths = (*paths, *strangers.paths)
        data += f", and strangers of {printable(str(request.strangers))}"
    templates = embedder.photos(paths)
    distractors, sizes = None, []
    if request.distractors is not None:
        further = embedder.photos(_all_photos(request.distractors))
        distractors = further.features[~further.failed]
        distractors = distractors[np.random.default_rng(0).permutation(len(distractors))]
        sizes = _sizes(request.sizes, len(distractors))
        data += f", among {len(distractors):,} distractors of {printable(str(request.distractors))}"
    outcome = workflow.of_open_set(people, templates, threshold, attributes, distractors, sizes)
    return Evaluated(outcome, data, _printable(paths), lambda i: shown_photo(paths[i], templates, i))


def _apart(strangers: People, people: workflow.OpenSet) -> list[str]:
    """Strangers' names; one who is called as somebody enrolled would be searched for as that person."""
    both = sorted(set(strangers.names) & set(people.gallery_people))
    if both:
        raise UsageError(f"{printable(both[0])} is among the strangers and enrolled too", hint="rename one")
    return list(strangers.names)


def _all_photos(folder: Path) -> list[Path]:
    from arcface_cli.inputs.folders import photos

    found = []
    for photo in photos([folder], recursive=True):
        if photo.failure is not None:
            raise photo.failure
        if photo.path is not None:
            found.append(photo.path)
    return found


def _sizes(text: str | None, most: int) -> list[int]:
    """The numbers of distractors to search among. Raises UsageError."""
    if text is None:
        return [size for size in (10, 100, 1_000, 10_000, 100_000, 1_000_000) if size < most] + [most]
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and 0 < int(word) <= most for word in words):
        raise UsageError(f"--sizes {text!r}: must be numbers from 1 to {most:,}, separated by commas")
    return sorted({int(word) for word in words})


def _printable(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(printable(str(path)) for path in paths)


# --- the answer --------------------------------------------------------------------------------------


def threshold_of(loaded: LoadedSettings) -> OperatingPoint | None:
    """The user's threshold or the catalogue's; None where there is neither."""
    try:
        return build.operating_point(loaded)
    except NoOperatingPoint:
        return None


def answer(
    request: Request, embedder: Embedder, point: OperatingPoint | None, settings: Settings,
    claims: Sequence[str], output: Path | None, report: Path | None, save: Path | None,
) -> int:  # fmt: skip
    """Evaluate, write what was asked for, and return the status that says whether every claim holds."""
    parsed = [assertions.parse(claim) for claim in claims]
    _require_format(settings)
    if report is not None:
        require_report()
    begun = time.monotonic()
    found = evaluated(request, embedder, None if point is None else point.threshold)
    told = document(found, embedder, point, time.monotonic() - begun)
    told["assertions"] = checked(parsed, found.outcome.run)
    if save is not None:
        save_run(save, found.outcome.run, {key: told[key] for key in _ABOUT})
    if report is not None:
        write_report(report, told, _pictures(found))
    write_answer(told, settings, output)
    return tell_claims(told["assertions"])


def _pictures(found: Evaluated) -> list[tuple[bytes | None, bytes | None]]:
    return [(found.show(pair.first), found.show(pair.second)) for pair in found.outcome.worst]


def document(
    found: Evaluated, embedder: Embedder, point: OperatingPoint | None, seconds: float
) -> dict[str, Any]:
    """The whole answer as plain values."""
    return {
        "schema": 1,
        "command": "evaluate",
        "data": found.data,
        "model": embedder.model.name,
        "recogniser": embedder.model.recogniser.entry.name,
        "detector": embedder.detector if found.detected else None,
        "fingerprint": embedder.fingerprint.short,
        "version": __version__,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "threshold": None if point is None else threshold_record(point),
        "inferences": embedder.inferences,
        "seconds": round(seconds, 3),
        **found.outcome.figures,
        "worst": [
            {**asdict(pair), "first": found.names[pair.first], "second": found.names[pair.second]}
            for pair in found.outcome.worst
        ],
    }


def checked(claims: Sequence[assertions.Assertion], run: assertions.Run) -> list[dict[str, Any]]:
    """Each claim with its value, and whether it holds."""
    results = []
    for claim in claims:
        value = assertions.value_of(claim, run)
        results.append({"claim": claim.text, "value": value, "holds": claim.holds(value)})
    return results


def tell_claims(results: Sequence[Mapping[str, Any]]) -> int:
    """One line a claim that doesn't hold; 1 if there is one."""
    broken = [each for each in results if not each["holds"]]
    for each in broken:
        say(f"does not hold: {each['claim']} (it is {percent(each['value'])})")
    return 1 if broken else 0


def _require_format(settings: Settings) -> None:
    if settings.format not in (None, "json", "jsonl", "table"):
        raise UsageError(
            f"--format {settings.format}: figures can't be written so", hint="use table, json or jsonl"
        )


def write_answer(answer: Mapping[str, Any], settings: Settings, output: Path | None) -> None:
    """To a file as JSON, else to stdout: tables on a terminal, one JSON object otherwise."""
    form = settings.format
    text = json.dumps(answer, ensure_ascii=False, indent=2 if form == "json" or output else None)
    if output is not None:
        with whole_file(output) as file:
            file.write(text.encode() + b"\n")
        return
    shown = form == "table" or (form is None and is_terminal())
    color = is_terminal() and wants_color()
    with data_stream() as stream:
        stream.write(_text(tables(answer), color=color) if shown else text.encode() + b"\n")
        stream.flush()


def _text(found: Sequence[Table], *, color: bool) -> bytes:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    text = io.StringIO()
    console = Console(width=120, force_terminal=color, no_color=not color, highlight=False, file=text)
    for _, rows in found:
        grid = RichTable(box=None, pad_edge=False, header_style="bold")
        for column in rows[0]:
            grid.add_column(column, overflow="fold")
        for row in rows:
            grid.add_row(*(Text(cell) for cell in row.values()))
        console.print(grid)
        console.print()
    return text.getvalue().encode("utf-8", "backslashreplace")


def compared(first: Path, second: Path, settings: Settings, output: Path | None) -> int:
    """Two saved runs side by side."""
    (one, about_one), (other, about_other) = load_run(first), load_run(second)
    rows = compare(one, other)
    answer = {"schema": 1, "command": "evaluate --compare", "first": about_one, "second": about_other}
    if output is not None or settings.format in ("json", "jsonl") or not (
        settings.format == "table" or is_terminal()
    ):  # fmt: skip
        write_answer({**answer, "figures": rows}, settings, output)
        return 0
    cells = [
        {
            "figure": row["figure"],
            "first": percent(row["first"]),
            "second": percent(row["second"]),
            "second - first": percent(row["difference"]) if row["difference"] >= 0
            else f"-{percent(-row['difference'])}",
            "95 % interval": f"{row['low']:+.4f} to {row['high']:+.4f}",
            "differ": "yes" if row["differ"] else "can't be told",
        }
        for row in rows
    ]  # fmt: skip
    with data_stream() as stream:
        stream.write(_text([("", cells)], color=is_terminal() and wants_color()))
    return 0
