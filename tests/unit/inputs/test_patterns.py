"""Quoted patterns: what a shell would match, without its circles."""

from __future__ import annotations

import glob
import os
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcface_cli.errors import NoInputs
from arcface_cli.inputs.folders import Pictures, photos
from arcface_cli.inputs.patterns import matching

_FOLDERS = st.sampled_from(["a", "b", ".h", "ab", "[a]"])
_FILES = st.sampled_from(["a.jpg", ".h.jpg", "x", "x.jpg"])
_PARTS = st.sampled_from(["**", "*", "?", "a", "a*", "*.jpg", ".*", "[!a]*", "[ab]", "[[]a]", "x.jpg"])


def plant(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def found(root: Path, pattern: str, *, recursive: bool = False) -> list[str]:
    taken = photos([f"{root}/{pattern}"], recursive=recursive)
    return [str(photo.path.relative_to(root)) for photo in islice(taken, 100) if photo.path]


@given(
    st.lists(st.tuples(st.lists(_FOLDERS, max_size=3), _FILES), max_size=12),
    st.lists(_PARTS, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)
def test_without_links_pythons_glob_finds_the_same(
    tree: list[tuple[list[str], str]], parts: list[str], end: str
) -> None:
    with TemporaryDirectory() as root:
        for folders, file in tree:
            plant(Path(root), "/".join([*folders, file]))
        pattern = f"{root}/{'/'.join(parts)}{end}"
        listings = list(matching(pattern))
        files = [str(each.folder / name) for each in listings for name in each.files]
        folders = [str(each.folder / name) for each in listings for name in each.folders]
        wanted = set(map(os.path.normpath, glob.glob(pattern, recursive=True)))  # noqa: PTH207
        wanted_files = set(filter(os.path.isfile, wanted))
    assert (len(files), set(files)) == (len(wanted_files), wanted_files)
    assert set(folders) == (set() if "**" in parts else wanted - wanted_files)


def test_links_are_followed_but_no_real_folder_is_visited_twice(tmp_path: Path) -> None:
    plant(tmp_path, "x/b.jpg")
    (tmp_path / "x" / "up").symlink_to("..")
    (tmp_path / "y").symlink_to("x")
    (tmp_path / "z").symlink_to("x")
    for pattern in ("**/*.jpg", "**", "**/*/*.jpg", "**/**/b.jpg"):
        assert found(tmp_path, pattern) == ["x/b.jpg"], pattern
    assert found(tmp_path, "x/**/up/**/*.jpg") == ["x/up/x/b.jpg"]


def test_a_link_outside_a_pattern_that_crosses_folders_counts_as_a_shell_counts_it(tmp_path: Path) -> None:
    plant(tmp_path, "x/b.jpg")
    (tmp_path / "y").symlink_to("x")
    assert found(tmp_path, "*/b.jpg") == ["x/b.jpg", "y/b.jpg"]


def test_photographs_come_in_natural_order_each_folder_before_those_inside(tmp_path: Path) -> None:
    plant(tmp_path, "z.jpg", "p10.jpg", "p9.jpg", "a10/x.jpg", "a2/x.jpg", "a2/b/y.jpg", ".git/no.jpg")
    plant(tmp_path, ".no.jpg")
    assert found(tmp_path, "**/*.jpg") == [
        "p9.jpg", "p10.jpg", "z.jpg", "a2/x.jpg", "a2/b/y.jpg", "a10/x.jpg",
    ]  # fmt: skip
    assert found(tmp_path, ".git/*.jpg") == [".git/no.jpg"]


@pytest.mark.parametrize("pattern", ["**/*.jpg", "*/*.jpg"])
def test_the_first_photograph_comes_before_the_last_folder_is_looked_into(
    tmp_path: Path, pattern: str
) -> None:
    plant(tmp_path, "a/1.jpg", "b/2.jpg")
    stream = photos([f"{tmp_path}/{pattern}"])
    assert next(stream).display.endswith("1.jpg")
    plant(tmp_path, "b/3.jpg")
    assert [photo.path.name for photo in stream if photo.path] == ["2.jpg", "3.jpg"]


def test_a_folder_that_matches_stands_for_its_photographs(tmp_path: Path) -> None:
    plant(tmp_path, "in1/a.jpg", "in1/notes.txt", "in1/deep/b.jpg", "in2.jpg")
    assert found(tmp_path, "in*") == ["in2.jpg", "in1/a.jpg"]
    assert found(tmp_path, "in*/") == ["in1/a.jpg"]
    assert found(tmp_path, "in*", recursive=True) == ["in2.jpg", "in1/a.jpg", "in1/deep/b.jpg"]


def test_a_pattern_with_nothing_behind_it_says_so(tmp_path: Path) -> None:
    plant(tmp_path, "a/b/x.jpg")
    for pattern in ("*.png", "gone/*", "**/b", "**/", "**/*.png"):
        (photo,) = photos([f"{tmp_path}/{pattern}"])
        assert isinstance(photo.failure, NoInputs), pattern
        assert photo.named


def test_a_folder_that_cant_be_listed_costs_one_record(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    stream = photos([f"{tmp_path}/**/*.jpg"])
    first = next(stream)
    (tmp_path / "b" / "2.jpg").unlink()
    (tmp_path / "b").rmdir()
    assert [(photo.path and photo.path.name, photo.failure and photo.failure.code) for photo in stream] == [
        ("b", "missing_file"), ("3.jpg", None),
    ]  # fmt: skip
    assert first.path == tmp_path / "a" / "1.jpg"


def test_pictures_of_this_run_are_left_out(tmp_path: Path) -> None:
    plant(tmp_path, "out/drawn.jpg", "out/own.jpg", "a.jpg")
    pictures = Pictures(tmp_path / "out", lambda path: path.name == "drawn.jpg")
    taken = photos([f"{tmp_path}/**/*.jpg"], pictures=pictures)
    assert [photo.path.name for photo in taken if photo.path] == ["a.jpg", "own.jpg"]
