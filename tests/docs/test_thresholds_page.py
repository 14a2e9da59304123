"""The tables of docs/thresholds.md: what formulas give is computed, what was measured is measured again."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from help_pages import CHECKOUT

from arcface_cli.cli.app import run
from arcface_cli.decision import Metric
from arcface_cli.evaluation.calibration import at_size
from arcface_cli.output.evaluation_tables import percent
from arcface_cli.weights.catalogue import shipped_catalogue

PAGE = CHECKOUT / "docs" / "thresholds.md"


def table(header: str) -> list[list[str]]:
    """The rows of the table with this header line, cell by cell, without the stars of bold print."""
    lines = PAGE.read_text("utf-8").splitlines()
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[lines.index(header) + 2 :])
    return [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in rows]


def number(cell: str) -> float:
    return float(cell.replace("−", "-").rstrip("°").replace(" ", ""))


def test_one_score_in_four_ways() -> None:
    for cells in table("| cosine | euclidean | sqeuclidean | angle |"):
        similarity = number(cells[0])
        for cell, metric in zip(cells[1:], (Metric.EUCLIDEAN, Metric.SQEUCLIDEAN, Metric.ANGLE), strict=True):
            assert metric.from_similarity(similarity) == pytest.approx(number(cell), abs=0.006)


def test_a_search_errs_more_often_than_a_comparison() -> None:
    for fmr, *cells in table("| FMR | N = 1 | N = 10 | N = 100 | N = 1,000 | N = 10,000 |"):
        for size, cell in zip((1, 10, 100, 1_000, 10_000), cells, strict=True):
            expected = 100 * at_size(float(fmr), 1, size)
            if cell.startswith("over"):
                assert expected > number(cell.removeprefix("over").rstrip("%"))
            else:
                assert number(cell.rstrip("%")) == pytest.approx(expected, rel=0.006)


def test_the_rates_on_lfw_are_those_that_the_catalogue_goes_by() -> None:
    rows = table("| FMR | cosine threshold | euclidean | FNMR |")
    entry = shipped_catalogue().find_recogniser("mobilefacenet_512")
    assert entry is not None
    known = [(point.fmr, point.similarity, point.fnmr) for point in entry.stated_thresholds]
    assert known == [(float(row[0].split()[0].strip("*")), float(row[1]), percents(row[3])) for row in rows]
    for row in rows:
        assert math.sqrt(2 - 2 * float(row[1])) == pytest.approx(float(row[2]), abs=6e-5)


def percents(cell: str) -> float:
    return pytest.approx(number(cell.rstrip("%")) / 100, rel=1e-9)  # type: ignore[no-any-return]


# --- what commands print --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(shared_data: Path, shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("thresholds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCFACE_MODELS_DIR", str(place / "models"))
        for name in ("face_detection_yunet_2023mar.onnx", "mobilefacenet_512.onnx"):
            assert run(["models", "import", str(shared_models / name), "-q"]) == 0
    (place / "data").symlink_to(shared_data)
    return place


def evaluated(place: Path, *words: object) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARCFACE_MODELS_DIR", str(place / "models"))
        patch.setenv("ARCFACE_CONFIG", os.devnull)
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        answer = io.TextIOWrapper(io.BytesIO(), "utf-8")
        with redirect_stdout(answer):
            assert run(["evaluate", *map(str, words), "-q", "--json"]) == 0
        told: dict[str, Any] = json.loads(answer.buffer.getvalue())  # type: ignore[attr-defined]
        return told


def check_rows(found: dict[str, Any], header: str, rate: str, miss: str, needed: str) -> None:
    """The page's rows are the first of those that were found, in the same words."""
    rows = table(header)
    assert 4 <= len(rows) <= len(found["table"])
    for row, (target, *cells) in zip(found["table"], rows, strict=False):
        assert float(target) == row[rate]
        if row["supported"]:
            ends = [percent(end) for end in row["interval"]]
            said = [f"{row['threshold']:.4f}", percent(row[miss]), " to ".join(ends)]
            assert [cell.replace(".0 %", " %") for cell in cells] == said
        else:
            assert cells[0].startswith(f"needs {row[needed]:,} ")


@pytest.mark.real
@pytest.mark.slow
def test_the_rates_in_the_studio_are_what_the_named_command_prints(data: Path) -> None:
    found = evaluated(data, data / "data/people")
    check_rows(
        found, "| FMR | cosine threshold | FNMR | 95 % interval |", "fmr", "fnmr", "comparisons_needed"
    )


@pytest.mark.real
@pytest.mark.slow
def test_the_rates_of_searches_are_what_the_named_command_prints(data: Path) -> None:
    lists = data / "data/lists"
    found = evaluated(
        data, "--gallery", lists / "people_gallery.csv", "--probes", lists / "people_probes.csv",
        data / "data/people", "--strangers", data / "data/strangers",
    )  # fmt: skip
    header = "| FPIR | cosine threshold | FNIR, rank 1 | 95 % interval |"
    check_rows(found, header, "fpir", "fnir", "searches_needed")


@pytest.mark.real
@pytest.mark.slow
def test_nearly_every_stranger_reaches_a_distance_of_one_and_a_half(data: Path) -> None:
    text = PAGE.read_text("utf-8")
    for threshold, words in ((-0.125, "**{}** reach cosine\n−0.125"), (0.25, "and {} cosine 0.25")):
        rate = evaluated(data, data / "data/people", "-t", threshold)["at_threshold"]["fmr"]["rate"]
        assert words.format(percent(rate)) in text
