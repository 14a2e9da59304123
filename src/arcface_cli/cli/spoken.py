"""A threshold in the user's own words: what it means, said before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arcface_cli.cli import build
from arcface_cli.cli.console import say
from arcface_cli.cli.sources import SOURCES
from arcface_cli.decision import Metric
from arcface_cli.errors import InvalidThreshold
from arcface_cli.output.evaluation_tables import percent
from arcface_cli.settings import LoadedSettings, Settings

if TYPE_CHECKING:  # `verify` needs no calibration, and importing it costs as much as comparing two faces
    from arcface_cli.evaluation.calibration import Calibration

HARDLY_A_FACE = 0.0
"""Cosine similarity under which two faces are less alike than unrelated vectors: no threshold by accident."""


def check_said(loaded: LoadedSettings, *, yes: bool, known: Calibration | None = None) -> None:
    """Say what a distance means as a similarity; refuse one that hardly any stranger fails to reach.

    Raises InvalidThreshold for a similarity below 0, unless `yes`.
    """
    said, values = build.said_point(loaded), loaded.values
    if said is None:
        return
    words, metric = _spoken(values)
    rate = None if known is None else known.fmr_at(said.threshold)[0]
    share = (
        ""
        if rate is None
        else f", which {percent(rate)} of impostor comparisons reach (the gallery's calibration)"
    )
    if said.threshold < HARDLY_A_FACE and not yes:
        squared = ""
        if (
            metric is Metric.EUCLIDEAN
            and words.startswith("--max-distance")
            and values.max_distance is not None
        ):
            squared = (
                f"as a squared distance {values.max_distance:g} is cosine "
                f"{Metric.SQEUCLIDEAN.to_similarity(values.max_distance):g}: add --metric sqeuclidean; "
            )
        raise InvalidThreshold(
            f"{words} is cosine {said.threshold:g}, less alike than unrelated faces are{share}: "
            "it would name nearly every stranger",
            hint=f"{squared}add --yes to use it all the same",
        )
    if metric is not Metric.COSINE and not values.quiet:
        say(SOURCES.message(f"{words} is cosine {said.threshold:g}{share}"))


def _spoken(values: Settings) -> tuple[str, Metric]:
    if values.threshold is not None:
        metric = Metric.COSINE if values.metric is None else Metric(values.metric)
        return f"--threshold {values.threshold:g} ({metric.value})", metric
    metric = Metric.EUCLIDEAN if values.metric is None else Metric(values.metric)
    return f"--max-distance {values.max_distance:g} ({metric.value})", metric
