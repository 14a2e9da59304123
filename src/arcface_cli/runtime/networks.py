"""A weights file -> a session, with its graph rewritten on the way where that is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from arcface_cli.runtime.rewritten import REWRITE_VERSION, kept_or_made
from arcface_cli.runtime.sessions import Session, SessionOptions, open_session
from arcface_cli.runtime.spreading import SpreadNetwork

if TYPE_CHECKING:
    from arcface_cli.runtime.graphs import Scaling


class Precision(StrEnum):
    """Of a network's arithmetic; what goes in and comes out keeps its type."""

    FP32 = "fp32"
    FP16 = "fp16"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is done to a graph: declared dimensions of the picture input made free, pixels taken as they are.

    pixels: how the network wants them; None leaves the scaling to the host.
    """

    batch: bool = False
    spatial: bool = False
    pixels: Scaling | None = None

    def __bool__(self) -> bool:
        return self.batch or self.spatial or self.pixels is not None

    @property
    def key(self) -> str:
        """Equal exactly when the same is done."""
        fed = self.pixels
        how = "" if fed is None else f"-{'rgb' if fed.rgb else 'bgr'},{fed.mean!r},{fed.scale!r}"
        return f"{self.batch:d}{self.spatial:d}{how}"


def open_network(
    path: Path,
    rewrite: Rewrite,
    precision: Precision,
    options: SessionOptions,
    *,
    sha256: str = "",
    kept: Path | None = None,
) -> Session | SpreadNetwork:
    """Load the network of `path`, on every card of the device.

    sha256: of the file; needed for TensorRT.  kept: folder for rewritten graphs (see `rewritten`); needs the
    sha256. Raises ModelUnusable or DeviceUnavailable (see `open_session`).
    """
    key = f"{sha256}-{rewrite.key}-{precision.value}"
    graph: Path | bytes = path
    if rewrite or precision is not Precision.FP32:
        graph = kept_or_made(kept if sha256 else None, key, lambda: rewritten(path, rewrite, precision))
    sessions = [
        _on_one_card(graph, path.name, replace(options, device=device), f"{key}-{REWRITE_VERSION}")
        for device in options.device.singly()
    ]
    return sessions[0] if len(sessions) == 1 else SpreadNetwork(sessions)


def _on_one_card(graph: Path | bytes, name: str, options: SessionOptions, key: str) -> Session:
    """key: names the graph, for TensorRT's engines."""
    card = options.device.cuda_index
    if options.engines is None or card is None:
        return open_session(graph, name, options)
    if key.startswith("-"):
        raise ValueError("TensorRT's engines are kept by the hash of their network")
    return open_session(graph, name, options, options.engines.of(key, name, card))


def rewritten(path: Path, rewrite: Rewrite, precision: Precision) -> bytes:
    """The ONNX file of `path` with all that done to it. Raises ModelUnusable for what isn't a network."""
    from arcface_cli.runtime.graphs import free_dimensions, halve, read_network, take_pixels

    network = read_network(path)
    if rewrite.batch or rewrite.spatial:
        free_dimensions(network, batch=rewrite.batch, spatial=rewrite.spatial)
    if precision is Precision.FP16:
        halve(network)
    if rewrite.pixels is not None:  # last, so that it scales in float32 as the host does
        take_pixels(network, rewrite.pixels)
    return network.serialised()
