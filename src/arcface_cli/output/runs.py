"""A run of `evaluate` on disk: its scores and what they are of, in an .npz file without pickles."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import UsageError
from arcface_cli.evaluation.assertions import Run
from arcface_cli.evaluation.identification import Searches
from arcface_cli.evaluation.scores import PairScores
from arcface_cli.inputs.names import printable
from arcface_cli.output.files import whole_file

_PAIRS = ("similarity", "genuine", "first", "second", "fold")
_SEARCHES = ("own", "other", "rank", "enrolled", "person", "subjects")
_SCORES = frozenset(("similarity", "own", "other"))
_FLAGS = frozenset(("genuine", "enrolled"))


def save_run(path: Path, run: Run, about: dict[str, Any]) -> None:
    """Write the scores. about: model, data and so on, plain values. Raises OutputError.

    Raises UsageError for a run of so many pairs that only counts are left.
    """
    if isinstance(run, PairScores):
        names: tuple[str, ...] = _PAIRS
    elif isinstance(run, Searches):
        names = _SEARCHES
    else:
        raise UsageError("--save: a run of so many pairs keeps no single scores, so there is nothing to save")
    arrays = {name: np.asarray(getattr(run, name)) for name in names if getattr(run, name) is not None}
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, about=np.array(json.dumps(about)), **arrays)


def load_run(path: Path) -> tuple[PairScores | Searches, dict[str, Any]]:
    """Read what `save_run` wrote. Raises UsageError for anything else."""
    shown = printable(str(path))
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays.pop("about")))
        _check(arrays, about)
        if "similarity" in arrays:
            return PairScores(**{name: arrays.get(name) for name in _PAIRS}), about  # type: ignore[arg-type]
        subjects = int(arrays.pop("subjects"))
        return Searches(**arrays, subjects=subjects), about
    except FileNotFoundError as error:
        raise UsageError(f"{shown} does not exist", hint="write it with: arcface evaluate --save") from error
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(
            f"{shown} is no saved run ({error})", hint="write it with: arcface evaluate --save"
        ) from error


def _check(arrays: dict[str, NDArray[Any]], about: object) -> None:
    """Raises ValueError unless the arrays hold what `save_run` puts into them."""
    if not isinstance(about, dict):
        raise ValueError("it doesn't say what it is of")
    for name, array in arrays.items():
        kind = "f" if name in _SCORES else "b" if name in _FLAGS else "i"
        if array.dtype.kind != kind:
            raise ValueError(f"{name} has elements of type {array.dtype}")
    if len({array.shape for name, array in arrays.items() if name != "subjects"}) != 1:
        raise ValueError("its arrays differ in length")
    for name in _SCORES & arrays.keys():
        found = arrays[name][~np.isnan(arrays[name])]
        if not np.all(np.abs(found) <= 1.0):
            raise ValueError(f"{name} holds what is no cosine similarity")
    if "rank" in arrays and (arrays["rank"] < 0).any():
        raise ValueError("a rank is negative")
