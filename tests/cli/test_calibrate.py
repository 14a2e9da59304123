"""`arcface calibrate`, and what `identify`, `verify` and `gallery stats` make of it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from command_line import Arcface
from test_evaluate import cache, cached  # noqa: F401 - fixtures

from arcface_cli.gallery.store import Gallery

pytestmark = pytest.mark.real

PEOPLE = ("L001", "L002", "L003", "L005", "L009", "L011", "L014", "L017", "L018", "L019")


@pytest.fixture
def gallery(arcface: Arcface, shared_data: Path, tmp_path: Path) -> Path:
    """Ten people, two photographs each."""
    rows = [f"{shared_data}/people/{name}/{name}_000{n}.jpg,{name}" for name in PEOPLE for n in (1, 3)]
    (tmp_path / "manifest.csv").write_text("file,person\n" + "\n".join(rows) + "\n")
    assert arcface("enroll", "--manifest", tmp_path / "manifest.csv", "-q").status == 0
    return tmp_path / "gallery"


@pytest.fixture
def calibrated(arcface: Arcface, gallery: Path, shared_data: Path) -> dict[str, object]:
    answer = arcface(
        "calibrate", shared_data / "people", "--strangers", shared_data / "strangers", "--target-fpir", 0.05,
        "--json",
    )  # fmt: skip
    assert answer.status == 0
    assert "stored in" in answer.err
    found: dict[str, object] = json.loads(answer.out)
    return found


def test_identify_goes_by_what_calibrate_stored(
    arcface: Arcface, calibrated: dict[str, object], shared_data: Path
) -> None:
    record = json.loads(arcface("identify", shared_data / "strangers/C003f", "-q").out)
    assert record["threshold"]["origin"] == "gallery"
    assert record["threshold"]["value"] == calibrated["threshold"]
    assert record["threshold"]["fpir"] <= 0.05 and record["threshold"]["subjects"] == len(PEOPLE)
    assert 0 < record["faces"][0]["fmr_at_score"] <= record["faces"][0]["fmr_at_most"] < 1
    own = json.loads(arcface("identify", shared_data / "people/L001/L001_0002.jpg", "-q").out)
    assert own["faces"][0]["subject"] == "L001"
    assert own["faces"][0]["fmr_at_score"] is None  # no impostor came as near
    assert own["faces"][0]["fmr_at_most"] < 1e-4


def test_an_option_goes_before_the_calibration_and_takes_its_measured_fmr(
    arcface: Arcface, calibrated: dict[str, object], shared_data: Path
) -> None:
    photo = shared_data / "people/L001/L001_0002.jpg"
    record = json.loads(arcface("identify", photo, "-t", 0.3).out)
    assert record["threshold"]["origin"] == "option"
    assert record["threshold"]["fmr"] > float(str(calibrated["fmr"]))


def test_gallery_stats_shows_the_calibration(arcface: Arcface, calibrated: dict[str, object]) -> None:
    told = json.loads(arcface("gallery", "stats", "--json").out)
    assert told["threshold"]["origin"] == "gallery"
    for key in ("date", "data", "searches", "impostor_comparisons", "model", "subjects"):
        assert told["calibration"][key] == calibrated[key]


def test_identify_warns_when_the_gallery_has_outgrown_the_threshold(
    arcface: Arcface, calibrated: dict[str, object], gallery: Path, shared_data: Path
) -> None:
    for name in ("L020", "L021", "L024"):
        photo = shared_data / f"people/{name}/{name}_0001.jpg"
        assert arcface("enroll", "--name", name, photo, "-q").status == 0
    answer = arcface("identify", shared_data / "people/L001/L001_0002.jpg")
    assert "holds 13 subjects and was calibrated for 10" in answer.err


def test_a_calibration_of_another_model_is_void(
    arcface: Arcface, calibrated: dict[str, object], gallery: Path, shared_data: Path
) -> None:
    with Gallery.open(gallery, writable=True) as opened:
        text = opened.operating_point or ""
        opened.set_operating_point(text.replace(str(calibrated["model"]), "0123456789ab"))
    answer = arcface("identify", shared_data / "people/L001/L001_0002.jpg")
    assert "calibrated with model 0123456789ab" in answer.err
    assert json.loads(answer.out)["threshold"]["origin"] == "catalogue"


def test_a_damaged_operating_point_is_told_and_not_believed(
    arcface: Arcface, gallery: Path, shared_data: Path
) -> None:
    with Gallery.open(gallery, writable=True) as opened:
        opened.set_operating_point('{"threshold": -7}')
    answer = arcface("identify", shared_data / "people/L001/L001_0002.jpg")
    assert answer.status == 0
    assert "operating point can't be read" in answer.err
    assert json.loads(answer.out)["threshold"]["origin"] == "catalogue"


def test_a_dry_run_stores_nothing_and_needs_no_gallery(arcface: Arcface, shared_data: Path) -> None:
    answer = arcface("calibrate", shared_data / "people", "--target-fmr", 0.001, "-n", "--json", "-q")
    assert answer.status == 0
    assert json.loads(answer.out)["fmr"] <= 0.001
    assert arcface("gallery", "stats").status == 6


def test_a_larger_gallery_is_said_to_be_an_extrapolation(
    arcface: Arcface, gallery: Path, shared_data: Path
) -> None:
    words = ("calibrate", shared_data / "people", "--target-fpir", 0.05, "--subjects", 100, "-n", "--json")
    answer = arcface(*words)
    told = json.loads(answer.out)
    assert told["extrapolated"] and 0 < told["p_value"] <= 1
    assert told["fpir_interval"][0] <= told["fpir"] <= told["fpir_interval"][1]
    assert "extrapolates by a fitted tail" in answer.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "name one target"),
        (("--target-fmr", 0.01, "--target-fpir", 0.01), "name one target"),
        (("--target-fpir", 2), "between 0 and 1"),
        (("--target-fmr", 1e-6), "takes 3,000,000"),
    ],
)
def test_a_target_that_cannot_be_is_one_line(
    arcface: Arcface, gallery: Path, shared_data: Path, words: tuple[object, ...], reason: str
) -> None:
    answer = arcface("calibrate", shared_data / "people", *words, "-n")
    assert (answer.status, answer.out) == (2, "")
    assert reason in answer.err and answer.err.count("\n") == 1


def test_a_photograph_under_two_names_calibrates_nothing(
    arcface: Arcface, gallery: Path, shared_data: Path
) -> None:
    people = shared_data / "people"
    answer = arcface("calibrate", people, "--strangers", people, "--target-fpir", 0.1, "-n")
    assert (answer.status, answer.out) == (2, "")
    assert "L001 and stranger L001" in answer.err and answer.err.count("\n") == 1


def test_calibrate_says_how_many_of_the_next_hundred_will_be_named(
    arcface: Arcface, gallery: Path, shared_data: Path
) -> None:
    answer = arcface("calibrate", shared_data / "people", "--target-fpir", 0.05, "-n", "--json")
    low, high = json.loads(answer.out)["fpir_expected"]
    assert 0 <= low < 0.05 < high < 0.3
    assert f"of the next 100 searches for people who aren't enrolled, expect {low * 100:.0f} to" in answer.err


def test_calibrating_without_a_gallery_is_6(arcface: Arcface, shared_data: Path) -> None:
    assert arcface("calibrate", shared_data / "people", "--target-fpir", 0.05).status == 6


# --- the famous 1.5 -------------------------------------------------------------------------------------


def test_a_distance_of_one_and_a_half_is_answered_with_what_it_means(
    arcface: Arcface, gallery: Path, shared_data: Path
) -> None:
    stranger = shared_data / "strangers/C003f"
    answer = arcface("identify", stranger, "--max-distance", 1.5)
    assert (answer.status, answer.out) == (2, "")
    assert "cosine -0.125" in answer.err and "nearly every stranger" in answer.err
    assert "squared distance 1.5 is cosine 0.25" in answer.err and "--yes" in answer.err
    used = arcface("identify", stranger, "--max-distance", 1.5, "--margin", 0, "--yes", "-q")
    assert used.status == 0
    assert json.loads(used.out)["faces"][0]["decision"] == "match"  # as was said


def test_verify_asks_for_yes_as_well(arcface: Arcface, shared_data: Path) -> None:
    pair = [shared_data / f"people/{name}/{name}_0001.jpg" for name in ("L001", "L002")]
    assert arcface("verify", *pair, "--max-distance", 1.5).status == 2
    assert arcface("verify", *pair, "--max-distance", 1.5, "--yes", "-q").status == 0
    assert arcface("verify", *pair, "-t", -0.2).status == 2


def test_as_a_squared_distance_it_is_cosine_a_quarter_with_its_measured_fmr(
    arcface: Arcface, calibrated: dict[str, object], shared_data: Path
) -> None:
    words = ("identify", shared_data / "strangers/C003f", "--max-distance", 1.5, "--metric", "sqeuclidean")
    answer = arcface(*words)
    assert answer.status == 0
    record = json.loads(answer.out)
    assert record["threshold"]["value"] == 0.25
    assert 0.05 < record["threshold"]["fmr"] < 0.12
    assert "is cosine 0.25, which 8." in answer.err


def test_without_a_calibration_no_fmr_is_made_up(arcface: Arcface, gallery: Path, shared_data: Path) -> None:
    words = ("identify", shared_data / "strangers/C003f", "--max-distance", 1.5, "--metric", "sqeuclidean")
    record = json.loads(arcface(*words, "-q").out)
    assert record["threshold"]["fmr"] is None
    assert "fmr_at_score" not in record["faces"][0]


def test_the_stored_point_lies_in_the_gallery_file(gallery: Path, calibrated: dict[str, object]) -> None:
    with sqlite3.connect(gallery / "gallery.sqlite3") as connection:
        (text,) = connection.execute("SELECT value FROM meta WHERE key = 'operating_point'").fetchone()
    assert json.loads(text)["threshold"] == calibrated["threshold"]
