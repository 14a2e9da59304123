"""A machine with nothing installed: every verb says which two commands would help."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Arcface

JPEG = b"\xff\xd8\xff\xe0 not much of a picture"


@pytest.fixture
def photos(own_place: Path) -> tuple[Path, Path]:
    pair = (own_place / "a.jpg", own_place / "b.jpg")
    for path in pair:
        path.write_bytes(JPEG)
    return pair


@pytest.mark.parametrize("group", ["gallery", "models", "config"])
def test_a_group_without_a_command_shows_its_help_and_says_what_is_missing(
    arcface: Arcface, group: str
) -> None:
    answer = arcface(group)
    assert (answer.status, answer.said) == (
        2,
        [f"arcface: a command is missing; see arcface {group} --help"],
    )
    assert f"arcface {group} [OPTIONS] COMMAND" in answer.out


@pytest.mark.parametrize(
    "words", [("align", "-o", "crops"), ("embed",), ("enroll", "--name", "Ada"), ("verify",), ("identify",)]
)
def test_no_weights_is_5_naming_two_commands_and_leaves_nothing_behind(
    arcface: Arcface, photos: tuple[Path, Path], own_place: Path, words: tuple[str, ...]
) -> None:
    answer = arcface(*words, *photos)
    assert (answer.status, answer.out, len(answer.said)) == (5, "", 1)
    assert "arcface models list" in answer.err
    assert "arcface models pull" in answer.err
    assert sorted(path.name for path in own_place.iterdir() if path.is_file()) == ["a.jpg", "b.jpg"]
    assert not (own_place / "gallery").exists()


def test_a_name_that_no_model_has_is_wrong_usage(arcface: Arcface, photos: tuple[Path, Path]) -> None:
    for words in (
        ("verify", *photos, "-m", "nobody"),
        ("models", "show", "nobody"),
        ("models", "pull", "nobody"),
    ):
        answer = arcface(*words)
        assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
        assert "nobody" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("embed", "a.jpg", "-o", ""), "'--output' / '-o': an empty path"),
        (("align", "a.jpg", "-o", ""), "'--output' / '-o': an empty path"),
        (("enroll", "a.jpg", "-g", ""), "'--gallery' / '-g': an empty path"),
        (("embed", "--files-from", ""), "an empty path"),
        (("evaluate", ""), "an empty path"),
        (("evaluate", "a", "--distractors", ""), "an empty path"),
        (("calibrate", ""), "an empty path"),
        (("models", "import", ""), "an empty path"),
        (("embed", "a.jpg", "-0"), "-0 says how --files-from is read"),
        (("identify", "-0"), "-0 says how --files-from is read"),
        (("embed", "a.jpg", "--min-face", "inf"), "--min-face: inf"),
        (("identify", "a.jpg", "-f", "npz"), "'npz'"),
        (("gallery", "list", "-f", "parquet"), "'parquet'"),
        (("verify", "a.jpg", "b.jpg", "-t", "abc"), "'abc'"),
    ],
)
def test_words_that_can_mean_nothing_are_told_not_ignored(
    arcface: Arcface, photos: tuple[Path, Path], words: tuple[str, ...], said: str
) -> None:
    answer = arcface(*words)
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert said in answer.err


def test_pulling_offline_is_5_with_one_line(arcface: Arcface) -> None:
    answer = arcface("models", "pull", "compact", "--offline")
    assert (answer.status, answer.out, len(answer.said)) == (5, "", 1)
    assert "--offline" in answer.err


def test_a_restricted_licence_is_5_until_it_is_accepted(arcface: Arcface) -> None:
    answer = arcface("models", "pull", "buffalo_sc", "--offline")
    assert answer.status == 5
    assert len(answer.said) == 1  # the terms are told once
    assert "--accept-license" in answer.err


@pytest.mark.parametrize("content", [b"", b"this is no network\n", b"\x08\x07\x12\x00"])
def test_a_file_that_is_no_recogniser_is_told_and_not_installed(
    arcface: Arcface, own_place: Path, content: bytes
) -> None:
    path = own_place / "mine.onnx"
    path.write_bytes(content)
    answer = arcface(
        "models", "import", path, "--name", "mine", "--colour", "rgb", "--mean", "127.5", "--scale", "127.5"
    )
    assert (answer.status, answer.out, len(answer.said)) == (5, "", 1)
    assert "mine.onnx" in answer.err
    assert arcface("models", "show", "mine").status == 2


def test_a_missing_file_to_import_is_wrong_usage(arcface: Arcface, own_place: Path) -> None:
    answer = arcface("models", "import", own_place / "gone.onnx")
    assert (answer.status, len(answer.said)) == (2, 1)


def test_lists_need_no_weights(arcface: Arcface) -> None:
    names = [row["name"] for row in arcface("models", "list").records]
    assert {"compact", "compact-mirror", "auraface", "scrfd_500m", "yunet"} <= set(names)
    assert arcface("models", "verify").status == 0
    assert arcface("config", "show", "--origin").status == 0


@pytest.mark.parametrize(
    "words",
    [("frobnicate",), ("verify", "a.jpg"), ("embed", "--top"), ("embed", "a.jpg", "--jobs", "0"),
     ("embed", "a.jpg", "--nonsense"), ("identify", "a.jpg", "--faces", "some"), ("align", "a.jpg"),
     ("embed", "a.jpg", "-f", "xml"), ("embed", "a.jpg", "--json", "-f", "csv")],
)  # fmt: skip
def test_wrong_usage_is_2_with_one_line_that_says_where_help_is(
    arcface: Arcface, words: tuple[str, ...]
) -> None:
    answer = arcface(*words)
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)


def test_a_broken_config_file_is_2_by_name(
    arcface: Arcface, own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_place / "config.toml").write_text("threshold = ")
    monkeypatch.setenv("ARCFACE_CONFIG", "config.toml")
    answer = arcface("models", "list")
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert "config.toml" in answer.err
