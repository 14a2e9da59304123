"""Option > ARCFACE_* variable > config file > built-in; every value knows its origin.

The only reader of os.environ, and the only place that knows where folders are.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from arcface_cli.errors import UsageError

APP = "arcface"
PREFIX = "ARCFACE_"
CONFIG_VARIABLE = "ARCFACE_CONFIG"

Origin = Literal["option", "environment", "config", "built-in"]
Format = Literal["table", "json", "jsonl", "csv", "tsv", "parquet", "npz", "npy"]
Faces = Literal["largest", "center", "all", "one"]
MetricName = Literal["cosine", "euclidean", "sqeuclidean", "angle"]
Fusion = Literal["max", "mean"]
IndexType = Literal["float32", "float16", "int8"]
PrecisionName = Literal["fp32", "fp16"]


def _gallery_folder() -> Path:
    return platformdirs.user_data_path(APP) / "gallery"


def _models_folder() -> Path:
    return platformdirs.user_data_path(APP) / "models"


class Settings(BaseModel):
    """Everything that can be set; None means that the verb, the gallery or the catalogue decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gallery: Annotated[Path, Field(description="folder of the gallery", default_factory=_gallery_folder)]
    models_dir: Annotated[Path, Field(description="folder of the weights", default_factory=_models_folder)]
    model: Annotated[str | None, Field(description="pack or recogniser")] = None
    detector: Annotated[str | None, Field(description="detector; the pack's own if unset")] = None
    device: Annotated[str, Field(description="auto, cpu, cuda or cuda:N")] = "auto"
    precision: Annotated[PrecisionName, Field(description="of the networks' arithmetic")] = "fp32"
    threshold: Annotated[float | None, Field(description="similarity from which two faces match")] = None
    max_distance: Annotated[float | None, Field(description="distance up to which two faces match")] = None
    metric: Annotated[MetricName | None, Field(description="what a threshold or distance is given in")] = None
    margin: Annotated[float, Field(description="lead over the runner-up that a match needs", ge=0, le=2)] = (
        0.05
    )
    top: Annotated[int, Field(description="candidates shown for each face", ge=1, le=1000)] = 1
    fusion: Annotated[Fusion, Field(description="a subject's similarity from its templates'")] = "max"
    index_type: Annotated[IndexType, Field(description="how vectors are kept for a search")] = "float32"
    keep_crops: Annotated[bool | None, Field(description="store aligned faces in a new gallery")] = None
    faces: Annotated[Faces | None, Field(description="which faces of a photograph count")] = None
    min_face: Annotated[float, Field(description="shorter side of a face in pixels", ge=0)] = 0.0
    det_score: Annotated[float | None, Field(description="detection score that counts", gt=0, le=1)] = None
    min_sharpness: Annotated[float | None, Field(description="sharpness that a face needs", ge=0)] = None
    max_yaw: Annotated[float | None, Field(description="turn to a side, in degrees", ge=0, le=180)] = None
    max_dark: Annotated[float | None, Field(description="share of a face that is black", ge=0, le=1)] = None
    max_bright: Annotated[
        float | None, Field(description="share of a face that is burnt out", ge=0, le=1)
    ] = None
    flip: Annotated[bool, Field(description="add the mirror image's feature")] = False
    batch: Annotated[int, Field(description="faces in one recogniser run", ge=1, le=4096)] = 32
    jobs: Annotated[int | None, Field(description="photographs worked on at once", ge=1, le=1024)] = None
    format: Annotated[Format | None, Field(description="of the output")] = None
    offline: Annotated[bool, Field(description="never use the network")] = False
    no_progress: Annotated[bool, Field(description="no progress bar")] = False
    quiet: Annotated[bool, Field(description="only errors that end the run")] = False


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Values, and where each came from."""

    values: Settings
    origins: Mapping[str, Origin]


def load_settings(options: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> LoadedSettings:
    """Merge what was given. options: by field name; None means not given.

    Raises UsageError naming the option, variable or file whose value can't be used.
    """
    variables = os.environ if environment is None else environment
    layers: dict[Origin, Mapping[str, Any]] = {
        "config": _from_file(config_path(variables)),
        "environment": _from_environment(variables),
        "option": {name: value for name, value in options.items() if value is not None},
    }
    merged: dict[str, Any] = {}
    origins: dict[str, Origin] = dict.fromkeys(Settings.model_fields, "built-in")
    for origin, layer in layers.items():
        for name in layer:
            origins[name] = origin
        merged.update(layer)
    _one_threshold(merged, origins, layers)
    try:
        return LoadedSettings(Settings.model_validate(merged), origins)
    except ValidationError as error:
        raise _explained(error, origins) from error


def config_path(environment: Mapping[str, str] | None = None) -> Path:
    """The config file: $ARCFACE_CONFIG, else config.toml in the user's config folder."""
    variables = os.environ if environment is None else environment
    named = variables.get(CONFIG_VARIABLE)
    return Path(named) if named else platformdirs.user_config_path(APP) / "config.toml"


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
    names = {field: variable_name(field) for field in Settings.model_fields}
    return {field: variables[name] for field, name in names.items() if variables.get(name)}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f"{path}: the config file can't be read ({error})", hint="mend or remove it"
        ) from error
    for key in values:
        if key not in Settings.model_fields:
            raise UsageError(f"{path}: there is no setting {key!r}", hint=_did_you_mean(key))
    return values


def _did_you_mean(key: str) -> str:
    close = difflib.get_close_matches(key, Settings.model_fields, n=1)
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


def _explained(error: ValidationError, origins: Mapping[str, Origin]) -> UsageError:
    first = error.errors()[0]
    field = str(first["loc"][0])
    spoken = {"environment": variable_name(field), "config": f"{field} in the config file"}
    name = spoken.get(origins.get(field, "option"), option_name(field))
    reason = str(first["msg"]).replace("Input should be", "must be")
    return UsageError(f"{name}: {first['input']!r} {reason}", hint="see --help")
