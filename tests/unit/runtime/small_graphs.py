"""ONNX graphs of a few nodes, as real exporters write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def recogniser_graph(
    path: Path,
    *,
    batch: int | str = 1,
    reshape_to: tuple[int, ...] = (1, -1),
    shape_as_constant: bool = False,
    weights_as_inputs: bool = False,
) -> Path:
    """Average pooling, a Reshape and a matrix product: (N, 3, 8, 8) -> (N, 5), seeded weights."""
    weights = np.random.default_rng(11).normal(size=(12, 5)).astype(np.float32)
    shape = np.array(reshape_to, np.int64)
    nodes = [helper.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4])]
    initializers = [numpy_helper.from_array(weights, "weights")]
    if shape_as_constant:
        nodes.append(helper.make_node("Constant", [], ["shape"], value=numpy_helper.from_array(shape)))
    else:
        initializers.append(numpy_helper.from_array(shape, "shape"))
    nodes += [
        helper.make_node("Reshape", ["pooled", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["output"]),
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, 8, 8])]
    if weights_as_inputs:
        inputs.append(helper.make_tensor_value_info("weights", TensorProto.FLOAT, [12, 5]))
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, 5])]
    return _saved(path, nodes, inputs, outputs, initializers)


def detector_graph(path: Path) -> Path:
    """One convolution, declared for (1, 3, 32, 32) only: (1, 3, H, W) -> (1, 2, H/4, W/4)."""
    kernel = np.random.default_rng(12).normal(size=(2, 3, 4, 4)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["input.1", "kernel"], ["heat"], strides=[4, 4])]
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, 32, 32])]
    outputs = [helper.make_tensor_value_info("heat", TensorProto.FLOAT, [1, 2, 8, 8])]
    return _saved(path, nodes, inputs, outputs, [numpy_helper.from_array(kernel, "kernel")])


def greedy_graph(path: Path) -> Path:
    """One pixel repeated: (1, 3, 1, 1) -> 3 PB, which no machine has."""
    shape = np.array([1, 3, 2**24, 2**24], np.int64)
    nodes = [helper.make_node("Expand", ["input", "shape"], ["output"])]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 1, 1])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, "H", "W"])]
    return _saved(path, nodes, inputs, outputs, [numpy_helper.from_array(shape, "shape")])


def mixing_graph(
    path: Path, *, channels: int = 3, shape_as_constant: bool = False, reshaped_slope: bool = False
) -> Path:
    """SCRFD's way to end: Transpose (2, 3, 0, 1) and Reshape (-1, k), for (1, 3, 16, 16), 2 anchors a cell.

    reshaped_slope: with a PReLU whose weights a Reshape to (1, C, 1, 1) brings into shape.
    """
    random = np.random.default_rng(13)
    shapes = {"to_scores": np.array([-1, 1], np.int64), "to_boxes": np.array([-1, 4], np.int64)}
    initializers = [
        numpy_helper.from_array(random.normal(size=(2, channels, 4, 4)).astype(np.float32), "scores_kernel"),
        numpy_helper.from_array(random.normal(size=(8, channels, 4, 4)).astype(np.float32), "boxes_kernel"),
        numpy_helper.from_array(np.full(channels, 0.2, np.float32), "slope"),
        numpy_helper.from_array(np.array([1, channels, 1, 1], np.int64), "slope_shape"),
    ]
    nodes = []
    if reshaped_slope:
        nodes.append(helper.make_node("Reshape", ["slope", "slope_shape"], ["slopes"]))
        nodes.append(helper.make_node("PRelu", ["input.1", "slopes"], ["first"]))
    else:
        nodes.append(helper.make_node("Identity", ["input.1"], ["first"]))
    for name, shape in shapes.items():
        tensor = numpy_helper.from_array(shape, name)
        if shape_as_constant:
            nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            initializers.append(tensor)
    for head in ("scores", "boxes"):
        nodes += [
            helper.make_node("Conv", ["first", f"{head}_kernel"], [f"{head}_map"], strides=[4, 4]),
            helper.make_node("Transpose", [f"{head}_map"], [f"{head}_mixed"], perm=[2, 3, 0, 1]),
            helper.make_node("Reshape", [f"{head}_mixed", f"to_{head}"], [f"{head}_flat"]),
            helper.make_node("Sigmoid", [f"{head}_flat"], [head]),
        ]
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, channels, 16, 16])]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [32, 1]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [32, 4]),
    ]
    return _saved(path, nodes, inputs, outputs, initializers)


def two_input_graph(path: Path) -> Path:
    """A sum of two pictures: no network of ours."""
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("a", "b")]
    outputs = [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1, 3, 8, 8])]
    return _saved(path, [helper.make_node("Add", ["a", "b"], ["c"])], inputs, outputs, [])


def _saved(path: Path, nodes: list, inputs: list, outputs: list, initializers: list) -> Path:
    graph = helper.make_graph(nodes, "small", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
