"""What a device can do at best: a large matrix product and a large copy, through the runtime of the networks.

Beside these every other speed of the same run is a share, which means the same on any machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arcface_cli.runtime.networks import Precision
from arcface_cli.runtime.sessions import Session, SessionOptions, open_session

PRODUCT_SIDE = {"cpu": 2048, "cuda": 8192}
"""Rows and columns of the matrices: enough work to hide the start of a run."""
COPIED = {"cpu": 256 * 2**20, "cuda": 2 * 2**30}
"""Bytes of the copied array: far more than caches hold."""
SECONDS = 1.0
_OPSET, _IR_VERSION = 13, 8
_SEED = 20261124


@dataclass(frozen=True, slots=True)
class Runs:
    """Something to be repeated by several callers at once, each with its own.

    amount: of one repetition; operations, or bytes read and written.
    """

    once: Sequence[Callable[[], None]]
    amount: float


def product_rate(
    options: SessionOptions, precision: Precision, *, side: int | None = None, seconds: float = SECONDS
) -> float:
    """Operations a second of the product of `product_runs`, at best."""
    runs = product_runs(options, precision, side=side)
    return runs.amount / best_seconds(runs.once[0], seconds)


def copy_rate(options: SessionOptions, *, size: int | None = None, seconds: float = SECONDS) -> float:
    """Bytes a second of the copy of `copy_runs`, at best."""
    runs = copy_runs(options, size=size)
    return runs.amount / best_seconds(runs.once[0], seconds)


def product_runs(
    options: SessionOptions, precision: Precision, *, side: int | None = None, callers: int = 1
) -> Runs:
    """A product of two square matrices: 2 side^3 operations each, an addition counted as one.

    callers: on each card, where the device has several.
    On CUDA fp32 means what the networks get, too: factors rounded to TF32. On a CPU ONNX Runtime has no
    float16 product worth the name; ask for fp32. Raises DeviceUnavailable and ModelUnusable.
    """
    length = PRODUCT_SIDE[_kind(options)] if side is None else side
    dtype: Any = np.float16 if precision is Precision.FP16 else np.float32
    random = np.random.default_rng(_SEED)
    first, second = (random.standard_normal((length, length), np.float32).astype(dtype) for _ in range(2))
    graph = _graph("MatMul", first.shape, second)
    sessions = _one_each(graph, "the matrix product", options)
    return Runs([session.resident(first) for session in sessions for _ in range(callers)], 2.0 * length**3)


def copy_runs(options: SessionOptions, *, size: int | None = None, callers: int = 1) -> Runs:
    """A copy of a large float32 array with the sign changed; bytes read and written ones together.

    (A plain copy would be left out by the runtime.) size: of the array in bytes, shared among the callers
    of a card. Raises as `product_runs` does.
    """
    count = (COPIED[_kind(options)] if size is None else size) // 4 // callers
    array = np.ones(count, np.float32)
    sessions = _one_each(_graph("Neg", array.shape), "the copy", options)
    arrays = [array, *(array.copy() for _ in range(callers - 1))]
    return Runs([session.resident(each) for session in sessions for each in arrays], 2.0 * array.nbytes)


def _one_each(graph: bytes, name: str, options: SessionOptions) -> list[Session]:
    """A session a card, or the CPU's."""
    return [open_session(graph, name, replace(options, device=each)) for each in options.device.singly()]


def best_seconds(once: Callable[[], object], seconds: float) -> float:
    """The shortest of the repetitions that fit into `seconds`, three at least, after one uncounted."""
    once()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < seconds:
        start = time.perf_counter()
        once()
        taken.append(time.perf_counter() - start)
    return min(taken)


def _kind(options: SessionOptions) -> str:
    return "cpu" if options.device.cuda_index is None else "cuda"


def _graph(kind: str, shape: Sequence[int], constant: Any = None) -> bytes:
    """One node over an array of that shape, and a constant where one is given."""
    from onnx import TensorProto, helper, numpy_helper

    number = TensorProto.FLOAT if constant is None or constant.dtype == np.float32 else TensorProto.FLOAT16
    given = [] if constant is None else [numpy_helper.from_array(constant, "constant")]
    node = helper.make_node(kind, ["array", *(each.name for each in given)], ["answer"])
    ends = [helper.make_tensor_value_info(name, number, list(shape)) for name in ("array", "answer")]
    graph = helper.make_graph([node], "ceiling", ends[:1], ends[1:], given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    content: bytes = model.SerializeToString()
    return content
