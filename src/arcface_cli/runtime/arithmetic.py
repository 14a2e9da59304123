"""How much a network computes: its convolutions and matrix products, counted from its graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from arcface_cli.errors import ModelUnusable
from arcface_cli.runtime.graphs import read_network

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


def operations(path: Path, height: int, width: int) -> int:
    """Additions and multiplications for one picture of that size; a multiply-add is two.

    Convolutions and matrix products alone are counted: the rest of an ArcFace network is under 1 %.
    Raises ModelUnusable for what is no ONNX file, and for a network whose shapes don't follow from its
    picture's.
    """
    from onnx import shape_inference

    network = read_network(path)
    _declare(network.graph, (1, 3, height, width))
    del network.graph.value_info[:]
    for output in network.graph.output:
        output.type.tensor_type.ClearField("shape")  # may say another batch
    try:
        inferred = shape_inference.infer_shapes(network.model, strict_mode=True, data_prop=True)
    except Exception as error:  # onnx's own exceptions, and whatever a hostile file provokes
        raise _unknown(network.name) from error
    shapes = _shapes(inferred.graph)
    nodes = [node for node in inferred.graph.node if node.op_type in _COUNTED]
    try:
        return sum(_COUNTED[node.op_type](node, shapes) for node in nodes)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise _unknown(network.name) from error


def _declare(graph: Any, shape: Shape) -> None:
    """Say that pictures come in this shape; old exporters list weights as inputs too."""
    weights = {each.name for each in graph.initializer}
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name not in weights and len(dims) == len(shape):
            for dim, length in zip(dims, shape, strict=True):
                dim.dim_value = length


def _unknown(name: str) -> ModelUnusable:
    return ModelUnusable(
        f"{name}: the shapes inside the network don't follow from its input's",
        hint="verify the weights with: arcface models verify",
    )


def _shapes(graph: Any) -> Shapes:
    """Every shape that is known to the last dimension, by the name of what has it."""
    known: dict[str, Shape] = {each.name: tuple(each.dims) for each in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            known[value.name] = tuple(dim.dim_value for dim in dims)
    return known


def _of_convolution(node: Any, shapes: Shapes) -> int:
    """Every output sums over its group's channels and the kernel: the weights (out, in / groups, ...)."""
    return 2 * math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _of_product(node: Any, shapes: Shapes) -> int:
    """(..., M, K) by (..., K, N)."""
    return 2 * math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _of_gemm(node: Any, shapes: Shapes) -> int:
    """(M, K) by (K, N), either of them transposed."""
    rows, columns = shapes[node.output[0]]
    return 2 * rows * columns * (math.prod(shapes[node.input[0]]) // rows)


_COUNTED: Mapping[str, Callable[[Any, Shapes], int]] = {
    "Conv": _of_convolution,
    "Gemm": _of_gemm,
    "MatMul": _of_product,
}
