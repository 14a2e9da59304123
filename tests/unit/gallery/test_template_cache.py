"""A cache may be deleted, damaged or full: it costs time, never an answer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import OutputError
from arcface_cli.gallery.template_cache import FILE_NAME, CachedFace, TemplateCache

VIEW, OTHER = "aa" * 32, "bb" * 32
DIMENSION = 4


def content(number: int) -> str:
    return f"{number:064x}"


def face(*values: float) -> CachedFace:
    vector: NDArray[np.float32] = np.array(values, np.float32)
    return CachedFace(vector / np.linalg.norm(vector), np.zeros((5, 2), np.float32))


def test_what_was_stored_is_found_by_content_and_view(tmp_path: Path) -> None:
    with TemplateCache(tmp_path / "cache", DIMENSION) as cache:
        cache.store({content(1): face(1, 2, 3, 4), content(2): CachedFace(None, None, "no_face")}, VIEW)
    with TemplateCache(tmp_path / "cache", DIMENSION) as cache:
        found = cache.find([content(1), content(2), content(3)], VIEW)
        assert set(found) == {content(1), content(2)}
        np.testing.assert_array_equal(found[content(1)].feature, face(1, 2, 3, 4).feature)
        assert found[content(2)].reason == "no_face"
        assert cache.find([content(1)], OTHER) == {}


def test_ten_thousand_are_found_in_one_go(tmp_path: Path) -> None:
    with TemplateCache(tmp_path, DIMENSION) as cache:
        cache.store({content(i): face(1, 2, 3, i + 1) for i in range(10_000)}, VIEW)
        assert len(cache.find([content(i) for i in range(10_000)], VIEW)) == 10_000


@pytest.mark.parametrize("rubbish", [b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(rubbish)
    with TemplateCache(tmp_path, DIMENSION) as cache:
        assert cache.find([content(1)], VIEW) == {}
        cache.store({content(1): face(1, 0, 0, 0)}, VIEW)
        assert content(1) in cache.find([content(1)], VIEW)


def test_rows_that_are_not_sound_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    with TemplateCache(tmp_path, DIMENSION) as cache:
        cache.store({content(i): face(1, 0, 0, 0) for i in range(4)}, VIEW)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        bad = [np.full(4, np.nan, "<f4").tobytes(), np.full(4, 9, "<f4").tobytes(), b"short", "text"]
        for number, value in enumerate(bad):
            connection.execute(
                "UPDATE templates SET feature = ? WHERE content = ?", (value, bytes.fromhex(content(number)))
            )
    with TemplateCache(tmp_path, DIMENSION) as cache:
        assert cache.find([content(i) for i in range(4)], VIEW) == {}


def test_a_file_of_another_format_is_begun_anew(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("CREATE TABLE other (x)")
    with TemplateCache(tmp_path, DIMENSION) as cache:
        assert cache.find([content(1)], VIEW) == {}


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        TemplateCache(tmp_path / "file" / "cache", DIMENSION)


def test_without_a_folder_it_lives_in_memory() -> None:
    with TemplateCache(None, DIMENSION) as cache:
        cache.store({content(1): face(1, 0, 0, 0)}, VIEW)
        assert content(1) in cache.find([content(1)], VIEW)
