"""Real portraits pass enrolment's limits; the same portraits blurred, darkened or burnt out don't."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from arcface_cli.cli.build import Workshop, quality_gates
from arcface_cli.faces import Done, FaceQuality, Outcome, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import work_through
from arcface_cli.quality import ENROLMENT_GATES
from arcface_cli.results import PhotoFaces
from arcface_cli.settings import Settings

pytestmark = pytest.mark.real

Seen = dict[Path, Outcome[PhotoFaces]]
FRONT, THREE_QUARTER, PROFILE = (1, 2), (3, 4, 5, 6), (7, 8, 9, 10)


@pytest.fixture(scope="module", params=["yunet", "scrfd_500m"])
def qualities(request: pytest.FixtureRequest, portraits: Callable[[str], Seen]) -> dict[Path, FaceQuality]:
    measured = {}
    for path, outcome in portraits(request.param).items():
        assert isinstance(outcome, Done), path
        assert outcome.value.qualities is not None
        measured[path] = outcome.value.qualities[0]
    return measured


def shots(qualities: dict[Path, FaceQuality], numbers: tuple[int, ...]) -> list[FaceQuality]:
    """The studio portraits of these poses."""
    return [
        quality
        for path, quality in qualities.items()
        if path.parent.parent.name == "people" and int(path.stem[-4:]) in numbers
    ]


def test_no_portrait_in_focus_from_the_front_to_three_quarters_is_refused(
    qualities: dict[Path, FaceQuality],
) -> None:
    others = [quality for path, quality in qualities.items() if path.parent.parent.name != "people"]
    for quality in [*shots(qualities, FRONT), *shots(qualities, THREE_QUARTER), *others]:
        assert ENROLMENT_GATES.refuse(quality, "") is None, quality


def test_yaw_follows_the_camera_and_tells_left_from_right(qualities: dict[Path, FaceQuality]) -> None:
    means = {number: np.mean([each.yaw for each in shots(qualities, (number,))]) for number in range(1, 11)}
    for number in FRONT:
        assert abs(means[number]) < 4
    for number in (3, 5):
        assert means[number] == pytest.approx(-45, abs=10)
    for number in (4, 6):
        assert means[number] == pytest.approx(45, abs=10)
    assert all(abs(means[number]) > 62 for number in PROFILE)


def test_nearly_every_profile_is_refused(qualities: dict[Path, FaceQuality]) -> None:
    reasons = [ENROLMENT_GATES.refuse(quality, "") for quality in shots(qualities, PROFILE)]
    assert {reason.code for reason in reasons if reason is not None} == {"face_turned"}
    assert sum(reason is not None for reason in reasons) >= 0.9 * len(reasons)


@pytest.mark.parametrize(
    ("worsened", "code"),
    [
        (lambda picture: picture.filter(ImageFilter.GaussianBlur(6)), "face_blurred"),
        (lambda picture: picture.point(lambda value: value * 0.1), "face_underexposed"),
        (lambda picture: picture.point(lambda value: value * 3.0), "face_overexposed"),
    ],
)
def test_a_portrait_made_worse_is_refused_for_what_was_done_to_it(
    shared_data: Path,
    tmp_path: Path,
    open_workshop: Callable[..., Workshop],
    worsened: Callable[[Image.Image], Image.Image],
    code: str,
) -> None:
    picture = Image.open(io.BytesIO((shared_data / "portraits/obama/obama_0000.jpg").read_bytes()))
    worsened(picture.convert("RGB")).save(tmp_path / "worse.png")
    shop = open_workshop(faces="largest", recognise=False, detector="yunet")
    assert isinstance(work_through(Photo(tmp_path / "worse.png"), shop.stages), Done)
    strict = replace(shop.stages, gates=quality_gates(Settings(), enrolling=True))
    outcome = work_through(Photo(tmp_path / "worse.png"), strict)
    assert isinstance(outcome, Skipped)
    assert outcome.reason.code == code
