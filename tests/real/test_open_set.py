"""48 people are enrolled; who is named, and rightly? The compact recogniser at its default threshold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arcface_cli.cli import build
from arcface_cli.decision import Decision, OperatingPoint, Verdict
from arcface_cli.faces import Done, Outcome
from arcface_cli.gallery.search import SubjectSearch
from arcface_cli.gallery.store import Gallery
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import PhotoFaces
from arcface_cli.settings import Settings
from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.enroll import enroll
from arcface_cli.workflows.identify import Question, identify
from arcface_cli.workflows.verify import verify

pytestmark = pytest.mark.real

Seen = dict[Path, Outcome[PhotoFaces]]
Rows = Callable[[str], list[dict[str, str]]]
MARGIN = Settings().margin


@pytest.fixture(scope="module", params=["yunet", "scrfd_500m"])
def seen(request: pytest.FixtureRequest, portraits: Callable[[str], Seen]) -> Seen:
    return portraits(request.param)


@pytest.fixture(scope="module")
def point(weights: WeightStore) -> OperatingPoint:
    stated = build.catalogue_point(weights.resolve("mobilefacenet_512").recogniser.entry)
    assert stated is not None
    return stated


@pytest.fixture(scope="module")
def people(
    seen: Seen, shared_data: Path, rows: Rows, tmp_path_factory: pytest.TempPathFactory
) -> SubjectSearch:
    """The gallery of 144 templates, enrolled and read back."""
    results = [
        (Photo(path, subject=row["person"]), seen[path])
        for row in rows("lists/people_gallery.csv")
        for path in [shared_data / "people" / row["file"]]
    ]
    first = results[0][1]
    assert isinstance(first, Done)
    assert first.value.templates is not None
    folder = tmp_path_factory.mktemp("gallery") / "gallery"
    with Gallery.create(folder, first.value.templates.fingerprint) as gallery:
        told = list(enroll(results, gallery.add, "test"))
        assert sum(isinstance(outcome, Done) for _, outcome in told) == 144
        return SubjectSearch(gallery.snapshot(), build.index_factory("cpu"))


def decisions(paths: list[Path], seen: Seen, people: SubjectSearch, point: OperatingPoint) -> list[Decision]:
    results = [(Photo(path), seen[path]) for path in paths]
    found = []
    for photo, outcome in identify(results, people, Question(point, MARGIN)):
        assert isinstance(outcome, Done), photo.display
        found.append(outcome.value.decisions[0])
    return found


def probes(rows: Rows, shared_data: Path, *, enrolled: bool) -> list[tuple[Path, str, str]]:
    return [
        (shared_data / "people" / row["file"], row["person"], row["view"])
        for row in rows("lists/people_probes.csv")
        if (row["enrolled"] == "1") is enrolled
    ]


def test_every_frontal_and_three_quarter_probe_of_an_enrolled_person_is_named_rightly(
    seen: Seen, people: SubjectSearch, point: OperatingPoint, rows: Rows, shared_data: Path
) -> None:
    wanted = [each for each in probes(rows, shared_data, enrolled=True) if not each[2].endswith("profile")]
    assert len(wanted) == 144
    found = decisions([path for path, _, _ in wanted], seen, people, point)
    wrong = [
        path for (path, person, _), answer in zip(wanted, found, strict=True) if answer.subject != person
    ]
    assert wrong == []


def test_six_in_ten_profiles_of_enrolled_people_come_first(
    seen: Seen, people: SubjectSearch, point: OperatingPoint, rows: Rows, shared_data: Path
) -> None:
    wanted = [each for each in probes(rows, shared_data, enrolled=True) if each[2].endswith("profile")]
    assert len(wanted) == 192
    found = decisions([path for path, _, _ in wanted], seen, people, point)
    first = [
        answer.candidates[0].subject == person for (_, person, _), answer in zip(wanted, found, strict=True)
    ]
    assert sum(first) / len(first) >= 0.60


def test_hardly_anybody_who_is_not_enrolled_is_named(
    seen: Seen, people: SubjectSearch, point: OperatingPoint, rows: Rows, shared_data: Path
) -> None:
    wanted = [path for path, _, _ in probes(rows, shared_data, enrolled=False)]
    wanted += sorted((shared_data / "strangers").rglob("*.jpg"))
    assert len(wanted) == 160
    found = decisions(wanted, seen, people, point)
    assert sum(answer.verdict is Verdict.MATCH for answer in found) <= 13


def test_all_300_pairs_of_press_photographs_are_verified_rightly(
    seen: Seen, point: OperatingPoint, rows: Rows, shared_data: Path
) -> None:
    pairs = rows("lists/master.csv")
    assert len(pairs) == 300
    for row in pairs:
        outcome = verify(
            seen[shared_data / "wild" / row["file_x"]], seen[shared_data / "wild" / row["file_y"]], point
        )
        assert isinstance(outcome, Done), row
        assert outcome.value.same_person == (row["Decision"] == "Yes"), row
