"""The report of `evaluate`: one HTML file that needs no network, for a screen, at night, and on paper."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from arcface_cli.errors import RuntimeMissing
from arcface_cli.installing import install
from arcface_cli.output.evaluation_tables import ends, interval, percent, tables
from arcface_cli.output.files import whole_file
from arcface_cli.wording import counted

Figures = Mapping[str, Any]
Crops = Sequence[tuple[bytes | None, bytes | None]]
"""PNGs of the two faces of each of the worst pairs."""

FEW_PEOPLE = 30


def require_report() -> None:
    """Raise RuntimeMissing unless what draws and fills the page is installed."""
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise RuntimeMissing(
            f"a report needs {' and '.join(missing)}", hint=f"install them with: {install('report')}"
        )


def write_report(path: Path, answer: Figures, crops: Crops) -> None:
    """Write the page. answer: what `evaluate` tells as JSON. Raises OutputError."""
    page = render(answer, crops)
    with whole_file(path) as file:
        file.write(page.encode("utf-8"))


def render(answer: Figures, crops: Crops) -> str:
    """The page as text. Every name in it is escaped: file names are anybody's."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("arcface_cli.output", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    worst = [
        {**pair, "pictures": [_data_uri(each) for each in pictures]}
        for pair, pictures in zip(answer["worst"], crops, strict=True)
    ]
    return environment.get_template("report.html.j2").render(
        answer=answer,
        tables=[rows for _, rows in tables(answer)],
        plots=plots(answer),
        impostors=[pair for pair in worst if not pair["genuine"]],
        genuines=[pair for pair in worst if pair["genuine"]],
        limits=limits(answer),
        headlines=headlines(answer),
    )


def _data_uri(png: bytes | None) -> str | None:
    return None if png is None else f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def headlines(answer: Figures) -> list[tuple[str, str, str]]:
    """(name, value, interval and counts) of the figures at the top."""
    if answer["kind"] == "verification":
        found = [("EER", percent(answer["eer"]["rate"]), ends(answer["eer"]["interval"]))]
        names = ("fmr", "fnmr")
    else:
        found = [("rank 1", *_parts(answer["rank1"]))] if answer["rank1"] else []
        names = ("fpir", "fnir")
    if answer.get("accuracy"):
        accuracy = answer["accuracy"]
        spread = f"± {accuracy['deviation']:.4f} over {len(accuracy['accuracies'])} folds"
        found.append(("accuracy", f"{accuracy['mean']:.4f}", spread))
    at = answer["at_threshold"]
    if at is not None:
        found += [(f"{name.upper()} at {at['threshold']:.4f}", *_parts(at[name])) for name in names]
    return found


def _parts(rate: Figures | None) -> tuple[str, str]:
    value, _, rest = interval(rate).partition(" (")
    return value, rest.replace(")", "", 1)


def plots(answer: Figures) -> list[tuple[str, str]]:
    """(caption, SVG) of every plot that the figures allow."""
    from markupsafe import Markup

    from arcface_cli.output import plots as draw

    one_to_one = answer["kind"] == "verification"
    rates = ("FMR", "FNMR") if one_to_one else ("FPIR", "FNIR")
    kinds = ("genuine", "impostor") if one_to_one else ("own subject", "best for a stranger")
    drawn = []
    if answer["curve"] is not None:
        caption = f"Every threshold trades {rates[0]} for {rates[1]} (DET curve)."
        drawn.append((caption, partial(draw.det_plot, answer, *rates)))
    drawn.append(("Similarities, and the threshold.", partial(draw.histogram_plot, answer, *kinds)))
    if answer.get("cmc"):
        drawn.append(("Enrolled people found within each rank (CMC).", partial(draw.cmc_plot, answer)))
    return [(caption, Markup(make())) for caption, make in drawn]


def limits(answer: Figures) -> list[str]:
    """What these figures can't support, in words."""
    one_to_one = answer["kind"] == "verification"
    rate, what = ("fmr", "impostor comparisons") if one_to_one else ("fpir", "searches for strangers")
    found = []
    refused = [row for row in answer["table"] if not row["supported"]]
    if refused:
        needed = refused[0].get("comparisons_needed", refused[0].get("searches_needed"))
        found.append(
            f"{rate.upper()} {refused[0][rate]:g} and below: the rule of three asks for {needed:,} {what}."
        )
    people = answer["comparisons" if one_to_one else "searches"]["people"]
    if people < FEW_PEOPLE:
        behind = counted(people, "person stands", "people stand")
        found.append(f"Only {behind} behind these figures: the intervals are rough.")
    if one_to_one and answer["eer"]["interval"] is None:
        found.append("All pairs were counted by score, so most rates have no interval.")
    found.append(
        "The rates hold for people, cameras and light like these. Others need their own photographs; "
        "people who look more alike, such as relatives, have higher false match rates."
    )
    found.append("Intervals (95 %) know of chance in the choice of people, not of mistakes in the labels.")
    return found
