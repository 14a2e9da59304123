"""What a network computes is counted from its shapes, whatever batch or weights its file declares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model
from small_graphs import detector_graph, recogniser_graph

from arcface_cli.errors import ModelUnusable
from arcface_cli.runtime.arithmetic import operations

IRESNET = Path(__file__).resolve().parents[3] / "benchmarks" / "iresnet.py"


def test_an_ir_resnet_18_computes_what_its_paper_says(tmp_path: Path) -> None:
    path = tmp_path / "r18.onnx"
    subprocess.run([sys.executable, IRESNET, "18", path], check=True)
    assert operations(path, 112, 112) == pytest.approx(5.24e9, abs=0.05e9)


@pytest.mark.parametrize("batch", [1, 7, "N"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_matrix_product_counts_two_for_each_pair_whatever_batch_is_declared(
    tmp_path: Path, batch: int | str, listed: bool
) -> None:
    path = recogniser_graph(tmp_path / "net.onnx", batch=batch, reshape_to=(-1, 12), weights_as_inputs=listed)
    assert operations(path, 8, 8) == 2 * 12 * 5


def test_a_convolution_grows_with_the_picture(tmp_path: Path) -> None:
    path = detector_graph(tmp_path / "net.onnx")
    assert operations(path, 32, 32) == 2 * (2 * 8 * 8) * (3 * 4 * 4)
    assert operations(path, 64, 32) == 2 * operations(path, 32, 32)


def test_groups_see_their_own_channels_only_and_gemm_reads_transposed(tmp_path: Path) -> None:
    weights = {"kernel": (6, 1, 3, 3), "dense": (10, 6 * 8 * 8)}
    nodes = [
        helper.make_node("Conv", ["in", "kernel"], ["a"], group=3, pads=[1, 1, 1, 1]),
        helper.make_node("Flatten", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "dense"], ["out"], transB=1),
    ]
    path = _saved(tmp_path / "net.onnx", nodes, weights)
    assert operations(path, 8, 8) == 2 * 6 * 8 * 8 * 9 + 2 * 6 * 8 * 8 * 10


def test_shapes_that_depend_on_values_are_told(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("NonZero", ["in"], ["places"]),
        helper.make_node("Cast", ["places"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["dense", "numbers"], ["out"]),
    ]
    path = _saved(tmp_path / "net.onnx", nodes, {"dense": (5, 4)})
    with pytest.raises(ModelUnusable, match=r"net\.onnx: the shapes inside"):
        operations(path, 8, 8)


def test_what_is_no_network_is_told(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(ModelUnusable, match=r"net\.onnx"):
        operations(path, 8, 8)


def _saved(path: Path, nodes: list[object], weights: dict[str, tuple[int, ...]]) -> Path:
    constants = [numpy_helper.from_array(np.ones(shape, np.float32), name) for name, shape in weights.items()]
    entrance = helper.make_tensor_value_info("in", TensorProto.FLOAT, ["N", 3, 8, 8])
    answer = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "net", [entrance], [answer], constants)
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
