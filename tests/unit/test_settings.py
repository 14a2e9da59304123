"""Option > variable > config file > built-in, and every value knows where it came from."""

from __future__ import annotations

import os
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from arcface_cli.errors import MissingFile, UsageError
from arcface_cli.settings import (
    KNOWN,
    LoadedSettings,
    Settings,
    config_path,
    load_settings,
    option_name,
    sparing,
    variable_name,
)


def load(
    folder: Path, *, file: str = "", variables: dict[str, str] | None = None, **options: Any
) -> LoadedSettings:
    config = folder / "config.toml"
    config.write_text(file, encoding="utf-8")
    return load_settings(options, {"ARCFACE_CONFIG": str(config), **(variables or {})})


@pytest.mark.parametrize(("option", "variable", "file"), list(product([True, False], repeat=3)))
def test_the_nearest_word_to_the_user_counts(
    tmp_path: Path, option: bool, variable: bool, file: bool
) -> None:
    loaded = load(
        tmp_path,
        file="top = 4" if file else "",
        variables={"ARCFACE_TOP": "3"} if variable else {},
        top=2 if option else None,
    )
    said = [(option, 2, "option"), (variable, 3, "environment"), (file, 4, "config"), (True, 1, "built-in")]
    expected = next(words for here, *words in said if here)
    assert [loaded.values.top, loaded.origins["top"]] == expected


def test_zero_and_false_are_words_like_any_other(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, file="margin = 0.2\nthreshold = 0.3\nflip = true", margin=0.0, threshold=0.0, flip=False
    )
    assert (loaded.values.margin, loaded.values.threshold, loaded.values.flip) == (0.0, 0.0, False)
    assert {loaded.origins[name] for name in ("margin", "threshold", "flip")} == {"option"}


def test_an_empty_variable_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, variables={"ARCFACE_TOP": ""}).origins["top"] == "built-in"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("0", False), ("true", True), ("no", False)])
def test_switches_can_be_set_by_variable(tmp_path: Path, text: str, value: bool) -> None:
    assert load(tmp_path, variables={"ARCFACE_OFFLINE": text}).values.offline is value


def test_every_setting_has_a_variable_a_flag_and_words_that_explain_it() -> None:
    assert variable_name("max_distance") == "ARCFACE_MAX_DISTANCE"
    assert option_name("max_distance") == "--max-distance"
    assert all(field.description for field in KNOWN.values())
    assert list(KNOWN) == [field.name for field in fields(Settings)]


def test_a_threshold_said_nearer_hides_a_distance_said_further_away(tmp_path: Path) -> None:
    loaded = load(tmp_path, file="max_distance = 1.1", variables={"ARCFACE_THRESHOLD": "0.5"})
    assert (loaded.values.threshold, loaded.values.max_distance) == (0.5, None)
    nearer = load(
        tmp_path, file="max_distance = 1.1", variables={"ARCFACE_THRESHOLD": "0.5"}, max_distance=0.9
    )
    assert (nearer.values.threshold, nearer.values.max_distance) == (None, 0.9)
    assert nearer.origins["threshold"] == "built-in"


def test_a_threshold_and_a_distance_said_in_one_place_are_both_kept_for_the_verb_to_refuse(
    tmp_path: Path,
) -> None:
    loaded = load(tmp_path, threshold=0.5, max_distance=1.0)
    assert (loaded.values.threshold, loaded.values.max_distance) == (0.5, 1.0)


@pytest.mark.parametrize(("said", "meant"), [("~/faces", Path.home() / "faces"), ("~", Path.home())])
def test_a_tilde_is_the_home_folder_wherever_no_shell_has_made_it_so(
    tmp_path: Path, said: str, meant: Path
) -> None:
    assert load(tmp_path, file=f'gallery = "{said}"').values.gallery == meant
    assert load(tmp_path, variables={"ARCFACE_GALLERY": said}).values.gallery == meant
    assert load(tmp_path, gallery=Path(said)).values.gallery == meant
    assert config_path({"ARCFACE_CONFIG": said}) == meant


@pytest.mark.parametrize("name", ["~x", "a/~/b", "x~"])
def test_a_tilde_elsewhere_in_a_path_that_was_typed_is_part_of_a_name(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, gallery=Path(name)).values.gallery == Path(name)
    assert load(tmp_path, variables={"ARCFACE_GALLERY": name}).values.gallery == Path(name)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"variables": {"ARCFACE_TOP": "many"}}, r"^ARCFACE_TOP: 'many'"),
        ({"file": "batch = 0"}, r"config\.toml: batch: 0"),
        ({"file": 'gallery = "a\\u0000b"'}, r"config\.toml: gallery: 'a\\x00b' must be a path"),
        ({"min_face": -1.0}, r"^--min-face: -1"),
        ({"margin": float("nan")}, r"^--margin: nan"),
        ({"margin": 2.5}, r"^--margin: 2.5"),
        ({"det_score": 0.0}, r"^--det-score: 0"),
        ({"det_score": float("nan")}, r"^--det-score: nan"),
        ({"jobs": 0}, r"^--jobs: 0"),
        ({"file": 'metric = "percent"'}, r"config\.toml: metric: 'percent'"),
        ({"file": 'faces = "some"'}, r"config\.toml: faces: 'some'"),
        ({"file": "top = true"}, r"config\.toml: top: True"),
        ({"file": 'gallery = ""'}, r"config\.toml: gallery: the word is empty"),
        ({"device": ""}, "^--device: the word is empty"),
        ({"file": "device = 3"}, r"config\.toml: device: 3 must be text"),
        ({"file": 'gallery = "~nobody-of-that-name/g"'}, r"config\.toml: gallery: '~nobody"),
        ({"min_face": float("inf")}, r"^--min-face: inf"),
        ({"variables": {"ARCFACE_MIN_SHARPNESS": "inf"}}, r"^ARCFACE_MIN_SHARPNESS: 'inf'"),
    ],
)
def test_a_value_that_cant_be_is_told_by_the_place_it_was_said(
    tmp_path: Path, given: dict[str, Any], named: str
) -> None:
    with pytest.raises(UsageError, match=named) as raised:
        load(tmp_path, **given)
    assert raised.value.exit_status == 2
    assert raised.value.hint is not None
    assert "\n" not in raised.value.message


def test_a_misspelt_key_of_the_file_gets_a_guess(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no setting 'treshold'") as raised:
        load(tmp_path, file="treshold = 0.4")
    assert raised.value.hint == "did you mean 'threshold'?"


@pytest.mark.parametrize("content", [b"top = ", b"\xff\xfe", b"top = 1\ntop = 2"])
def test_a_damaged_file_is_told_by_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"config\.toml: the config file can't be read"):
        load_settings({}, {"ARCFACE_CONFIG": str(path)})


def test_a_folder_instead_of_a_file_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        load_settings({}, {"ARCFACE_CONFIG": str(tmp_path)})


def test_no_config_file_is_the_usual_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    loaded = load_settings({}, {})
    assert set(loaded.origins.values()) == {"built-in"}


def test_a_config_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    """A slip in its name would otherwise leave every setting as it is built in, the threshold too."""
    path = tmp_path / "confg.toml"
    with pytest.raises(MissingFile) as raised:
        load_settings({}, {"ARCFACE_CONFIG": str(path)})
    assert raised.value.exit_status == 2
    assert raised.value.message == f"ARCFACE_CONFIG: {path} does not exist"
    assert raised.value.hint == "make that file, or unset ARCFACE_CONFIG"


def test_an_empty_name_of_a_config_file_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert set(load_settings({}, {"ARCFACE_CONFIG": ""}).origins.values()) == {"built-in"}


def test_the_null_device_is_a_config_file_that_says_nothing() -> None:
    assert set(load_settings({}, {"ARCFACE_CONFIG": os.devnull}).origins.values()) == {"built-in"}


def test_the_config_file_is_where_the_variable_says() -> None:
    assert config_path({"ARCFACE_CONFIG": "/somewhere/else.toml"}) == Path("/somewhere/else.toml")
    assert config_path({}).name == "config.toml"


def test_sparing_leaves_out_what_cant_be_used_and_keeps_the_rest(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('top = "many"\nnothing = 1\nbatch = 7')
    problems: list[UsageError] = []
    variables = {"ARCFACE_CONFIG": str(config), "ARCFACE_MARGIN": "9", "ARCFACE_DEVICE": "cpu"}
    loaded = load_settings({}, variables, sparing(problems))
    assert len(problems) == 3
    assert (loaded.values.batch, loaded.values.device) == (7, "cpu")
    assert (loaded.values.top, loaded.values.margin) == (Settings().top, Settings().margin)
    assert (loaded.origins["top"], loaded.origins["batch"]) == ("built-in", "config")
    with pytest.raises(UsageError, match="--top"):
        load_settings({"top": 0}, variables, sparing(problems))


def test_a_setting_without_a_flag_is_not_explained_by_help(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, variables={"ARCFACE_GPU_MEMORY": "2GB"})
    assert caught.value.hint == "see all settings with: arcface config show"
