"""Plots as SVG text whose colours are CSS variables, so that a page turns them dark or prints them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#101112", "#707172", "#d0d1d2"
GENUINE, IMPOSTOR, MARK = "#1a6fb1", "#c4501b", "#b0187a"
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    GENUINE: "var(--genuine)",
    IMPOSTOR: "var(--impostor)",
    MARK: "var(--mark)",
}
"""Stand-ins for colours in a drawing, and the variable of the page that each becomes."""

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "arcface",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
}

Figures = Mapping[str, Any]


def det_plot(figures: Figures, across: str, up: str) -> str:
    """The curve of two error rates, both axes logarithmic. across, up: names of the rates."""
    curve = figures["curve"]
    fmr, fnmr = np.array(curve["fmr"]), np.array(curve["fnmr"])
    both = (fmr > 0) & (fnmr > 0)
    with _drawing(f"{across} and {up} at every threshold") as (figure, axes):
        axes.loglog(fmr[both], fnmr[both], color=GENUINE, linewidth=1.8, drawstyle="steps-post")
        at = figures["at_threshold"]
        found = None if at is None else (at.get(across.lower()), at.get(up.lower()))
        if found is not None and all(each is not None and each["rate"] > 0 for each in found):
            _cross(axes, *found)
        axes.set_xlabel(f"{across} (log)")
        axes.set_ylabel(f"{up} (log)")
        if not both.any():
            axes.text(0.5, 0.5, "no threshold has both errors", ha="center", transform=axes.transAxes)
        return _svg(figure)


def _cross(axes: Axes, across: Figures, up: Figures) -> None:
    """The threshold in use, with its intervals."""
    x, y = across["rate"], up["rate"]
    if across["low"] is not None:
        axes.plot([max(across["low"], x / 100), across["high"]], [y, y], color=MARK, linewidth=1.2)
    if up["low"] is not None:
        axes.plot([x, x], [max(up["low"], y / 100), up["high"]], color=MARK, linewidth=1.2)
    axes.plot([x], [y], "o", color=MARK, markersize=5, label="threshold in use, 95 % intervals")
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Above the drawing, where it covers nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, borderaxespad=0.2)


def histogram_plot(figures: Figures, genuine: str, impostor: str) -> str:
    """Shares of both kinds of scores, and the threshold."""
    counts = figures["histogram"]
    edges = np.array(counts["edges"])
    with _drawing("How similar genuine and impostor comparisons are") as (figure, axes):
        for values, colour, name in (
            (counts["impostor"], IMPOSTOR, impostor),
            (counts["genuine"], GENUINE, genuine),
        ):
            total = sum(values)
            if total:
                shares = np.array(values) / total
                axes.stairs(shares, edges, color=colour, fill=True, alpha=0.3)
                axes.stairs(shares, edges, color=colour, linewidth=1.4, label=name)
        if figures["at_threshold"] is not None:
            threshold = figures["at_threshold"]["threshold"]
            axes.axvline(
                threshold, color=MARK, linewidth=1.4, linestyle="--", label=f"threshold {threshold:.4f}"
            )
        used = np.flatnonzero(np.array(counts["genuine"]) + np.array(counts["impostor"]))
        if len(used):
            axes.set_xlim(edges[used[0]] - 0.05, min(1.0, edges[used[-1] + 1] + 0.05))
        axes.set_xlabel("cosine similarity")
        axes.set_ylabel("share of its kind")
        _legend(axes)
        return _svg(figure)


def cmc_plot(figures: Figures) -> str:
    """Share of enrolled people found within each rank."""
    found = figures["cmc"]
    with _drawing("Cumulative match characteristic") as (figure, axes):
        axes.plot(range(1, len(found) + 1), found, color=GENUINE, marker="o", markersize=4, linewidth=1.8)
        axes.set_xlabel("rank")
        axes.set_ylabel("found within it")
        axes.set_xticks([1, *range(5, len(found) + 1, 5)])
        axes.set_ylim(min(0.9, *found) - 0.02, 1.005)
        return _svg(figure)


class _drawing:  # noqa: N801 - a context manager, used as one
    """An empty figure in our style; its title is for screen readers."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __enter__(self) -> tuple[Figure, Axes]:
        import matplotlib
        from matplotlib.figure import Figure

        self._style = matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
        self._style.__enter__()
        figure = Figure(figsize=(6.2, 3.8), layout="constrained")
        figure.patch.set_alpha(0.0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0.0)
        figure.set_gid(self._title)
        return figure, axes

    def __exit__(self, *raised: object) -> None:
        self._style.__exit__(None, None, None)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    title = figure.get_gid() or ""
    figure.set_gid("plot")
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    start, end = drawing.find("<metadata>"), drawing.find("</metadata>")
    if start >= 0:
        drawing = drawing[:start] + drawing[end + len("</metadata>") :]
    for colour, variable in VARIABLES.items():
        drawing = drawing.replace(colour, variable)
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
