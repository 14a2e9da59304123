"""An error blames what the value came from: the flag, the variable, or the key of the config file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command_line import Answer, Arcface

from arcface_cli.cli.sources import Sources
from arcface_cli.settings import KNOWN, LoadedSettings, Origin, Settings, config_path

CONFIG = "arcface.toml"


@pytest.fixture
def verify(arcface: Arcface, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Arcface:
    """`verify` of two names, none of which is reached, with a config file and variables."""

    def call(*flags: str, file: str = "", **variables: str) -> Answer:
        (tmp_path / CONFIG).write_text(file)
        monkeypatch.setenv("ARCFACE_CONFIG", CONFIG)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return arcface("verify", "a.jpg", "b.jpg", *flags)

    return call


IMPOSSIBLE = [
    ({"flags": ["-t", "7"]}, "--threshold 7 is no cosine similarity"),
    ({"ARCFACE_THRESHOLD": "7"}, "ARCFACE_THRESHOLD 7 is no cosine similarity"),
    ({"file": "threshold = 7"}, f"{CONFIG}: threshold 7 is no cosine similarity"),
    ({"file": "threshold = nan"}, f"{CONFIG}: threshold nan is no cosine similarity"),
    ({"file": 'threshold = "high"'}, f"{CONFIG}: threshold: 'high' must be a number"),
    ({"ARCFACE_THRESHOLD": "0.3", "ARCFACE_MAX_DISTANCE": "1"}, "ARCFACE_THRESHOLD and ARCFACE_MAX_DISTANCE"),
    ({"file": "threshold = 0.3\nmax_distance = 1"}, f"{CONFIG}: threshold and max_distance say"),
    (
        {"flags": ["--max-distance", "1"], "ARCFACE_METRIC": "cosine"},
        "--max-distance 1 can't be in ARCFACE_METRIC cosine",
    ),
    (
        {"flags": ["-t", "7"], "file": 'metric = "angle"', "ARCFACE_METRIC": "euclidean"},
        "--threshold 7 is no euclidean distance: it must lie between 0 and 2 (ARCFACE_METRIC euclidean)",
    ),
    ({"flags": ["--device", ""]}, "--device: the word is empty; it takes: auto, cpu, cuda"),
]


@pytest.mark.parametrize(("given", "told"), IMPOSSIBLE, ids=[told for _, told in IMPOSSIBLE])
def test_a_value_that_cant_be_is_blamed_on_its_source(
    verify: Arcface, given: dict[str, Any], told: str
) -> None:
    answer = verify(
        *given.get("flags", ()), **{name: word for name, word in given.items() if name != "flags"}
    )
    assert (answer.status, answer.out, len(answer.said)) == (2, "", 1)
    assert answer.err.startswith(f"arcface: {told}")


@pytest.mark.parametrize("words", [("verify", "a.jpg", "b.jpg"), ("align", "a.jpg", "-o", "crops")])
def test_a_model_that_there_isnt_is_blamed_on_its_source(
    arcface: Arcface, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert (
        "arcface: --model nope: no model is called so; see the names"
        in arcface("embed", "x", "-m", "nope").err
    )
    (tmp_path / CONFIG).write_text('model = "nope"')
    monkeypatch.setenv("ARCFACE_CONFIG", CONFIG)
    answer = arcface(*words)
    assert (answer.status, len(answer.said)) == (2, 1)
    assert answer.err.startswith(f"arcface: {CONFIG}: model nope: no model is called so; see the names")
    monkeypatch.setenv("ARCFACE_MODEL", "nada")
    assert arcface(*words).err.startswith("arcface: ARCFACE_MODEL nada: no model is called so; see the names")
    (row,) = [row for row in arcface("doctor").records if row["what"] == "model"]
    assert row["detail"] == "ARCFACE_MODEL nada: no model is called so"


def sources(**origins: Origin) -> Sources:
    made = Sources()
    made.go_on_with(LoadedSettings(Settings(), {**dict.fromkeys(KNOWN, "built-in"), **origins}))
    return made


def test_both_of_a_contradictory_pair_go_by_their_own_source() -> None:
    text = "--tensorrt: TensorRT runs on a GPU, not with --device cpu"
    assert sources().message(text) == sources(tensorrt="option", device="option").message(text) == text
    assert sources(tensorrt="environment", device="option").message(text) == (
        "ARCFACE_TENSORRT: TensorRT runs on a GPU, not with --device cpu"
    )
    assert sources(tensorrt="option", device="config").message(text) == (
        f"--tensorrt: TensorRT runs on a GPU, not with device cpu ({config_path()})"
    )
    assert sources(tensorrt="config", device="environment").message(text) == (
        f"{config_path()}: tensorrt: TensorRT runs on a GPU, not with ARCFACE_DEVICE cpu"
    )


def test_the_limit_that_refuses_a_face_goes_by_its_source_too() -> None:
    told = sources(min_face="environment").message("a.jpg: the face is small, under --min-face 40")
    assert told == "a.jpg: the face is small, under ARCFACE_MIN_FACE 40"


@pytest.mark.parametrize(
    "text", ["--gallery needs searches", "my--device.jpg is no picture", "--devices: none"]
)
def test_what_is_no_flag_of_a_setting_stays_as_it_is(text: str) -> None:
    assert sources(gallery="environment", device="environment").message(text) == text


@pytest.mark.parametrize(
    ("origin", "hint", "told"),
    [
        ("option", "mend it, or leave --tensorrt out", "mend it, or leave --tensorrt out"),
        ("environment", "mend it, or leave --tensorrt out", "mend it, or add --no-tensorrt"),
        ("config", "mend it, or leave --tensorrt out", "mend it, or add --no-tensorrt"),
        ("option", "run again without --offline", "run again without --offline"),
        ("environment", "run again without --offline", "run again without ARCFACE_OFFLINE"),
        ("config", "run again without --offline", "run again without offline in PATH"),
    ],
)
def test_what_was_asked_for_elsewhere_is_undone_in_a_way_that_works(
    origin: Origin, hint: str, told: str
) -> None:
    assert sources(tensorrt=origin, offline=origin).hint(hint) == told.replace("PATH", str(config_path()))


def test_every_switch_that_a_hint_leaves_out_has_an_opposite(arcface: Arcface) -> None:
    page = arcface("embed", "--help").out
    assert "--no-tensorrt" in page
    assert "--no-flip" in page
