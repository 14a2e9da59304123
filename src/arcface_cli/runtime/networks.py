"""A weights file -> a session, with its graph rewritten on the way where that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from arcface_cli.runtime.graphs import free_dimensions, to_half_precision
from arcface_cli.runtime.sessions import Session, SessionOptions, open_session


class Precision(StrEnum):
    """Of a network's arithmetic; input and output stay float32."""

    FP32 = "fp32"
    FP16 = "fp16"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Which declared dimensions of the picture input must be made free."""

    batch: bool = False
    spatial: bool = False


def open_network(path: Path, rewrite: Rewrite, precision: Precision, options: SessionOptions) -> Session:
    """Load the network of `path`. Raises ModelUnusable or DeviceUnavailable (see `open_session`)."""
    model: Path | bytes = path
    if rewrite.batch or rewrite.spatial:
        model = free_dimensions(path, batch=rewrite.batch, spatial=rewrite.spatial)
    if precision is Precision.FP16:
        model = to_half_precision(model)
    return open_session(model, path.name, options)
