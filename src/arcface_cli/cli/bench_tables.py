"""The answer of `arcface bench` as a table, JSON, JSON Lines, CSV or TSV."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from arcface_cli.cli.console import data_stream, is_terminal, wants_color
from arcface_cli.cli.listing import separated
from arcface_cli.output.files import telling_output, whole_file
from arcface_cli.settings import Format, Settings
from arcface_cli.wording import counted

UNITS = {"photograph": "photographs/s", "face": "faces/s", "search": "searches/s"}
SUFFIXES: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".txt": "table", ".jsonl": "jsonl"}


@contextlib.contextmanager
def opened(settings: Settings, output: Path | None) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Where the answer goes, tried before anything is measured; the block gets a function that writes it.

    To a file by default as JSON; on a terminal as a table; else as one line of JSON.
    """
    form, terminal = settings.format, is_terminal()
    color = terminal and wants_color()
    if output is not None:
        usual = SUFFIXES.get(output.suffix.lower(), "json")
        with whole_file(output) as file:
            yield lambda answer: _write(file, _text(answer, usual if form is None else form))
        return
    usual = "table" if terminal else "jsonl"
    with data_stream() as stream:
        yield lambda answer: _write(stream, _text(answer, usual if form is None else form, color=color))


def _write(stream: BinaryIO, text: bytes) -> None:
    with telling_output("the output"):
        stream.write(text)
        stream.flush()


def _text(answer: Mapping[str, Any], form: Format, *, color: bool = False) -> bytes:
    if form in ("csv", "tsv"):
        return separated(answer["stages"], "," if form == "csv" else "\t")
    if form == "table":
        text = table(answer, color=color)
    else:
        text = json.dumps(answer, ensure_ascii=False, indent=2 if form == "json" else None) + "\n"
    return text.encode("utf-8", "backslashreplace")


def table(answer: Mapping[str, Any], *, color: bool) -> str:
    """Where and on what, then a row a stage."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("stage", *UNITS.values(), "ms each", "share of ceiling"):
        left = column in ("stage", "share of ceiling")
        grid.add_column(column, justify="left" if left else "right", no_wrap=True)
    for stage in answer["stages"]:
        grid.add_row(*_cells(stage, answer["batch"]))
    text = io.StringIO()
    console = Console(width=120, force_terminal=color, no_color=not color, highlight=False, file=text)
    for line in _heading(answer):
        console.print(line, markup=False, soft_wrap=True)
    console.print()
    console.print(grid)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _heading(answer: Mapping[str, Any]) -> list[str]:
    machine, versions, photographs = answer["machine"], answer["versions"], answer["photographs"]
    runtime = versions.get("onnxruntime-gpu", versions.get("onnxruntime", "?"))
    where = machine["processor"] if machine["gpu"] is None else f"{machine['gpu']}, {machine['processor']}"
    ceilings, gflop = answer["ceilings"], answer["recogniser_gflop"]
    arithmetic = "" if gflop is None else f" of {gflop:.3g} GFLOP a face"
    return [
        f"{where}, {counted(machine['cores'], 'core')}; {answer['device']}, ONNX Runtime {runtime}, "
        f"arcface {versions['arcface']}",
        f"{answer['detector']} finds, {answer['recogniser']}{arithmetic} recognises, {answer['precision']}"
        f"{'' if answer['tensorrt'] is None else ' by TensorRT ' + answer['tensorrt']}; "
        f"batch {answer['batch']}, {counted(answer['jobs'], 'photograph')} at once",
        f"{_source(photographs)} of {photographs['megapixels']:.2g} megapixels "
        f"with {counted(photographs['faces'], 'face')}; {counted(answer['templates'], 'made-up template')}, "
        f"{answer['index_type']}",
        f"ceilings: matrix product {ceilings['matrix_gflop_per_second']:,.4g} GFLOP/s, "
        f"copy {ceilings['copy_gb_per_second']:,.4g} GB/s",
    ]


def _source(photographs: Mapping[str, Any]) -> str:
    count: int = photographs["count"]
    drawn = photographs["source"] == "drawn"
    return counted(count, "drawn photograph") if drawn else f"{count:,} of the named photographs,"


def _cells(stage: Mapping[str, Any], batch: int) -> list[str]:
    rates = dict.fromkeys(UNITS, "")
    rates[stage["unit"]] = _number(stage["per_second"])
    if stage["faces_per_second"] is not None:  # each is searched for
        rates["face"] = rates["search"] = _number(stage["faces_per_second"])
    share = "" if stage["share"] is None else f"{stage['share']:.0%} of the {stage['ceiling']}"
    name = (
        f"search, {batch} together" if stage["stage"] == "search_batch" else stage["stage"].replace("_", " ")
    )
    return [name, *rates.values(), _number(stage["milliseconds"]), share]


def _number(value: float) -> str:
    """Three digits, more before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
