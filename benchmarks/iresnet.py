"""IR-ResNet 18, 34, 50 and 100 as ONNX files with seeded random weights.

For speed and for graph handling where the trained weights can't be had: the same layers, names and numbers as
the public files, and answers that mean nothing. Deng et al., "ArcFace", CVPR 2019, section 3.1: residual
units of BN-Conv-BN-PReLU-Conv-BN with 3 x 3 kernels, then BN-Dropout-FC-BN.

    python benchmarks/iresnet.py 100 r100.onnx
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3)}
"""Residual units of the four stages, by depth."""
CHANNELS = (64, 128, 256, 512)
SIDE, DIMENSION = 112, 512
INPUT = "input.1"
OUTPUTS = {18: "features", 34: "features", 50: "683", 100: "1333"}
"""As in the public w600k_r50.onnx and glintr100.onnx."""
SEED = 20261124
OPSET, IR_VERSION = 11, 6


@dataclass
class Layers:
    """Nodes and weights so far; `top` is the name of the last node's output."""

    random: np.random.Generator
    top: str = INPUT
    nodes: list[Any] = field(default_factory=list)
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def add(self, kind: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"{kind}_{name}", **attributes))
        self.top = name
        return name

    def normal(self, name: str, shape: tuple[int, ...], scale: float, centre: float = 0.0) -> str:
        made = self.random.standard_normal(shape, np.float32)
        self.weights[name] = made * np.float32(scale) + np.float32(centre)
        return name

    def conv(self, name: str, channels: tuple[int, int], side: int, stride: int) -> str:
        """channels: in, out.  side: of the kernel. He et al.'s scale keeps activations near 1."""
        coming, leaving = channels
        scale = (2 / (coming * side * side)) ** 0.5
        weight = self.normal(f"{name}.weight", (leaving, coming, side, side), scale)
        pad = side // 2
        return self.add(
            "Conv",
            name,
            [self.top, weight],
            dilations=[1, 1],
            group=1,
            kernel_shape=[side, side],
            pads=[pad] * 4,
            strides=[stride] * 2,
        )

    def norm(self, name: str, channels: int, gain: float = 1.0) -> str:
        """Batch normalisation with statistics as after training, not folded into its neighbour."""
        shape = (channels,)
        inputs = [
            self.top,
            self.normal(f"{name}.weight", shape, 0.05 * gain, gain),
            self.normal(f"{name}.bias", shape, 0.05),
            self.normal(f"{name}.running_mean", shape, 0.05),
        ]
        spread = self.random.uniform(0.8, 1.25, shape).astype(np.float32)
        self.weights[f"{name}.running_var"] = spread
        inputs.append(f"{name}.running_var")
        return self.add("BatchNormalization", name, inputs, epsilon=1e-5, momentum=0.9)

    def prelu(self, name: str, channels: int) -> str:
        slope = self.normal(f"{name}.weight", (channels, 1, 1), 0.02, 0.25)
        return self.add("PRelu", name, [self.top, slope])

    def unit(self, name: str, coming: int, leaving: int, stride: int) -> None:
        """One residual unit. A small gain of its last normalisation keeps the sum of 49 units in float16."""
        entrance = self.top
        self.norm(f"{name}.bn1", coming)
        self.conv(f"{name}.conv1", (coming, leaving), 3, 1)
        self.norm(f"{name}.bn2", leaving)
        self.prelu(f"{name}.prelu", leaving)
        self.conv(f"{name}.conv2", (leaving, leaving), 3, stride)
        branch = self.norm(f"{name}.bn3", leaving, gain=0.2)
        if stride != 1 or coming != leaving:
            self.top = entrance
            self.conv(f"{name}.downsample.0", (coming, leaving), 1, stride)
            entrance = self.norm(f"{name}.downsample.1", leaving)
        self.add("Add", f"{name}.sum", [branch, entrance])


def network(depth: int, seed: int = SEED) -> bytes:
    """The ONNX file: (N, 3, 112, 112) float32 -> (N, 512) float32, not of unit length."""
    layers = Layers(np.random.default_rng(seed))
    layers.conv("conv1", (3, CHANNELS[0]), 3, 1)
    layers.norm("bn1", CHANNELS[0])
    layers.prelu("prelu", CHANNELS[0])
    coming = CHANNELS[0]
    for stage, (count, leaving) in enumerate(zip(UNITS[depth], CHANNELS, strict=True), start=1):
        for number in range(count):
            layers.unit(f"layer{stage}.{number}", coming, leaving, 2 if number == 0 else 1)
            coming = leaving
    _head(layers, OUTPUTS[depth])
    return _serialised(layers, f"iresnet{depth}", OUTPUTS[depth])


def _head(layers: Layers, output: str) -> None:
    flat = CHANNELS[-1] * (SIDE // 16) ** 2
    layers.norm("bn2", CHANNELS[-1])
    layers.add("Flatten", "flat", [layers.top], axis=1)
    weight = layers.normal("fc.weight", (DIMENSION, flat), flat**-0.5)
    bias = layers.normal("fc.bias", (DIMENSION,), 0.05)
    layers.add("Gemm", "fc", [layers.top, weight, bias], alpha=1.0, beta=1.0, transB=1)
    layers.norm("features.norm", DIMENSION, gain=0.1)
    layers.nodes[-1].output[0] = output


def _serialised(layers: Layers, name: str, output: str) -> bytes:
    def declared(of: str, *rest: int) -> Any:
        return helper.make_tensor_value_info(of, TensorProto.FLOAT, ["None", *rest])

    constants = [numpy_helper.from_array(array, of) for of, array in layers.weights.items()]
    graph = helper.make_graph(
        layers.nodes, name, [declared(INPUT, 3, SIDE, SIDE)], [declared(output, DIMENSION)], constants
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="arcface")
    content: bytes = model.SerializeToString()
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("depth", type=int, choices=UNITS)
    parser.add_argument("file", type=Path, help="the ONNX file to write")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    options.file.write_bytes(network(options.depth, options.seed))


if __name__ == "__main__":
    main()
