"""What the benchmark works on: a bounded number of photographs, in memory, always with a face somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from arcface_cli.errors import MissingFile, UnreadableImage
from arcface_cli.inputs.photo import Photo
from arcface_cli.workflows.bench_samples import MOST, drawn_samples, named_samples
from fakes import FakeDetector, face_at, photo_file


@pytest.fixture
def broken(tmp_path: Path) -> Photo:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    return Photo(path)


def test_drawn_photographs_are_the_same_every_time_and_differ_among_themselves() -> None:
    first, second = drawn_samples(), drawn_samples()
    assert [each.content for each in first.photographs] == [each.content for each in second.photographs]
    assert len({each.content for each in first.photographs}) == len(first.photographs)
    assert (first.faces, first.drawn, first.megapixels) == ("drawn", True, 1.92)
    assert first.face_count == len(first.photographs)


def test_a_sample_is_read_from_memory_as_often_as_it_is_asked_for() -> None:
    sample = drawn_samples().photographs[0]
    assert sample.photo().read() == sample.photo().read() == sample.content


def test_named_photographs_come_with_the_faces_found_on_them(tmp_path: Path) -> None:
    photos = [photo_file(tmp_path, f"{number}.png", (number, 0, 0)) for number in range(3)]
    samples = named_samples(photos, FakeDetector([face_at(), face_at(20.0, index=1)]))
    assert (samples.faces, samples.face_count, len(samples.photographs)) == ("found", 6, 3)
    assert samples.megapixels == 160 * 140 / 1e6


def test_photographs_without_a_face_get_one_in_the_middle(tmp_path: Path) -> None:
    samples = named_samples([photo_file(tmp_path, "a.png")], FakeDetector())
    (face,) = samples.photographs[0].faces
    assert samples.faces == "placed"
    assert face.box.center == (80.0, 70.0)
    assert np.allclose(face.points.array.mean(axis=0), (80, 70), atol=15)


def test_no_more_photographs_are_looked_at_than_are_kept(tmp_path: Path) -> None:
    photo = photo_file(tmp_path, "a.png")
    seen: list[int] = []

    def endless() -> Iterator[Photo]:
        while True:
            seen.append(1)
            yield photo

    assert len(named_samples(endless(), FakeDetector()).photographs) == MOST == len(seen)


def test_what_cannot_be_read_is_left_out_and_counted(tmp_path: Path, broken: Photo) -> None:
    samples = named_samples([broken, photo_file(tmp_path, "a.png")], FakeDetector())
    assert len(samples.photographs) == 1
    assert [type(error) for error in samples.unreadable] == [UnreadableImage]


def test_nothing_readable_is_the_first_ones_error(broken: Photo) -> None:
    with pytest.raises(UnreadableImage, match=r"broken\.jpg"):
        named_samples([broken, broken], FakeDetector())


def test_a_photograph_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        named_samples([photo_file(tmp_path, "a.png"), Photo(tmp_path / "gone.png")], FakeDetector())
