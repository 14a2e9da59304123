"""Gates in the pipeline: what is good is used, what is not stands in the outcome with its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from arcface_cli.detection.selection import FaceChoice
from arcface_cli.faces import DetectedFace, Done, FivePoints, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.output import records
from arcface_cli.pipeline import Stages, process, work_through
from arcface_cli.quality import QualityGates
from arcface_cli.results import PhotoFaces
from fakes import FakeDetector, face_at, fake_recogniser

SHARP, BLURRED, DARK = (
    face_at(0, 0, index=0),
    face_at(112, 0, score=0.8, index=1),
    face_at(224, 0, score=0.7, index=2),
)
GATES = QualityGates(min_sharpness=30, max_dark=0.5)
RUN = records.Run("align", "0.1.0", None, "fake", "cpu", "fp32")


def three_faces(folder: Path) -> Photo:
    """A picture with detail on the left, none in the middle and darkness on the right."""
    pixels = np.full((112, 336, 3), 128, np.uint8)
    pixels[:, :112] = np.random.default_rng(0).integers(60, 200, (112, 112, 3), dtype=np.uint8)
    pixels[:, 224:] = 3
    Image.fromarray(pixels).save(folder / "three.png")
    return Photo(folder / "three.png")


def outcome(folder: Path, *faces: DetectedFace, **options: object) -> Done[PhotoFaces] | Skipped:
    stages = Stages(FakeDetector(faces), fake_recogniser(), **{"gates": GATES, **options})  # type: ignore[arg-type]
    result = work_through(three_faces(folder), stages)
    assert isinstance(result, Done | Skipped)
    return result


def test_of_several_faces_the_good_ones_are_used_and_the_others_told_with_their_reason(
    tmp_path: Path,
) -> None:
    result = outcome(tmp_path, SHARP, BLURRED, DARK)
    assert isinstance(result, Done)
    seen = result.value
    assert seen.faces == (SHARP,)
    assert seen.templates is not None
    assert seen.qualities is not None
    assert (seen.found, len(seen.templates), len(seen.aligned), len(seen.qualities)) == (3, 1, 1, 1)
    assert [(each.face, each.reason.code) for each in seen.refused] == [
        (BLURRED, "face_blurred"),
        (DARK, "face_underexposed"),
    ]


def test_rows_still_belong_together_when_faces_in_between_are_refused(tmp_path: Path) -> None:
    everything = outcome(tmp_path, SHARP, BLURRED, replace(SHARP, index=2), gates=QualityGates())
    gated = outcome(tmp_path, BLURRED, replace(SHARP, index=2))
    assert isinstance(everything, Done)
    assert isinstance(gated, Done)
    assert np.array_equal(gated.value.aligned.crops[0], everything.value.aligned.crops[2])
    assert gated.value.qualities == (everything.value.qualities or ())[2:]


def test_a_photograph_of_which_no_face_is_left_is_skipped_for_its_largest_face(tmp_path: Path) -> None:
    result = outcome(tmp_path, BLURRED, face_at(230, 5, 60))
    assert isinstance(result, Skipped)
    assert result.reason.code == "face_blurred"
    assert [each.reason.code for each in result.refused] == ["face_blurred", "face_underexposed"]


def test_a_blurred_subject_does_not_hand_its_name_to_a_sharp_bystander(tmp_path: Path) -> None:
    bystander = face_at(20, 20, 60, index=1)
    largest = outcome(tmp_path, BLURRED, bystander, choice=FaceChoice.LARGEST)
    one = outcome(tmp_path, BLURRED, bystander, choice=FaceChoice.ONE)
    assert isinstance(largest, Skipped)
    assert isinstance(one, Skipped)
    assert (largest.reason.code, one.reason.code) == ("face_blurred", "several_faces")


def test_small_faces_and_doubtful_detections_are_no_second_person(tmp_path: Path) -> None:
    gates = QualityGates(min_face=50, min_detection_score=0.75)
    small, doubtful = face_at(120, 0, 40, index=1), face_at(200, 0, score=0.74, index=2)
    result = outcome(tmp_path, SHARP, small, doubtful, gates=gates, choice=FaceChoice.ONE)
    assert isinstance(result, Done)
    assert result.value.faces == (SHARP,)
    assert {each.reason.code for each in result.value.refused} == {"face_too_small", "detection_score_low"}


def test_faces_whose_landmarks_are_one_spot_are_told_of_too(tmp_path: Path) -> None:
    speck = replace(SHARP, points=FivePoints(np.full((5, 2), 20.0, np.float32)), index=1)
    result = outcome(tmp_path, SHARP, speck)
    assert isinstance(result, Done)
    assert [each.reason.code for each in result.value.refused] == ["degenerate_landmarks"]


def test_batches_across_photographs_keep_what_was_refused(tmp_path: Path) -> None:
    stages = Stages(FakeDetector([SHARP, BLURRED]), fake_recogniser(batch=3), gates=GATES, pooled=True)
    for _, result in process([three_faces(tmp_path)] * 4, stages, workers=2):
        assert isinstance(result, Done)
        assert result.value.templates is not None
        assert len(result.value.templates) == 1
        assert [each.face for each in result.value.refused] == [BLURRED]


def test_the_record_lists_refused_faces_with_box_quality_and_reason(tmp_path: Path) -> None:
    result = outcome(tmp_path, BLURRED, DARK)
    assert isinstance(result, Skipped)
    record = records.aligned(RUN, Photo(Path("a.jpg")), result)
    blurred, dark = record["refused"]
    assert record["error"] == {key: blurred[key] for key in ("code", "message", "hint")}
    assert (blurred["box"], blurred["quality"]["sharpness"]) == ([112.0, 0.0, 224.0, 112.0], 0.0)
    assert (dark["code"], dark["quality"]["dark"]) == ("face_underexposed", 1.0)


def test_a_record_without_refused_faces_has_no_such_field(tmp_path: Path) -> None:
    result = outcome(tmp_path, SHARP)
    assert isinstance(result, Done)
    record = records.embedded(RUN, Photo(Path("a.jpg")), result, None)
    assert "refused" not in record
    assert set(record["faces"][0]["quality"]) == {
        "size",
        "sharpness",
        "yaw",
        "pitch",
        "roll",
        "dark",
        "bright",
    }
