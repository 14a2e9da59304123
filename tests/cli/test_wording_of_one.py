"""A gallery of one template of one person: nothing that any verb tells speaks of one in the plural."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_line import Arcface

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]

PLURAL = re.compile(
    r"(?<![\w.,:/-])1 (?:[a-z'-]+ )?(?:subjects|templates|photographs|faces|crops|people|persons|suspicions"
    r"|findings|answers|pairs|searches|strangers|comparisons|pieces|cores|GPUs|folds)\b"
)


@pytest.fixture
def people(album: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(album.parent)
    (album.parent / "people" / "Ada").mkdir(parents=True)
    shutil.copyfile(album / "ada.jpg", album.parent / "people" / "Ada" / "ada.jpg")
    Path("pair.csv").write_text("file_a,file_b\nalbum/ada.jpg,album/ada2.jpg\n")
    return album.parent / "people"


WORDS = [
    "enroll people --sync --keep-crops",
    "enroll people --sync --dry-run",
    "enroll people -f table",
    "gallery list -f table",
    "gallery show Ada -f table --crops crops",
    "gallery stats -f table",
    "gallery check -f table",
    "gallery audit -f table --html audit.html",
    "gallery export exported.arcface",
    "gallery import exported.arcface -f table -g second",
    "identify album/ada2.jpg -f table --draw drawn",
    "verify album/ada.jpg album/ada2.jpg -f table",
    "verify --pairs pair.csv -f table",
    "evaluate --pairs pair.csv . -f table",
    "align album/ada.jpg -o aligned --sheet sheet.png",
    "embed album/ada.jpg -o ada.npz",
    "doctor -f table",
    "bench album/ada.jpg --seconds 0.1 --templates 1 --jobs 1 --batch 1 -f table",
    "gallery reembed -m mobilefacenet_192 --threshold 0.4 --dry-run -f table",
    "enroll --name Eve album/bob.jpg",
    "gallery merge Eve --into Ada",
    "gallery remove --template 2 -y",
    "gallery remove Ada --dry-run",
    "gallery remove Ada --verify -y",
    "gallery compact",
]


def test_no_verb_speaks_of_one_in_the_plural(arcface: Arcface, people: Path) -> None:
    told = {words: arcface(*words.split()) for words in WORDS}
    texts = {words: answer.out + answer.err for words, answer in told.items()}
    texts["the page"] = Path("audit.html").read_text()
    assert {words: found[0] for words, text in texts.items() if (found := PLURAL.search(text))} == {}
    assert sum(" 1 " in text for text in texts.values()) > 8, "the test sees hardly any numbers"
