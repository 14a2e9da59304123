"""What stands in a record, to the letter."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_records import (
    ODD,
    A,
    B,
    aligned,
    candidates,
    embedded,
    enrolled,
    every_record,
    identified,
    run,
    verified,
)

from arcface_cli.faces import Done
from arcface_cli.output import records
from arcface_cli.output.sinks import to_json
from fakes import face_at, seen_faces, unit


def test_records_begin_with_schema_command_and_input_and_end_with_the_run() -> None:
    for record in every_record().values():
        keys = list(record)
        assert keys[:2] == ["schema", "command"]
        assert keys[2] in ("input", "inputs")
        assert keys[-1] == "run"


def test_a_face_is_told_in_pixels_rounded_to_hundredths() -> None:
    assert aligned()["faces"][0]["box"] == [10.0, 10.0, 122.0, 122.0]
    assert aligned()["faces"][0]["landmarks"][0] == [48.29, 61.7]
    assert [face["detection_score"] for face in aligned()["faces"]] == [0.9, 0.75]
    assert [face["crop"] for face in aligned()["faces"]] == ["crops/a-0.png", "crops/a-1.png"]


def test_a_name_that_is_no_text_is_escaped_and_carried_in_base64() -> None:
    record = aligned(ODD)
    assert record["input"] == r"new\nline \xff.jpg"
    assert record["input_b64"] == "bmV3CmxpbmUg/y5qcGc="
    assert "input_b64" not in aligned()
    pair = verified(photos=(A, ODD))
    assert pair["inputs_b64"] == [None, "bmV3CmxpbmUg/y5qcGc="]
    assert "inputs_b64" not in verified(photos=(A, B))


def test_a_feature_survives_json_to_the_last_bit_of_float32() -> None:
    row = unit(*np.random.default_rng(2).normal(size=4))
    seen = Done(seen_faces([face_at()], row))
    told = json.loads(to_json(records.embedded(run("embed"), A, seen, "list")))
    assert np.array_equal(np.array(told["faces"][0]["feature"], np.float32), row[0])
    assert "feature" not in records.embedded(run("embed"), A, seen, None)["faces"][0]


def test_enrolment_tells_the_template_and_a_dry_run_tells_null() -> None:
    assert (enrolled()["subject"], enrolled()["template"]) == ("ada", 17)
    assert enrolled(template=None)["template"] is None


def test_a_match_names_its_subject_and_an_unknown_nobody() -> None:
    match, unknown = identified(0.75, 0.25)["faces"][0], identified(0.25)["faces"][0]
    assert (match["decision"], match["subject"], match["margin"]) == ("match", "person 0", 0.5)
    assert (unknown["decision"], unknown["subject"], unknown["margin"]) == ("unknown", None, None)
    assert unknown["candidates"][0]["subject"] == "person 0"


def test_the_runner_up_counts_for_the_margin_even_where_only_one_candidate_is_told() -> None:
    face = identified(0.75, 0.74, top=1)["faces"][0]
    assert face["decision"] == "ambiguous"
    assert face["margin"] == pytest.approx(0.01)
    assert len(face["candidates"]) == 1


def test_an_empty_gallery_gives_unknown_without_a_similarity() -> None:
    face = identified()["faces"][0]
    assert face["decision"] == "unknown"
    assert "similarity" not in face
    assert face["candidates"] == []


@given(st.floats(-1, 1))
def test_similarity_and_distance_of_a_record_belong_together(similarity: float) -> None:
    told = records.scores(similarity)
    assert told["distance"] == pytest.approx(math.sqrt(max(0.0, 2 - 2 * similarity)), abs=1e-6)


def test_candidates_are_told_best_first_with_their_rank() -> None:
    told = identified(0.9, 0.8, 0.7, top=3)["faces"][0]["candidates"]
    assert [each["rank"] for each in told] == [1, 2, 3]
    assert [each["template"] for each in told] == [each.template_id for each in candidates(0.9, 0.8, 0.7)]


def test_the_answer_of_a_pair_stands_in_it_only_where_there_is_one() -> None:
    assert verified()["same_person"] is True
    assert verified(-0.25)["same_person"] is False
    failed = every_record()["verify, failed"]
    assert "same_person" not in failed
    assert failed["error"]["code"] == "missing_file"


def test_the_run_says_which_device_really_served() -> None:
    assert embedded()["run"] == {
        "version": "0.1.0",
        "device": "cpu",
        "precision": "fp32",
        "detector": "yunet",
        "settings": "0123456789ab",
    }


def test_nan_is_no_json_and_becomes_null() -> None:
    assert to_json({"similarity": math.nan}) == b'{"similarity": null}'


@pytest.mark.parametrize("name", ["plain.jpg", "Zoë, 1: a.jpg", "\udcff.jpg", 'quo"te\\.jpg'])
def test_a_record_is_one_line_spaced_for_people_whatever_the_name(name: str) -> None:
    record = {"input": name, "faces": [{"box": [1.5, 2.0], "subject": None}], "count": np.int64(3)}
    line = to_json(record) if "\udcff" not in name else to_json(record | {"count": 3})
    assert json.loads(line) == record | {"count": 3}
    assert line.startswith(b'{"input": ') and line.endswith(
        b', "faces": [{"box": [1.5, 2.0], "subject": null}], "count": 3}'
    )


@given(
    st.lists(
        st.floats(-1, 1, width=32) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-3, 1.0000001, 1e-9]),
        min_size=1,
        max_size=30,
    )
)
def test_features_in_text_are_the_same_float32_when_they_are_read(numbers: list[float]) -> None:
    row = np.array(numbers, np.float32)
    told = records.nine_digits(row)
    read = np.array([float(repr(number)) for number in told], np.float32)
    np.testing.assert_array_equal(read[np.abs(row) > 1e-13], row[np.abs(row) > 1e-13])
    np.testing.assert_allclose(read, row, atol=1e-20)
    assert all(len(repr(abs(number)).replace(".", "").lstrip("0").split("e")[0]) <= 10 for number in told)
