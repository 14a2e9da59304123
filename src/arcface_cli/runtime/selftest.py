"""Does a provider compute? A network of seven nodes and a picture, made here, whose right answer is stored.

Its layers are an ArcFace network's in small (convolution, PReLU, batch normalisation, fully connected), so
the same libraries must work, and it needs no weights. What is called here runs in a process of its own
(`diagnosis.apart`), so it takes and returns JSON values.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable, ModelUnusable
from arcface_cli.faces import CROP_SIDE
from arcface_cli.runtime.devices import (
    TENSORRT_PROVIDER,
    cuda_obstacle,
    provider_file,
    tensorrt_obstacle,
    this_machine,
    unloadable,
)
from arcface_cli.runtime.networks import Precision, Rewrite, rewritten
from arcface_cli.runtime.sessions import CPU_PROVIDER, CUDA_PROVIDER

EXPECTED = (
    0.1201074, 0.0589668, 0.1699224, 0.0817546, -0.3683323, -0.0001071, 0.1586942, -0.2939449,
    -0.0539156, -0.0772747, 0.3507469, -0.0977917, -0.3755010, -0.0217037, -0.5034640, 0.4035723,
)  # fmt: skip
"""The unit feature of `picture`, from the formulas in float64 (tests/unit/runtime/test_selftest.py)."""

TOLERANCE = 1e-3
"""Largest difference of a component that passes. float32 differs by 1.4e-7 on a CPU; TF32, CUDA's default,
which rounds factors to 10 bits, by 2.6e-4 (computed); swapped channels by 0.5."""

SIMILARITY = 0.999
"""Cosine from which two providers' features of one picture by a real recogniser are the same."""

_SEED = 20261124


def picture() -> NDArray[np.uint8]:
    """A disc on a slope of light, a stripe of colour: (112, 112, 3) uint8 BGR, from integers alone."""
    rows, columns = np.mgrid[:CROP_SIDE, :CROP_SIDE]
    centre = CROP_SIDE // 2
    disc = np.where((rows - centre) ** 2 + (columns - centre) ** 2 < 38**2, 90, 0)
    channels = [rows + disc, columns + disc // 2, (rows // 8 % 2) * 60 + disc]
    return np.stack(channels, axis=2).astype(np.uint8)


def blob(*, rgb: bool, mean: float, scale: float) -> NDArray[np.float32]:
    """The picture as a network takes it: (1, 3, 112, 112) float32, (value - mean) / scale."""
    pixels = picture()[:, :, ::-1] if rgb else picture()
    scaled = (pixels.astype(np.float32) - mean) / scale
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], dtype=np.float32)


def weights() -> dict[str, NDArray[np.float32]]:
    """Seeded weights. NumPy promises the stream of RandomState for ever (NEP 19), not that of Generator."""
    stream = np.random.RandomState(_SEED)
    shapes = {
        "first": (8, 3, 4, 4),
        "first_slope": (8, 1, 1),
        "gain": (8,),
        "shift": (8,),
        "mean": (8,),
        "variance": (8,),
        "second": (16, 8, 4, 4),
        "second_slope": (16, 1, 1),
        "dense": (16, 784),
        "bias": (16,),
    }
    made = {name: stream.uniform(-0.5, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    made["variance"] += np.float32(1)  # 0.5 to 1.5
    return made


def network() -> bytes:
    """The ONNX file: (N, 3, 112, 112) -> (N, 16), not of unit length."""
    from onnx import TensorProto, helper, numpy_helper

    node = helper.make_node
    nodes = [
        node("Conv", ["picture", "first"], ["a"], strides=[4, 4]),
        node("PRelu", ["a", "first_slope"], ["b"]),
        node("BatchNormalization", ["b", "gain", "shift", "mean", "variance"], ["c"], epsilon=1e-5),
        node("Conv", ["c", "second"], ["d"], strides=[4, 4]),
        node("PRelu", ["d", "second_slope"], ["e"]),
        node("Flatten", ["e"], ["f"]),
        node("Gemm", ["f", "dense", "bias"], ["feature"], transB=1),
    ]
    shapes = {"picture": ["batch", 3, CROP_SIDE, CROP_SIDE], "feature": ["batch", len(EXPECTED)]}
    ends = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    }
    constants = [numpy_helper.from_array(array, name) for name, array in weights().items()]
    graph = helper.make_graph(nodes, "selftest", [ends["picture"]], [ends["feature"]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def small_trial(provider: str) -> dict[str, float]:
    """Embed the picture with the small network on `provider`, "CUDAExecutionProvider:1" for its card 1.

    difference: largest of a component from EXPECTED.  milliseconds: of a second run.
    Raises DeviceUnavailable when the provider doesn't serve, ModelUnusable when it answers with nonsense.
    """
    feature, milliseconds = _embedded(network(), provider, blob(rgb=False, mean=127.5, scale=127.5))
    difference = float(np.abs(feature - np.asarray(EXPECTED)).max())
    return {"difference": difference, "milliseconds": milliseconds}


def recogniser_trial(request: Mapping[str, Any]) -> dict[str, Any]:
    """Embed the picture with a real recogniser. request: path, provider, rgb, mean, scale, precision.

    feature: D numbers of unit length.  milliseconds: of a second run. Raises as `small_trial` does.
    """
    fed = blob(rgb=request["rgb"], mean=request["mean"], scale=request["scale"])
    model: bytes | str = request["path"]
    if request.get("precision") == Precision.FP16:
        model = rewritten(Path(request["path"]), Rewrite(), Precision.FP16)
    feature, milliseconds = _embedded(model, request["provider"], fed)
    return {"feature": [float(value) for value in feature], "milliseconds": milliseconds}


def _embedded(
    model: bytes | str, provider: str, fed: NDArray[np.float32]
) -> tuple[NDArray[np.float64], float]:
    session = _session(model, provider)
    entrance = session.get_inputs()[0]
    batch = entrance.shape[0] if isinstance(entrance.shape[0], int) else 1
    feeds = {entrance.name: fed.repeat(batch, axis=0)}
    session.run(None, feeds)
    start = time.perf_counter()
    answer = np.asarray(session.run(None, feeds)[0][0], np.float64).reshape(-1)
    milliseconds = 1000 * (time.perf_counter() - start)
    length = float(np.linalg.norm(answer))
    if not np.isfinite(length) or length == 0:
        raise ModelUnusable(f"{provider} answers the picture with no direction (norm {length:g})")
    return answer / length, milliseconds


def _session(model: bytes | str, provider: str) -> Any:
    """A session that `provider` serves, or DeviceUnavailable with the first thing that is missing."""
    name, _, card = provider.partition(":")
    ort = this_machine().onnxruntime()
    ort.set_default_logger_severity(4)
    _require(name, int(card or 0), ort)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    first: Any = (name, {"device_id": card}) if card else name
    wanted = [first] if name == CPU_PROVIDER else [first, CPU_PROVIDER]
    session = ort.InferenceSession(model, options, providers=wanted, enable_fallback=0)
    serving = session.get_providers()
    if not serving or serving[0] != name:
        raise DeviceUnavailable(f"ONNX Runtime serves with {', '.join(serving) or 'nothing'} instead")
    return session


def _require(provider: str, card: int, ort: Any) -> None:
    machine = this_machine()
    if provider not in ort.get_available_providers():
        raise DeviceUnavailable(f"the installed onnxruntime ({ort.__version__}) is built without {provider}")
    obstacle = cuda_obstacle(card, machine) if provider in (CUDA_PROVIDER, TENSORRT_PROVIDER) else None
    if obstacle is None and provider == TENSORRT_PROVIDER:
        obstacle = tensorrt_obstacle(machine)
    if obstacle is not None:
        raise DeviceUnavailable(obstacle.reason, hint=obstacle.hint)
    library = provider_file(ort, provider.removesuffix("ExecutionProvider").lower())
    reason = unloadable(library, machine) if library.exists() else None
    if reason is not None:
        raise DeviceUnavailable(reason)
