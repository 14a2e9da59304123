"""ONNX graphs rewritten in memory: a fixed batch or picture size made free, float32 made float16.

The file on disk is never touched, so its hash stays what the catalogue says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arcface_cli.errors import ModelUnusable

BATCH, HEIGHT, WIDTH = "batch", "height", "width"
_NO_NETWORK = "give the .onnx file of a network"


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What a graph declares of its picture input and its outputs; a free dimension is a name or None."""

    input_shape: tuple[int | str | None, ...]
    output_shapes: tuple[tuple[int | str | None, ...], ...]


def free_dimensions(path: Path, *, batch: bool, spatial: bool) -> bytes:
    """The graph of `path` with its batch and/or height and width made free; results are unchanged.

    Exporters that trace with one picture write the batch into the input's shape and into every
    Reshape (as a leading 1). The leading 1 becomes 0, which ONNX reads as "copy this dimension from
    the input". Weights that old exporters also list as inputs are taken off that list, so that ONNX
    Runtime may fold them.
    """
    model = _load(path)
    graph = model.graph
    weights = {initializer.name for initializer in graph.initializer}
    picture = [value for value in graph.input if value.name not in weights]
    if len(picture) != 1 or len(picture[0].type.tensor_type.shape.dim) != 4:
        raise ModelUnusable(
            f"{path.name}: a network with one picture input (N, 3, H, W) was expected", hint=_NO_NETWORK
        )
    del graph.input[:]
    graph.input.extend(picture)
    dims = graph.input[0].type.tensor_type.shape.dim
    if batch:
        dims[0].dim_param = BATCH
        _free_batch_of_reshapes(graph)
    if spatial:
        dims[2].dim_param, dims[3].dim_param = HEIGHT, WIDTH
    del graph.value_info[:]
    for output in graph.output:
        for position, dim in enumerate(output.type.tensor_type.shape.dim):
            dim.dim_param = f"{output.name}_{position}"
    serialised: bytes = model.SerializeToString()
    return serialised


def to_half_precision(model: Path | bytes) -> bytes:
    """The graph in float16 with float32 input and output (`onnxruntime.transformers.float16`)."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    converted: bytes = convert_float_to_float16(_load(model), keep_io_types=True).SerializeToString()
    return converted


def read_facts(path: Path) -> GraphFacts:
    """Shapes that the graph of `path` declares. Raises ModelUnusable for what is no ONNX file."""
    graph = _load(path).graph
    weights = {initializer.name for initializer in graph.initializer}
    pictures = [_shape(value) for value in graph.input if value.name not in weights]
    if not pictures:
        raise ModelUnusable(f"{path.name}: the graph has no input", hint=_NO_NETWORK)
    return GraphFacts(pictures[0], tuple(_shape(value) for value in graph.output))


def _free_batch_of_reshapes(graph: Any) -> None:
    from onnx import numpy_helper

    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape" and len(node.input) > 1}
    tensors = [initializer for initializer in graph.initializer if initializer.name in shapes]
    tensors += [
        node.attribute[0].t for node in graph.node if node.op_type == "Constant" and node.output[0] in shapes
    ]
    for tensor in tensors:
        shape = numpy_helper.to_array(tensor)
        if shape.size > 1 and shape[0] == 1:
            freed = np.concatenate([[0], shape[1:]]).astype(np.int64)
            tensor.CopyFrom(numpy_helper.from_array(freed, tensor.name))


def _load(model: Path | bytes) -> Any:
    import onnx

    name = model.name if isinstance(model, Path) else "model"
    try:
        if isinstance(model, Path):
            return onnx.load_model(model, load_external_data=False)
        return onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's DecodeError, and whatever a hostile file provokes
        raise ModelUnusable(f"{name}: this is no ONNX file", hint=_NO_NETWORK) from error


def _shape(value: Any) -> tuple[int | str | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(d.dim_param or None if d.HasField("dim_param") else (d.dim_value or None) for d in dims)
