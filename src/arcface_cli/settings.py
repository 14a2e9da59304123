"""Option > ARCFACE_* variable > config file > built-in; every value knows its origin.

The only reader of os.environ, and the only place that knows where folders are.
"""

from __future__ import annotations

import difflib
import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs

from arcface_cli.errors import MissingFile, UsageError

APP = "arcface"
PREFIX = "ARCFACE_"
CONFIG_VARIABLE = "ARCFACE_CONFIG"

Origin = Literal["option", "environment", "config", "built-in"]
ListFormat = Literal["table", "json", "jsonl", "csv", "tsv"]
RecordFormat = Literal["table", "json", "jsonl", "csv", "tsv", "parquet"]
Format = Literal["table", "json", "jsonl", "csv", "tsv", "parquet", "npz", "npy"]
"""What every verb writes, what those with a record for each input do, and what `embed` does."""
Faces = Literal["largest", "center", "all", "one"]
MetricName = Literal["cosine", "euclidean", "sqeuclidean", "angle"]
Fusion = Literal["max", "mean"]
IndexType = Literal["float32", "float16", "int8"]
PrecisionName = Literal["fp32", "fp16"]


def _gallery_folder() -> Path:
    return platformdirs.user_data_path(APP) / "gallery"


def _models_folder() -> Path:
    return platformdirs.user_data_path(APP) / "models"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting: its kind, the words that explain it, and which values it takes.

    least, most: limits, `least` itself included unless `above`.  choices: the words it takes, if only some.
    """

    kind: type
    description: str
    least: float = -math.inf
    most: float = math.inf
    above: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; None means that the verb, the gallery or the catalogue decides.

    Checked by hand, so that each value keeps its origin and each mistake is told in our words.
    """

    gallery: Path = field(default_factory=_gallery_folder)
    models_dir: Path = field(default_factory=_models_folder)
    model: str | None = None
    detector: str | None = None
    device: str = "auto"
    precision: PrecisionName = "fp32"
    tensorrt: bool = False
    gpu_memory: float | None = None
    threshold: float | None = None
    max_distance: float | None = None
    metric: MetricName | None = None
    margin: float = 0.05
    top: int = 1
    fusion: Fusion = "max"
    index_type: IndexType = "float32"
    keep_crops: bool | None = None
    faces: Faces | None = None
    min_face: float = 0.0
    det_score: float | None = None
    min_sharpness: float | None = None
    max_yaw: float | None = None
    max_dark: float | None = None
    max_bright: float | None = None
    flip: bool = False
    batch: int = 32
    jobs: int | None = None
    format: Format | None = None
    offline: bool = False
    no_progress: bool = False
    quiet: bool = False


KNOWN: Mapping[str, Setting] = {
    "gallery": Setting(Path, "folder of the gallery"),
    "models_dir": Setting(Path, "folder of the weights"),
    "model": Setting(str, "pack or recogniser"),
    "detector": Setting(str, "detector; the pack's own if unset"),
    "device": Setting(str, "auto, cpu, cuda, cuda:N, or cuda:0,1 for several cards"),
    "precision": Setting(str, "of the recogniser's arithmetic", choices=get_args(PrecisionName)),
    "tensorrt": Setting(bool, "run the recogniser through TensorRT"),
    "gpu_memory": Setting(float, "GiB of a card that each network may take", 0, above=True),
    "threshold": Setting(float, "similarity from which two faces match"),
    "max_distance": Setting(float, "distance up to which two faces match"),
    "metric": Setting(str, "what a threshold or distance is given in", choices=get_args(MetricName)),
    "margin": Setting(float, "lead over the runner-up that a match needs", 0, 2),
    "top": Setting(int, "candidates shown for each face", 1, 1000),
    "fusion": Setting(str, "a subject's similarity from its templates'", choices=get_args(Fusion)),
    "index_type": Setting(str, "how vectors are kept for a search", choices=get_args(IndexType)),
    "keep_crops": Setting(bool, "store aligned faces in a new gallery"),
    "faces": Setting(str, "which faces of a photograph count", choices=get_args(Faces)),
    "min_face": Setting(float, "shorter side of a face in pixels", 0),
    "det_score": Setting(float, "detection score that counts", 0, 1, above=True),
    "min_sharpness": Setting(float, "sharpness that a face needs", 0),
    "max_yaw": Setting(float, "turn to a side, in degrees", 0, 180),
    "max_dark": Setting(float, "share of a face that is black", 0, 1),
    "max_bright": Setting(float, "share of a face that is burnt out", 0, 1),
    "flip": Setting(bool, "add the mirror image's feature"),
    "batch": Setting(int, "faces in one recogniser run", 1, 4096),
    "jobs": Setting(int, "photographs worked on at once", 1, 1024),
    "format": Setting(str, "of the output", choices=get_args(Format)),
    "offline": Setting(bool, "never use the network"),
    "no_progress": Setting(bool, "no progress bar"),
    "quiet": Setting(bool, "only errors that end the run"),
}
"""Every field of `Settings`, explained."""

YES, NO = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Values, and where each came from."""

    values: Settings
    origins: Mapping[str, Origin]


Judge = Callable[[UsageError, Origin], None]
"""What becomes of a word that can't be used: it is raised, or noted, and then left out."""


def refuse(error: UsageError, origin: Origin) -> None:
    """Raise it, wherever the word came from."""
    raise error


def sparing(problems: list[UsageError]) -> Judge:
    """Notes what is wrong with variables and the config file; what is wrong on the command line is raised."""

    def judge(error: UsageError, origin: Origin) -> None:
        if origin == "option":
            raise error
        problems.append(error)

    return judge


def load_settings(
    options: Mapping[str, Any], environment: Mapping[str, str] | None = None, judge: Judge = refuse
) -> LoadedSettings:
    """Merge what was given. options: by field name; None means not given.

    judge: raises, unless told otherwise, UsageError naming the option, variable or file whose value can't be
    used, and MissingFile when $ARCFACE_CONFIG names no file. Without that variable there need be none.
    """
    variables = os.environ if environment is None else environment
    file, values = _config_file(variables, judge)
    layers: dict[Origin, Mapping[str, Any]] = {
        "config": values,
        "environment": _from_environment(variables),
        "option": {name: value for name, value in options.items() if value is not None},
    }
    merged: dict[str, Any] = {}
    origins: dict[str, Origin] = dict.fromkeys(KNOWN, "built-in")
    for origin, layer in layers.items():
        for name in layer:
            origins[name] = origin
        merged.update(layer)
    _one_threshold(merged, origins, layers)
    checked: dict[str, Any] = {}
    for name, value in merged.items():
        try:
            checked[name] = _checked(name, value, origins[name], file)
        except UsageError as error:
            judge(error, origins[name])
            origins[name] = "built-in"
    return LoadedSettings(Settings(**checked), origins)


def config_path(environment: Mapping[str, str] | None = None) -> Path:
    """The config file: $ARCFACE_CONFIG, else config.toml in the user's config folder."""
    variables = os.environ if environment is None else environment
    named = variables.get(CONFIG_VARIABLE)
    if not named:
        return platformdirs.user_config_path(APP) / "config.toml"
    try:
        return _at_home(Path(named))
    except RuntimeError as error:
        raise UsageError(f"{CONFIG_VARIABLE}: {named}: {error}", hint="write the folder out") from error


def cache_folder() -> Path:
    """Where templates of photographs seen before are kept; it may be deleted at any time."""
    return platformdirs.user_cache_path(APP)


def variable_name(field: str) -> str:
    """The environment variable of a field: threshold -> ARCFACE_THRESHOLD."""
    return PREFIX + field.upper()


def option_name(field: str) -> str:
    """The flag of a field: max_distance -> --max-distance."""
    return "--" + field.replace("_", "-")


def available_cores() -> int:
    """CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _from_environment(variables: Mapping[str, str]) -> dict[str, str]:
    names = {field: variable_name(field) for field in KNOWN}
    return {field: variables[name] for field, name in names.items() if variables.get(name)}


def _config_file(variables: Mapping[str, str], judge: Judge) -> tuple[Path, dict[str, Any]]:
    """The config file, and what it says of settings that there are."""
    file = Path(os.devnull)
    try:
        file = config_path(variables)
        values = _from_file(file, named=bool(variables.get(CONFIG_VARIABLE)))
    except UsageError as error:
        judge(error, "config")
        return file, {}
    for key in [key for key in values if key not in KNOWN]:
        del values[key]
        judge(UsageError(f"{file}: there is no setting {key!r}", hint=_did_you_mean(key)), "config")
    return file, values


def _from_file(path: Path, *, named: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if not named:
            return {}
        raise MissingFile(
            f"{CONFIG_VARIABLE}: {path} does not exist", hint=f"make that file, or unset {CONFIG_VARIABLE}"
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"{path}: the config file can't be read ({error})", hint="mend or remove it"
        ) from error


def _did_you_mean(key: str) -> str:
    close = difflib.get_close_matches(key, KNOWN, n=1)
    return f"did you mean {close[0]!r}?" if close else "see all with: arcface config show"


def _one_threshold(
    merged: dict[str, Any], origins: dict[str, Origin], layers: Mapping[Origin, Mapping[str, Any]]
) -> None:
    """A threshold said nearer to the user hides one said further away in the other flag's words."""
    rank = list(layers)
    pair = [name for name in ("threshold", "max_distance") if name in merged]
    if len(pair) == 2 and origins[pair[0]] != origins[pair[1]]:
        weaker = min(pair, key=lambda name: rank.index(origins[name]))
        del merged[weaker]
        origins[weaker] = "built-in"


def _checked(name: str, value: Any, origin: Origin, file: Path) -> Any:
    """The value in its own kind. Raises UsageError naming where it was said; file: the config file."""
    known = KNOWN[name]
    try:
        made = _made(value, known)
        if known.kind is Path and made is not None:
            made = _at_home(made, every=origin == "config")
    except (ValueError, TypeError, RuntimeError):
        made = None
    if known.kind in (int, float) and made is not None and not _within(made, known):
        made = None
    if made is None or (known.choices and made not in known.choices):
        spoken = {"environment": variable_name(name), "config": f"{file}: {name}"}
        said = spoken.get(origin, option_name(name))
        wrong = "the word is empty" if value == "" else f"{value!r} must be {_wanted(known)}"
        takes = f"it takes: {known.description}; " if known.kind is str and not known.choices else ""
        page = "see --help" if origin == "option" else "see all settings with: arcface config show"
        raise UsageError(f"{said}: {wrong}", hint=f"{takes}{page}")
    return made


def _at_home(path: Path, *, every: bool = False) -> Path:
    """A path with ~ in its first place, which shells leave there in quotes and in --gallery=~/faces.

    every: also ~somebody, in a file that no shell has read. Raises RuntimeError for the home of nobody.
    """
    return path.expanduser() if every or path.parts[:1] == ("~",) else path


def _made(value: Any, known: Setting) -> Any:
    """A word of the environment, or a value of TOML or Typer, in its kind; None if it can't be."""
    if known.kind is bool:
        word = str(value).lower()
        return True if word in YES else False if word in NO else None
    if isinstance(value, bool):
        return None
    if known.kind is int:
        number = float(value)
        return int(number) if number.is_integer() else None
    if known.kind in (str, Path) and (not isinstance(value, str | Path) or value == "" or "\0" in str(value)):
        return None
    return known.kind(value)


def _within(number: float, known: Setting) -> bool:
    """Whether a number keeps the limits of its setting; NaN and infinity only where there are none."""
    if (known.least, known.most) == (-math.inf, math.inf):
        return True
    return (
        math.isfinite(number)
        and (number > known.least if known.above else number >= known.least)
        and number <= known.most
    )


_KIND = {int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def _wanted(known: Setting) -> str:
    if known.choices:
        return f"one of {', '.join(known.choices)}"
    words = _KIND.get(known.kind, "text")
    if known.kind not in (int, float) or known.least == -math.inf:
        return words
    least = f"{'over' if known.above else 'at least'} {known.least:g}"
    return f"{words}, {least}" + ("" if known.most == math.inf else f" and at most {known.most:g}")
