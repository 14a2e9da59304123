"""The report in a real browser: nothing fetched, nothing complained of, everything there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from arcface_cli.evaluation.identification import Searches
from arcface_cli.evaluation.scores import PairScores
from arcface_cli.evaluation.summary import identification, verification
from arcface_cli.imaging.geometry import encode_png
from arcface_cli.output.evaluation_tables import between
from arcface_cli.output.report import render

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

HOSTILE = "<script>alert(1)</script>&amp;\"'><img src=http://example.com/x>.jpg"
PNG = encode_png(np.full((112, 112, 3), 90, np.uint8))


def answer(figures: dict[str, Any], worst: int = 2) -> dict[str, Any]:
    return {
        "data": f"pairs of {HOSTILE}", "model": "compact", "recogniser": "r", "detector": "d",
        "fingerprint": "f", "version": "0.1.0", "date": "2026-11-01T00:00:00Z", "assertions": [],
        "threshold": {"value": 0.4, "distance": 1.1, "origin": "catalogue"}, **figures,
        "worst": [
            {"genuine": bool(i % 2), "similarity": 0.5, "first": HOSTILE, "second": "b"} for i in range(worst)
        ],
    }  # fmt: skip


def pairs() -> dict[str, Any]:
    random = np.random.default_rng(0)
    similarity = np.concatenate([random.normal(0.6, 0.15, 200), random.normal(0.1, 0.15, 800)]).clip(-1, 1)
    genuine = np.arange(1000) < 200
    first = np.arange(1000) % 50
    scores = PairScores(similarity, genuine, first, np.where(genuine, first, first + 1), np.arange(1000) % 10)
    groups = {"one": first < 25, HOSTILE: first >= 25}
    return verification(scores, 0.4, groups)


def searches() -> dict[str, Any]:
    random = np.random.default_rng(0)
    enrolled = np.arange(300) < 200
    own = np.where(enrolled, random.normal(0.6, 0.15, 300), np.nan)
    other = random.normal(0.3, 0.1, 300)
    rank = np.where(enrolled, np.where(own > other, 1, 3), 0)
    return identification(Searches(own, other, rank, enrolled, np.arange(300) // 3, 60), 0.4)


PAGES = {"verification": (pairs, 2), "identification": (searches, 3)}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, int]:
    make, plots = PAGES[request.param]
    path = tmp_path / "report.html"
    path.write_text(render(answer(make()), [(PNG, None), (PNG, PNG)]), encoding="utf-8")
    return path, plots


class Links(HTMLParser):
    """Collects what attributes lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")
        ]


def test_nothing_in_it_leads_elsewhere_and_names_are_only_text(page: tuple[Path, int]) -> None:
    text, plots = page[0].read_text("utf-8"), page[1]
    assert "<script" not in text
    assert text.count("<svg") == plots
    assert "http://example.com" in text  # as text, in the names
    found = Links()
    found.feed(text)
    assert found.links and all(link.startswith(("data:", "#")) for link in found.links)
    assert all(style.startswith("#") for style in re.findall(r"url\(([^)]*)\)", text))
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_what_the_figures_cannot_support_is_said(page: tuple[Path, int]) -> None:
    assert "the rule of three asks for" in page[0].read_text("utf-8")


def test_a_path_breaks_after_its_slashes_and_a_rate_never(page: tuple[Path, int]) -> None:
    text = page[0].read_text("utf-8")
    assert "img src=http:/<wbr>/<wbr>example.com/<wbr>x&gt;.jpg" in text
    assert not re.search(r"<td>[^<]*\d %", text)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.0, 0.2, "0 % to 20 %"),
        (4.1e-5, 0.568, "0.0041 % to 56.8 %"),
        (1e-9, 0.2, "0 % to 20 %"),
        (1.2e-6, 3e-5, "1.2e-06 to 3.0e-05"),
    ],
)
def test_both_ends_of_an_interval_are_told_in_one_unit(low: float, high: float, told: str) -> None:
    assert between(low, high) == told


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium is installed")
    return found


QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--no-default-browser-check", "--disable-domain-reliability",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


CHROMIUMS_OWN = (".google.com", ".googleapis.com", ".gvt1.com")
"""Whom Chromium asks by itself at every start, whatever page it shows; names resolve to nothing here."""


def watched(chromium: str, page: Path, folder: Path) -> tuple[str, str, set[str]]:
    """Open a page: its document, what the browser logged, and the hosts that were asked for."""
    log = folder / "net.json"
    answer = subprocess.run(
        [
            chromium, *QUIET, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}",
            "--enable-logging=stderr", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    events = json.loads(log.read_text(errors="replace"))["events"]
    urls = [event["params"]["url"] for event in events if "url" in event.get("params", {})]
    hosts = {urlsplit(url).hostname or "" for url in urls if url.startswith(("http", "ws"))}
    return answer.stdout, answer.stderr, {host for host in hosts if not host.endswith(CHROMIUMS_OWN)}


@pytest.mark.slow
def test_a_browser_shows_it_without_a_complaint_or_a_request(
    page: tuple[Path, int], chromium: str, tmp_path: Path
) -> None:
    document, logged, hosts = watched(chromium, page[0], tmp_path)
    assert "CONSOLE" not in logged
    assert hosts == set()
    assert document.count("<svg") == page[1]
    assert document.count("<path") > 20 * page[1]


@pytest.mark.slow
def test_the_watch_would_see_a_complaint_and_a_request(chromium: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<img src='http://example.com/x.png'><script>console.error('seen')</script>")
    _, logged, hosts = watched(chromium, page, tmp_path)
    assert "CONSOLE" in logged and "example.com" in hosts
