"""A weights file -> a session, with its graph rewritten on the way where that is needed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from arcface_cli.runtime.rewritten import kept_or_made
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

    def __bool__(self) -> bool:
        return self.batch or self.spatial


def open_network(
    path: Path,
    rewrite: Rewrite,
    precision: Precision,
    options: SessionOptions,
    *,
    sha256: str = "",
    kept: Path | None = None,
) -> Session:
    """Load the network of `path`.

    sha256: of the file.  kept: folder for rewritten graphs (see `rewritten`); needs the sha256.
    Raises ModelUnusable or DeviceUnavailable (see `open_session`).
    """
    if not rewrite and precision is Precision.FP32:
        return open_session(path, path.name, options)
    key = f"{sha256}-{rewrite.batch:d}{rewrite.spatial:d}-{precision.value}"
    graph = kept_or_made(kept if sha256 else None, key, lambda: _rewritten(path, rewrite, precision))
    return open_session(graph, path.name, options)


def _rewritten(path: Path, rewrite: Rewrite, precision: Precision) -> bytes:
    from arcface_cli.runtime.graphs import free_dimensions, to_half_precision

    model: Path | bytes = path
    if rewrite:
        model = free_dimensions(path, batch=rewrite.batch, spatial=rewrite.spatial)
    if precision is Precision.FP16:
        return to_half_precision(model)
    return path.read_bytes() if isinstance(model, Path) else model
