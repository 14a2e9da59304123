"""The audit on made-up faces: what was planted is found, and a clean gallery is left in peace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.faces import BoundingBox, DetectedFace, FivePoints
from arcface_cli.gallery.audit import Audit, Kind, audit
from arcface_cli.gallery.entries import NewTemplate
from arcface_cli.gallery.store import Gallery
from arcface_cli.output.audit_page import audit_page
from gallery_samples import DIMENSION, FINGERPRINT, entry, face, units

THRESHOLD = 0.42


def person(seed: int, count: int) -> NDArray[np.float32]:
    """Templates of one made-up person: a direction with some noise, similarities of about 0.8."""
    rng = np.random.default_rng(1000 + seed)
    rows = units(seed, 1) + rng.normal(scale=0.09, size=(count, DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def template(name: str, number: int, row: NDArray[np.float32]) -> NewTemplate:
    seen, path = face(10.0 + 3 * number), f"/p/{name} {number}.jpg"
    return entry(name, f"{name}{number}", feature=row, seen=seen, source_path=path.encode())


def audited(folder: Path, people: dict[str, NDArray[np.float32]]) -> Audit:
    with Gallery.create(folder, FINGERPRINT) as gallery:
        for name, rows in people.items():
            gallery.add([template(name, i, row) for i, row in enumerate(rows)])
        return audit(gallery.snapshot(), THRESHOLD, {each.template_id: each for each in gallery.templates()})


@pytest.fixture
def people() -> dict[str, NDArray[np.float32]]:
    return {f"s{i}": person(i, 5) for i in range(8)}


def test_a_clean_gallery_gives_no_suspicion(tmp_path: Path, people: dict[str, NDArray[np.float32]]) -> None:
    found = audited(tmp_path / "g", people)
    assert found.suspicions == ()
    assert len(found.templates) == 40
    assert min(each.own for each in found.templates if each.own is not None) > 0.6


def test_a_mislabel_is_told_with_its_true_owner_and_safe_commands(
    tmp_path: Path, people: dict[str, NDArray[np.float32]]
) -> None:
    people["it's me"] = np.concatenate([person(20, 4), person(3, 6)[5:]])
    (told,) = audited(tmp_path / "g", people).suspicions
    assert (told.kind, told.templates, told.subjects) == (Kind.MISLABEL, (45,), ("it's me", "s3"))
    assert told.commands == (
        "arcface gallery remove --template 45",
        "arcface enroll '/p/it'\"'\"'s me 4.jpg' --name s3",
    )


def test_one_person_under_two_names_is_told_once(
    tmp_path: Path, people: dict[str, NDArray[np.float32]]
) -> None:
    people["again"] = person(3, 8)[5:]
    (told,) = audited(tmp_path / "g", people).suspicions
    assert (told.kind, set(told.subjects)) == (Kind.SPLIT, {"again", "s3"})
    assert told.commands == ("arcface gallery merge again --into s3",)


def test_a_copy_is_told_beside_what_it_repeats(
    tmp_path: Path, people: dict[str, NDArray[np.float32]]
) -> None:
    people["s2"] = np.concatenate([people["s2"], people["s2"][1:2]])
    (told,) = audited(tmp_path / "g", people).suspicions
    assert (told.kind, told.templates, told.subjects) == (Kind.DUPLICATE, (16, 12), ("s2",))


@pytest.mark.parametrize("smaller_first", [False, True])
def test_of_a_photograph_and_its_smaller_copy_the_copy_is_to_go(tmp_path: Path, smaller_first: bool) -> None:
    rows = person(0, 1)
    large = face(200.0)
    half = DetectedFace(
        BoundingBox(*(side / 2 for side in large.box.as_tuple())), FivePoints(large.points.array / 2), 0.9, 0
    )
    original = entry("ada", "1", feature=rows[0], seen=large)
    copy = replace(entry("ada", "2", feature=rows[0], seen=half), image_width=320, image_height=240)
    entries = [copy, original] if smaller_first else [original, copy]
    with Gallery.create(tmp_path / "g", FINGERPRINT) as gallery:
        gallery.add(entries)
        stored = {each.template_id: each for each in gallery.templates()}
        (told,) = audit(gallery.snapshot(), THRESHOLD, stored, lambda each: each.template_id).suspicions
    spare, kept = (stored[number] for number in told.templates)
    assert (spare.image_width, kept.image_width) == (320, 640)
    assert told.commands == (f"arcface gallery remove --template {spare.template_id}",)


def test_of_copies_of_one_size_the_one_from_the_largest_file_stays(tmp_path: Path) -> None:
    rows = person(0, 1).repeat(4, axis=0)
    known = {1: 100, 2: 300, 3: 200, 4: None}
    with Gallery.create(tmp_path / "g", FINGERPRINT) as gallery:
        gallery.add([entry("ada", str(number), feature=row) for number, row in enumerate(rows)])
        stored = {each.template_id: each for each in gallery.templates()}
        found = audit(gallery.snapshot(), THRESHOLD, stored, lambda each: known[each.template_id])
    assert sorted(each.templates[0] for each in found.suspicions) == [1, 3, 4]


def test_a_template_that_is_like_everybody_is_a_hub(tmp_path: Path) -> None:
    shared = units(77, 1)[0] * np.float32(0.7)
    crowd = {f"s{i}": person(i, 2) + shared for i in range(40)}
    people = {
        name: (r / np.linalg.norm(r, axis=1, keepdims=True)).astype(np.float32) for name, r in crowd.items()
    }
    people["blur"] = units(77, 1)
    hubs = [each for each in audited(tmp_path / "g", people).suspicions if each.kind is Kind.HUB]
    assert [each.subjects for each in hubs] == [("blur",)]


def test_people_with_one_photograph_have_nothing_to_be_unlike(tmp_path: Path) -> None:
    found = audited(tmp_path / "g", {f"s{i}": person(i, 1) for i in range(6)})
    assert found.suspicions == ()
    assert {each.own for each in found.templates} == {None}


def test_nobody_gives_an_empty_audit(tmp_path: Path) -> None:
    assert audited(tmp_path / "g", {}) == Audit((), ())


def test_names_and_paths_cannot_write_html(tmp_path: Path, people: dict[str, NDArray[np.float32]]) -> None:
    evil = "<script>alert(1)</script>\u202e"
    people[evil] = np.concatenate([person(20, 4), person(3, 6)[5:]])
    with Gallery.create(tmp_path / "h", FINGERPRINT) as gallery:
        for name, rows in people.items():
            source = f"/p/{name}'\"><img src=x>.jpg".encode()
            gallery.add(
                [entry(name, f"{name}{i}", feature=r, source_path=source) for i, r in enumerate(rows)]
            )
        provenance = {each.template_id: each for each in gallery.templates()}
        found = audit(gallery.snapshot(), THRESHOLD, provenance)
        members = {name: [t.template_id for t in gallery.templates_of(name)] for name in people}
    page = audit_page(evil, found, provenance, members, lambda number: None)
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page  # nor turn the reading direction
