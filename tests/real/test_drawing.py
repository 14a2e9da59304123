"""`identify --draw` and `align --sheet` from the command line to the files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arcface_cli.cli.app import run
from arcface_cli.imaging.draw import Tone
from arcface_cli.weights.store import WeightStore

pytestmark = pytest.mark.real


@pytest.fixture
def gallery(
    tmp_path: Path, shared_data: Path, weights: WeightStore, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Flags that name a gallery with one person in it."""
    monkeypatch.setenv("ARCFACE_MODELS_DIR", str(weights.root))
    monkeypatch.setenv("ARCFACE_CONFIG", os.devnull)
    flags = ["-g", str(tmp_path / "gallery"), "-m", "mobilefacenet_512", "--device", "cpu"]
    portrait = str(shared_data / "portraits" / "obama" / "obama_0000.jpg")
    assert run(["enroll", "--name", "王 Obama", portrait, *flags, "-q", "-f", "jsonl"]) == 0
    return flags


def test_answers_are_drawn_where_the_record_says(
    shared_data: Path, tmp_path: Path, gallery: list[str], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    photos = shared_data / "portraits" / "group"
    capsysbinary.readouterr()
    status = run(["identify", str(photos), *gallery, "--draw", str(tmp_path / "drawn"), "-q", "-f", "jsonl"])
    records = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert (status, len(records)) == (0, 2)
    for record in records:
        with Image.open(record["drawn"]) as picture:
            assert picture.size == (record["image"]["width"], record["image"]["height"])
            pixels = np.asarray(picture.convert("RGB")).astype(int)
        near = np.abs(pixels - Tone.MATCH.colour).max(axis=2) < 25  # JPEG
        (match,) = [face for face in record["faces"] if face["decision"] == "match"]
        x_min, y_min, _, y_max = (round(value) for value in match["box"])
        assert near[y_min : y_max + 1, x_min : x_min + 3].mean() > 0.5


def test_a_folder_that_cant_be_made_is_status_7(
    shared_data: Path, tmp_path: Path, gallery: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").touch()
    photo = str(shared_data / "portraits" / "obama" / "obama_0001.jpg")
    assert run(["identify", photo, *gallery, "--draw", str(tmp_path / "taken"), "-f", "jsonl"]) == 7
    assert "taken can't be written" in capsys.readouterr().err


def test_a_sheet_shows_the_crops_that_were_cut(
    shared_data: Path, tmp_path: Path, gallery: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, sheet = str(shared_data / "portraits" / "obama"), tmp_path / "sheets" / "s.png"
    assert run(["align", photos, "-o", str(tmp_path / "crops"), "--sheet", str(sheet), *gallery[2:]]) == 0
    crops = sorted((tmp_path / "crops").glob("*.png"))
    shown = np.asarray(Image.open(sheet).convert("RGB"))
    first = np.asarray(Image.open(crops[0]).convert("RGB"))
    assert np.array_equal(shown[8:120, 8:120], first)
    assert shown.shape[1] == 128 * min(12, len(crops))
    assert run(["align", photos, "-o", str(tmp_path / "c"), "--sheet", "s.pdf", *gallery[2:]]) == 2
    assert "PNG or JPEG" in capsys.readouterr().err
