"""Figures of a run -> tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arcface_cli.wording import counted

Figures = Mapping[str, Any]
Table = tuple[str, list[dict[str, str]]]
"""Title, and rows of cells by column."""
SMALL = 1e-4
"""Rates below it are told as 1.2e-05."""
COMPARISONS_NEEDED = "needs {comparisons_needed:,} impostor comparisons"
SEARCHES_NEEDED = "needs {searches_needed:,} searches for people who aren't enrolled"


def percent(rate: float | None) -> str:
    """A rate as people read it: three digits, small ones as 1.2e-05."""
    if rate is None:
        return "-"
    return f"{rate:.1e}" if 0 < rate < SMALL else f"{100 * rate:.3g} %"


def between(low: float, high: float) -> str:
    """An interval in one unit: a small lower end beside a large upper one is a percentage too."""
    if 0 < low < SMALL <= high:
        return f"{100 * low:.4f}".rstrip("0").rstrip(".") + f" % to {percent(high)}"
    return f"{percent(low)} to {percent(high)}"


def interval(found: Figures | None) -> str:
    """A rate, its 95 % interval, and the counts."""
    if found is None:
        return "nothing to count"
    text = percent(found["rate"])
    if found["low"] is not None:
        text += f" ({between(found['low'], found['high'])})"
    return f"{text}, {found['events']:,} of {found['total']:,}" if "events" in found else text


def ends(pair: Sequence[float] | None) -> str:
    """An interval's ends, or nothing where there is none."""
    return "" if pair is None else between(pair[0], pair[1])


def tables(figures: Figures) -> list[Table]:
    """All tables of a run."""
    if figures["kind"] == "verification":
        found = [("", _verification(figures)), ("", _trade_off(figures, "FMR", "FNMR", COMPARISONS_NEEDED))]
    else:
        found = [("", _identification(figures)), ("", _trade_off(figures, "FPIR", "FNIR", SEARCHES_NEEDED))]
        if "sizes" in figures:
            found.append(("", [_size_row(each) for each in figures["sizes"]]))
    if figures["groups"]:
        found.append(("", [_group_row(each) for each in figures["groups"]]))
    return found


def _fact(name: str, value: str) -> dict[str, str]:
    return {"figure": name, "value": value}


def _verification(figures: Figures) -> list[dict[str, str]]:
    counts, eer, at = figures["comparisons"], figures["eer"], figures["at_threshold"]
    failed = counts["failed_genuine"] + counts["failed_impostor"]
    rows = [
        _fact("comparisons", f"{counts['genuine']:,} genuine, {counts['impostor']:,} impostor"),
        _fact("people", f"{counts['people']:,}"),
        _fact("without a template", f"{failed:,}, counted as errors"),
        _fact("EER", f"{percent(eer['rate'])} ({ends(eer['interval']) or 'no interval'})"),
    ]
    if figures["accuracy"] is not None:
        accuracy = figures["accuracy"]
        folds = len(accuracy["accuracies"])
        rows.append(
            _fact(f"accuracy, {folds} folds", f"{accuracy['mean']:.4f} +- {accuracy['deviation']:.4f}")
        )
    if at is not None:
        rows.append(_fact(f"FMR at {at['threshold']:.4f}", interval(at["fmr"])))
        rows.append(_fact(f"FNMR at {at['threshold']:.4f}", interval(at["fnmr"])))
    return rows


def _identification(figures: Figures) -> list[dict[str, str]]:
    counts, at = figures["searches"], figures["at_threshold"]
    rows = [
        _fact("gallery", _gallery(counts["subjects"], figures.get("templates", 0))),
        _fact("failed to enroll", counted(figures.get("failed_to_enroll", 0), "photograph")),
        _fact("searches", f"{counts['enrolled']:,} for enrolled people, {counts['strangers']:,} for others"),
        _fact("probes without a template", f"{counts['failed']:,}, counted as errors"),
        _fact("rank 1", interval(figures["rank1"])),
    ]
    if at is not None:
        rows.append(_fact(f"FPIR at {at['threshold']:.4f}", interval(at["fpir"])))
        rows.append(_fact(f"FNIR at {at['threshold']:.4f}", interval(at["fnir"])))
    return rows


def _gallery(subjects: int, templates: int) -> str:
    return f"{counted(subjects, 'subject')}, {counted(templates, 'template')}"


def _trade_off(figures: Figures, rate: str, miss: str, needed: str) -> list[dict[str, str]]:
    """What each false-positive rate costs in misses; where the data are too few, how many it would take."""
    return [_trade_off_row(row, rate, miss, needed) for row in figures["table"]]


def _trade_off_row(row: Figures, rate: str, miss: str, needed: str) -> dict[str, str]:
    first = {rate: f"{row[rate.lower()]:g}"}
    if not row["supported"]:
        return first | {"threshold": "", miss: "", "95 % interval": needed.format_map(row)}
    found = {"threshold": f"{row['threshold']:.4f}", miss: percent(row[miss.lower()])}
    return first | found | {"95 % interval": ends(row["interval"])}


def _size_row(figures: Figures) -> dict[str, str]:
    at = figures["at_threshold"]
    return {
        "distractors": f"{figures['distractors']:,}",
        "rank 1": interval(figures["rank1"]),
        "FPIR": "" if at is None else interval(at["fpir"]),
        "FNIR": "" if at is None else interval(at["fnir"]),
    }


def _group_row(group: Figures) -> dict[str, str]:
    rates = ("fmr", "fnmr") if "fmr" in group else ("fpir", "fnir")
    return {"group": group["group"]} | {name.upper(): interval(group.get(name)) for name in rates}
