"""Faces a second through the package's recogniser, beside a plain ONNX Runtime loop over the same file.

The network is an IR-ResNet with random weights (`iresnet.py`), or an ONNX file of yours. Everybody takes
turns, so that a busy machine is busy for all:

* plain: an `InferenceSession` with its defaults, on the device, fed float32 crops scaled beforehand.
* arcface: `Recogniser.embed` on uint8 crops, scaling and unit length and all, in each precision asked for.

On CUDA also, for each precision: *device*, the same graph on crops that lie on the card, answers left there;
*captured*, that run as a CUDA graph; *streams*, half of the crops in each of two sessions; the first two
also through TensorRT, where it can be loaded; and each rate as a share of the ceiling, which is the float16
matrix product measured in the same run over the network's operations a face. The package uses neither CUDA
graphs nor several streams on a card: here is what they would bring.

    python benchmarks/recogniser.py
    python benchmarks/recogniser.py --device cuda --batch 64 128 256 512 --precision fp32 fp16
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

import iresnet
from arcface_cli.cli import build
from arcface_cli.faces import CROP_SIDE, AlignedFaces, ModelFingerprint
from arcface_cli.imaging.blob import to_blob
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.runtime.arithmetic import operations
from arcface_cli.runtime.ceilings import product_rate
from arcface_cli.runtime.devices import choose_device, tensorrt_obstacle, this_machine
from arcface_cli.runtime.graphs import read_facts
from arcface_cli.runtime.networks import Precision, Rewrite, rewritten
from arcface_cli.runtime.sessions import Session, SessionOptions, cuda_options
from arcface_cli.settings import Settings, available_cores
from arcface_cli.weights.catalogue import RecogniserEntry
from arcface_cli.weights.store import InstalledRecogniser

Once = Callable[[], object]


def main() -> None:
    options = parse_options()
    device = choose_device(options.device).device
    threads = available_cores()
    print(f"{device}, {threads} cores, ONNX Runtime {onnxruntime.__version__}")
    with tempfile.TemporaryDirectory(prefix="arcface-bench-") as scratch:
        folder = Path(scratch)
        installed = network_of(options, folder)
        sessions = SessionOptions(device, threads=threads)
        ceiling = ceiling_of(installed, sessions)
        for batch in options.batch:
            crops = np.random.default_rng(batch).integers(0, 256, (batch, 112, 112, 3), dtype=np.uint8)
            everybody = dict(contenders(installed, crops, sessions, options.precision, folder))
            report(batch, measured(everybody, batch, options), ceiling)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--depth", type=int, choices=iresnet.UNITS, default=100, help="of the IR-ResNet")
    parser.add_argument("--network", type=Path, help="an ONNX file instead: RGB, (x - 127.5) / 127.5")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--precision", nargs="+", choices=("fp32", "fp16"), default=["fp32"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each contender's turn, at least")
    return parser.parse_args()


# --- the network ------------------------------------------------------------------------------------


def network_of(options: argparse.Namespace, folder: Path) -> InstalledRecogniser:
    path = options.network
    if path is None:
        path = folder / f"iresnet{options.depth}.onnx"
        path.write_bytes(iresnet.network(options.depth))
    facts = read_facts(path)
    free = "rewritable" if isinstance(facts.input_shape[0], int) else "dynamic"
    dimension = facts.output_shapes[0][-1]
    assert isinstance(dimension, int)
    entry = RecogniserEntry(path.stem, path.stem, "rgb", 127.5, 127.5, dimension, free)
    return InstalledRecogniser(entry, path, hashlib.sha256(path.read_bytes()).hexdigest())


def ceiling_of(installed: InstalledRecogniser, sessions: SessionOptions) -> float:
    """Faces a second that the matrix product allows."""
    flop = operations(installed.path, CROP_SIDE, CROP_SIDE)
    on_cuda = sessions.device.cuda_index is not None
    rate = product_rate(sessions, Precision.FP16 if on_cuda else Precision.FP32)
    print(f"{flop / 1e9:.1f} GFLOP a face; {'float16' if on_cuda else 'float32'} matrix product ", end="")
    print(f"{rate / 1e12:.3g} TFLOP/s: at most {rate / flop:.4g} faces a second")
    return rate / flop


# --- who runs it ------------------------------------------------------------------------------------


def contenders(
    installed: InstalledRecogniser,
    crops: NDArray[np.uint8],
    sessions: SessionOptions,
    precisions: Sequence[str],
    folder: Path,
) -> Iterator[tuple[str, Once]]:
    on_cuda = sessions.device.cuda_index is not None
    yield "plain", plain(installed, crops, provider_of(sessions))
    obstacle = tensorrt_obstacle(this_machine()) if on_cuda else None
    if obstacle is not None:
        print(f"without TensorRT: {obstacle.reason}")
    for tensorrt in (False, True) if on_cuda and obstacle is None else (False,):
        for precision in precisions:
            settings = Settings(
                models_dir=folder, precision=precision, tensorrt=tensorrt, batch=len(crops), quiet=True
            )
            network = build.recogniser_network(installed, settings, sessions)
            name = f"TensorRT {precision}" if tensorrt else precision
            yield f"arcface {name}", ours(installed, network, crops, padded=on_cuda)
            if on_cuda:
                yield f"device {name}", network.resident(crops)
            if on_cuda and not tensorrt:
                graph = fed_with_pixels(installed, Precision(precision))
                yield f"captured {name}", captured(graph, crops, sessions)
                yield f"streams {name}", streams(graph, crops, sessions)


def ours(installed: InstalledRecogniser, network: Session, crops: NDArray[np.uint8], *, padded: bool) -> Once:
    entry = installed.entry
    scaling = None if network.takes_pixels else build.scaling_of(entry)
    fingerprint = ModelFingerprint(installed.sha256, entry.preprocessing, "benchmark", entry.dimension)
    recogniser = Recogniser(network, scaling, fingerprint, batch=len(crops), padded=padded)
    faces = AlignedFaces(crops, np.tile(np.eye(2, 3), (len(crops), 1, 1)))
    return lambda: recogniser.embed(faces, "the crops")


def fed_with_pixels(installed: InstalledRecogniser, precision: Precision) -> bytes:
    """The graph as the package feeds it on a card."""
    entry = installed.entry
    rewrite = Rewrite(batch=entry.batch == "rewritable", pixels=build.scaling_of(entry))
    return rewritten(installed.path, rewrite, precision)


def captured(graph: bytes, crops: NDArray[np.uint8], sessions: SessionOptions) -> Once:
    """Runs of one CUDA graph: what goes in and comes out keeps its place on the card."""
    place = place_of(sessions)
    more = {} if place[0] == "cpu" else {"enable_cuda_graph": "1"}
    session = opened(graph, sessions, more)
    binding = session.io_binding()
    entrance, (answer,) = session.get_inputs()[0].name, session.get_outputs()
    binding.bind_ortvalue_input(entrance, onnxruntime.OrtValue.ortvalue_from_numpy(crops, *place))
    shape = [len(crops), answer.shape[-1]]
    room = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, *place)
    binding.bind_ortvalue_output(answer.name, room)

    def once() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return once


def streams(graph: bytes, crops: NDArray[np.uint8], sessions: SessionOptions) -> Once:
    """Two sessions, each with a stream of its own, side by side on one card."""
    halves = [part for part in np.array_split(crops, 2) if len(part)]
    each = [Session(opened(graph, sessions), "half", sessions.device).resident(part) for part in halves]
    pool = ThreadPoolExecutor(len(each))
    return lambda: [done.result() for done in [pool.submit(run) for run in each]]


def opened(graph: bytes, sessions: SessionOptions, more: dict[str, str] | None = None) -> Any:
    provider = provider_of(sessions)
    if not isinstance(provider, str):
        provider = (provider[0], cuda_options(sessions) | (more or {}))
    return onnxruntime.InferenceSession(graph, providers=[provider])


def place_of(sessions: SessionOptions) -> tuple[str, int]:
    index = sessions.device.cuda_index
    return ("cpu", 0) if index is None else ("cuda", index)


def plain(installed: InstalledRecogniser, crops: NDArray[np.uint8], provider: Any) -> Once:
    """All crops in one run; one by one where the file wants them so."""
    session = onnxruntime.InferenceSession(str(installed.path), providers=[provider])
    assert session.get_providers()[0] == (provider if isinstance(provider, str) else provider[0])
    entrance = session.get_inputs()[0]
    blob = to_blob(crops, build.scaling_of(installed.entry))
    parts = [blob] if installed.entry.batch == "dynamic" else [row[None] for row in blob]

    def once() -> None:
        for part in parts:
            session.run(None, {entrance.name: part})

    return once


def provider_of(sessions: SessionOptions) -> Any:
    index = sessions.device.cuda_index
    return "CPUExecutionProvider" if index is None else ("CUDAExecutionProvider", {"device_id": str(index)})


# --- turns and figures ------------------------------------------------------------------------------


def measured(everybody: dict[str, Once], batch: int, options: argparse.Namespace) -> dict[str, list[float]]:
    """Faces a second by contender and round."""
    for once in everybody.values():  # kernels are chosen, engines built, memory taken
        once()
    rates: dict[str, list[float]] = {name: [] for name in everybody}
    for number in range(options.rounds):
        names = list(everybody) if number % 2 == 0 else list(everybody)[::-1]
        for name in names:
            rates[name].append(batch * repeated(everybody[name], options.seconds))
    return rates


def repeated(once: Once, seconds: float) -> float:
    """Runs a second, over at least that long."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        once()
        count += 1
    return count / (time.perf_counter() - start)


def report(batch: int, rates: dict[str, list[float]], ceiling: float) -> None:
    print(f"\nbatch {batch:4}             faces/s   of plain (least to most)   of the ceiling")
    for name, runs in rates.items():
        shares = [run / base for run, base in zip(runs, rates["plain"], strict=True)]
        middle = statistics.median(runs)
        spread = f"{statistics.median(shares):6.3f} ({min(shares):.3f} to {max(shares):.3f})"
        print(f"{name:21} {middle:11.2f}   {spread:>24} {middle / ceiling:14.3f}")


if __name__ == "__main__":
    main()
