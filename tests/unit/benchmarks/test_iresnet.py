"""The networks with random weights have the nodes, parameters and arithmetic of the ones in the paper."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "iresnet.py"
CROP = 112


@pytest.fixture(scope="module")
def iresnet() -> ModuleType:
    spec = importlib.util.spec_from_file_location("iresnet", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["iresnet"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def r100(iresnet: ModuleType) -> Any:
    return onnx.load_model_from_string(iresnet.network(100)).graph


@pytest.fixture(scope="module")
def r18(iresnet: ModuleType) -> bytes:
    content: bytes = iresnet.network(18)
    return content


def parameters(graph: Any) -> int:
    """Everything that is learnt: a normalisation's mean and variance are measured."""
    return sum(int(np.prod(each.dims)) for each in graph.initializer if ".running_" not in each.name)


def operations(graph: Any) -> int:
    """Of convolutions and the matrix product for one crop, from shapes and strides; a multiply-add is two."""
    shapes = {each.name: tuple(each.dims) for each in graph.initializer}
    sides, total = {graph.input[0].name: CROP}, 0
    for node in graph.node:
        side = sides[node.input[0]]
        if node.op_type == "Conv":
            side //= next(each for each in node.attribute if each.name == "strides").ints[0]
            total += 2 * side * side * int(np.prod(shapes[node.input[1]]))
        if node.op_type == "Gemm":
            total += 2 * int(np.prod(shapes[node.input[1]]))
        sides[node.output[0]] = side
    return total


def test_r100_has_the_nodes_of_49_residual_units(r100: Any) -> None:
    assert Counter(node.op_type for node in r100.node) == {
        "Conv": 1 + 2 * 49 + 4,
        "BatchNormalization": 1 + 3 * 49 + 4 + 2,
        "PRelu": 1 + 49,
        "Add": 49,
        "Flatten": 1,
        "Gemm": 1,
    }


def test_r100_has_65_million_parameters_and_24_gigaflop(r100: Any) -> None:
    assert parameters(r100) == pytest.approx(65.2e6, abs=0.05e6)
    assert operations(r100) == pytest.approx(24.2e9, abs=0.05e9)


def test_r100_is_laid_out_like_the_public_graphs(r100: Any) -> None:
    (entrance,), (answer,) = r100.input, r100.output
    free, *rest = entrance.type.tensor_type.shape.dim
    assert (entrance.name, answer.name) == ("input.1", "1333")
    assert free.dim_param
    assert [dim.dim_value for dim in rest] == [3, 112, 112]
    assert answer.type.tensor_type.shape.dim[1].dim_value == 512


def test_r18_has_24_million_parameters_and_5_gigaflop(r18: bytes) -> None:
    graph = onnx.load_model_from_string(r18).graph
    assert parameters(graph) == pytest.approx(24.0e6, abs=0.05e6)
    assert operations(graph) == pytest.approx(5.24e9, abs=0.05e9)


def test_a_seed_gives_the_same_file_and_another_seed_another(iresnet: ModuleType, r18: bytes) -> None:
    assert iresnet.network(18) == r18
    assert iresnet.network(18, seed=1) != r18


def test_a_graph_is_valid_and_tells_crops_apart(r18: bytes) -> None:
    onnx.checker.check_model(r18)
    session = onnxruntime.InferenceSession(r18, providers=["CPUExecutionProvider"])
    crops = np.random.default_rng(3).uniform(-1, 1, (2, 3, CROP, CROP)).astype(np.float32)
    crops[1, :, :56] = 0.5
    (features,) = session.run(None, {"input.1": crops})
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert features.shape == (2, 512)
    assert unit[0] @ unit[1] < 0.95
    assert np.abs(features).max() < 1000  # far from where float16 ends


def test_weights_are_ordinary_float32_arrays(r18: bytes) -> None:
    for each in onnx.load_model_from_string(r18).graph.initializer:
        assert numpy_helper.to_array(each).dtype == np.float32
        assert np.isfinite(numpy_helper.to_array(each)).all()
