"""What is told to install can be pasted where arcface is: in a checkout, with the rival out of the way."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from arcface_cli.installing import RIVALS, install, install_instead

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_an_extra_comes_from_the_checkout_which_is_on_no_index() -> None:
    assert install("heic") == "pip install '.[heic]' in arcface's checkout"


@pytest.mark.parametrize(
    ("there", "removed"),
    [
        ((), ""),
        (("onnxruntime", "faiss-cpu"), "pip uninstall -y onnxruntime faiss-cpu && "),
        (RIVALS, "pip uninstall -y onnxruntime onnxruntime-gpu faiss-cpu faiss-gpu && "),
    ],
    ids=["nothing", "cpu", "both"],
)
def test_another_runtime_takes_the_place_of_whatever_is_there(there: tuple[str, ...], removed: str) -> None:
    told = install_instead("gpu", there.__contains__)
    assert told == f"{removed}pip install '.[gpu]' in arcface's checkout"


def test_the_rivals_are_what_the_two_runtimes_bring() -> None:
    brought = [re.split(r"[\[>; ]", each)[0] for extra in ("cpu", "gpu") for each in EXTRAS[extra]]
    assert sorted(brought) == sorted(RIVALS)


def test_nothing_tells_to_install_from_an_index() -> None:
    """The distribution's name with an extra, or after `pip install`, would ask one that doesn't have it."""
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("src/**/*.py")]
    wrong = re.compile(r"arcface-cli\[|pip install (?:--?\S+ )*'?arcface")
    assert [page.name for page in pages if wrong.search(page.read_text(encoding="utf-8"))] == []


def test_every_extra_that_is_told_exists() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("src/**/*.py")]
    told = re.compile(r"(?:'\.\[|install(?:_instead)?\(['\"])([a-z,]+)['\"\]]")
    words = [word for page in pages for word in told.findall(page.read_text(encoding="utf-8"))]
    found = {extra for word in words for extra in word.split(",")}
    assert found <= set(EXTRAS)
    assert {"cpu", "gpu", "heic", "report", "tensorrt"} <= found
