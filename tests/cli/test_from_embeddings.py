"""Features that `embed` wrote become templates, whatever the format; nothing is enrolled twice."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Arcface, arcface_process

from arcface_cli.gallery.store import Gallery

pytest.importorskip("pyarrow")
pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]
FORMATS = ("npz", "npy", "parquet", "jsonl", "json", "csv", "tsv")


@pytest.fixture
def people(shared_data: Path, tmp_path: Path) -> Path:
    """Two people, two photographs each."""
    for person in ("L001", "L002"):
        folder = tmp_path / "people" / person
        folder.mkdir(parents=True)
        for number in (1, 3):
            name = f"{person}_{number:04}.jpg"
            shutil.copyfile(shared_data / "people" / person / name, folder / name)
    return tmp_path / "people"


def enrolled_features(folder: Path) -> dict[str, bytes]:
    """Feature bytes of a gallery by the photograph that they came from."""
    with Gallery.open(folder) as gallery:
        snapshot, templates = gallery.snapshot(), list(gallery.templates())
    features = np.asarray(snapshot.features)
    return {each.content_sha256: row.tobytes() for each, row in zip(templates, features, strict=True)}


@pytest.mark.parametrize("form", FORMATS)
def test_stored_features_make_the_gallery_that_the_photographs_make(
    arcface: Arcface, people: Path, tmp_path: Path, form: str
) -> None:
    assert arcface("enroll", people, "-g", tmp_path / "direct").status == 0
    assert arcface("embed", "-r", people, "-o", tmp_path / f"x.{form}").status == 0
    answer = arcface("enroll", "--from-embeddings", tmp_path / f"x.{form}", "-g", tmp_path / "stored")
    assert answer.status == 0
    assert [record["subject"] for record in answer.records] == ["L001", "L001", "L002", "L002"]
    assert enrolled_features(tmp_path / "stored") == enrolled_features(tmp_path / "direct")


@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_features_come_through_a_pipe(people: Path, tmp_path: Path, form: str) -> None:
    embedded = arcface_process("embed", "-r", people, "-f", form)
    words = ("enroll", "--from-embeddings", "-", "-g", tmp_path / "stored")
    answer = arcface_process(*words, input=embedded.stdout)
    assert answer.returncode == 0
    assert len(enrolled_features(tmp_path / "stored")) == 4


@pytest.mark.parametrize("form", FORMATS)
def test_a_second_enrolment_of_the_same_file_adds_nothing(
    arcface: Arcface, people: Path, tmp_path: Path, form: str
) -> None:
    arcface("embed", "-r", people, "-o", tmp_path / f"x.{form}")
    arcface("enroll", "--from-embeddings", tmp_path / f"x.{form}")
    again = arcface("enroll", "--from-embeddings", tmp_path / f"x.{form}")
    assert again.status == 0
    assert {record["error"]["code"] for record in again.records} == {"duplicate"}
    assert "4 skipped (duplicate 4)" in again.said[-1]


def test_photographs_after_their_features_add_nothing(arcface: Arcface, people: Path, tmp_path: Path) -> None:
    arcface("embed", "-r", people, "-o", tmp_path / "x.npz")
    arcface("enroll", "--from-embeddings", tmp_path / "x.npz")
    assert {record["error"]["code"] for record in arcface("enroll", people).records} == {"duplicate"}


@pytest.mark.parametrize("form", FORMATS)
def test_features_of_another_model_are_refused(
    arcface: Arcface, people: Path, tmp_path: Path, form: str
) -> None:
    arcface("enroll", people)
    arcface("embed", "-r", people, "-m", "mobilefacenet_192", "-o", tmp_path / f"x.{form}")
    before = enrolled_features(tmp_path / "gallery")
    answer = arcface("enroll", "--from-embeddings", tmp_path / f"x.{form}")
    assert answer.status == 6
    assert len(answer.said) == 1
    assert "the file of features is of" in answer.err
    assert enrolled_features(tmp_path / "gallery") == before


def test_features_of_another_model_than_m_names_are_refused_before_a_gallery_is_made(
    arcface: Arcface, people: Path, tmp_path: Path
) -> None:
    arcface("embed", "-r", people, "-m", "mobilefacenet_192", "-o", tmp_path / "x.npz")
    answer = arcface("enroll", "--from-embeddings", tmp_path / "x.npz", "-m", "mobilefacenet_512")
    assert answer.status == 6
    assert not (tmp_path / "gallery").exists()


def test_name_goes_before_what_the_rows_say(arcface: Arcface, people: Path, tmp_path: Path) -> None:
    arcface("embed", people / "L001", "-o", tmp_path / "x.npz")
    answer = arcface("enroll", "--from-embeddings", tmp_path / "x.npz", "--name", "Ada")
    assert [record["subject"] for record in answer.records] == ["Ada", "Ada"]


def test_a_dry_run_makes_no_gallery(arcface: Arcface, people: Path, tmp_path: Path) -> None:
    arcface("embed", "-r", people, "-o", tmp_path / "x.npz")
    answer = arcface("enroll", "--from-embeddings", tmp_path / "x.npz", "-n")
    assert [record["template"] for record in answer.records] == [None] * 4
    assert not (tmp_path / "gallery").exists()


def test_a_group_photograph_needs_to_be_told_whose_face_is_meant(
    arcface: Arcface, album: Path, tmp_path: Path
) -> None:
    arcface("embed", album / "eight.jpg", "-o", tmp_path / "x.npz")
    refused = arcface("enroll", "--from-embeddings", tmp_path / "x.npz")
    assert [record["error"]["code"] for record in refused.records] == ["several_faces"]
    chosen = arcface(
        "enroll", "--from-embeddings", tmp_path / "x.npz", "--faces", "largest", "--max-yaw", "180"
    )
    assert [record["status"] for record in chosen.records] == ["done"]


def test_what_gave_no_face_is_counted_again(arcface: Arcface, album: Path, tmp_path: Path) -> None:
    arcface("embed", album / "ada.jpg", album / "coffee.png", album / "gone.jpg", "-o", tmp_path / "x.npz")
    answer = arcface("enroll", "--from-embeddings", tmp_path / "x.npz", "--name", "Ada")
    assert answer.status == 3
    assert [record.get("error", {}).get("code") for record in answer.records] == [
        None,
        "not_embedded",
        "not_embedded",
    ]


@pytest.mark.parametrize("form", ["npz", "npy", "parquet"])
def test_a_truncated_file_enrolls_nothing(arcface: Arcface, people: Path, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"x.{form}"
    arcface("embed", "-r", people, "-o", path)
    path.write_bytes(path.read_bytes()[:-100])
    answer = arcface("enroll", "--from-embeddings", path)
    assert answer.status == 3
    assert len(answer.said) == 1
    assert str(path) in answer.said[0]
    assert not (tmp_path / "gallery").exists()


def test_paths_and_stored_features_at_once_are_wrong_usage(arcface: Arcface, people: Path) -> None:
    answer = arcface("enroll", people, "--from-embeddings", "x.npz")
    assert answer.status == 2


def test_parquet_of_every_verb_tells_what_csv_tells(arcface: Arcface, people: Path, tmp_path: Path) -> None:
    from pyarrow import parquet

    arcface("enroll", people)
    probes = sorted((people / "L001").iterdir())
    for verb in (["identify", *probes], ["embed", *probes], ["enroll", people], ["verify", *probes]):
        assert arcface(*verb, "-o", tmp_path / "x.parquet").status == arcface(*verb, "-o", "x.csv").status
        rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
        header, *lines = (tmp_path / "x.csv").read_text().splitlines()
        assert len(rows) == len(lines)
        columns = [name for name in header.split(",") if not name.removeprefix("f").isdecimal()]
        assert [name for name in rows[0] if name != "feature"] == columns


def test_parquet_without_pyarrow_names_the_package(
    arcface: Arcface, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = arcface("embed", people / "L001", "-f", "parquet")
    assert answer.status == 5
    assert answer.out == ""
    assert "pip install '.[parquet]'" in answer.said[-1]


def test_npy_needs_a_file(arcface: Arcface, people: Path) -> None:
    assert arcface("embed", people / "L001", "-f", "npy").status == 2


def test_npy_and_manifest_tell_the_same_count(arcface: Arcface, people: Path, tmp_path: Path) -> None:
    arcface("embed", "-r", people, tmp_path / "gone.jpg", "-o", tmp_path / "x.npy")
    head, *records = map(json.loads, (tmp_path / "x.manifest.jsonl").read_text().splitlines())
    assert np.load(tmp_path / "x.npy").shape == (head["rows"], head["dimension"]) == (4, 512)
    assert len(records) == head["records"] == 5
    assert [record["status"] for record in records] == ["done"] * 4 + ["failed"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_folder_whose_name_nobody_can_have_needs_a_name(
    arcface: Arcface, people: Path, tmp_path: Path, form: str
) -> None:
    odd = tmp_path / os.fsdecode(b"b\xff")
    odd.mkdir()
    shutil.copy(next(people.rglob("*.jpg")), odd / "a.jpg")
    features = tmp_path / f"odd.{form}"
    assert arcface("embed", odd, "-o", features).status == 0
    refused = arcface("enroll", "--from-embeddings", features)
    assert refused.status == 2
    assert refused.records[0]["error"]["code"] == "invalid_subject_name"
    assert arcface("enroll", "--from-embeddings", features, "--name", "Bob").status == 0


def test_nothing_at_all_is_no_success(arcface: Arcface, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").touch()
    assert arcface("enroll", "--from-embeddings", tmp_path / "x.jsonl").status == 2
    assert arcface_process("enroll", "--from-embeddings", "-", input="").returncode == 2
