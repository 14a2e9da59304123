"""ONNX graphs rewritten in memory: dimensions made free, pixels taken as they are, float32 made float16.

The file on disk is never touched, so its hash stays what the catalogue says. The functions change the graph
that they are given, and can be put one after another: `free_dimensions`, `halve`, `take_pixels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import ModelUnusable

BATCH, HEIGHT, WIDTH = "batch", "height", "width"
PIXELS = "pixels"
PIXELS_AS_NUMBERS = "pixels_1"
"""Names of the input that `take_pixels` makes, and of the same as float32."""
_NO_NETWORK = "give the .onnx file of a network"
_Step = tuple[str, tuple[Any, ...], dict[str, Any]]
"""A node to be: its kind, its constant inputs, its attributes."""
_BATCH_INSIDE, _BATCH_FIRST = [2, 3, 0, 1], [0, 2, 3, 1]


class Scaling(Protocol):
    """How a network wants its pixels: (value - mean) / scale, channels in RGB or BGR order."""

    @property
    def rgb(self) -> bool: ...  # noqa: D102
    @property
    def mean(self) -> float: ...  # noqa: D102
    @property
    def scale(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What a graph declares of its picture input and its outputs; a free dimension is a name or None."""

    input_shape: tuple[int | str | None, ...]
    output_shapes: tuple[tuple[int | str | None, ...], ...]


@dataclass(slots=True)
class Network:
    """An ONNX model under work. name: of its file, for errors."""

    name: str
    model: Any

    @property
    def graph(self) -> Any:
        """Nodes, weights, inputs and outputs."""
        return self.model.graph

    def serialised(self) -> bytes:
        """As an ONNX file."""
        content: bytes = self.model.SerializeToString()
        return content


def read_network(path: Path) -> Network:
    """The model of `path`. Raises ModelUnusable for what is no ONNX file."""
    import onnx

    try:
        return Network(path.name, onnx.load_model(path, load_external_data=False))
    except Exception as error:  # protobuf's DecodeError, and whatever a hostile file provokes
        raise ModelUnusable(f"{path.name}: this is no ONNX file", hint=_NO_NETWORK) from error


def read_facts(path: Path) -> GraphFacts:
    """Shapes that the graph of `path` declares. Raises ModelUnusable for what is no ONNX file."""
    network = read_network(path)
    pictures = [_shape(value) for value in _pictures(network)]
    if not pictures:
        raise ModelUnusable(f"{path.name}: the graph has no input", hint=_NO_NETWORK)
    return GraphFacts(pictures[0], tuple(_shape(value) for value in network.graph.output))


def free_dimensions(network: Network, *, batch: bool, spatial: bool) -> None:
    """Make batch and/or height and width of the picture input free; results are unchanged.

    Exporters that trace with one picture write the batch into the input's shape and into every
    Reshape (as a leading 1). The leading 1 becomes 0, which ONNX reads as "copy this dimension from
    the input". SCRFD's heads also need another order of dimensions, see `_part_pictures`.
    Raises ModelUnusable for a graph that takes something else than one (N, 3, H, W).
    """
    graph = network.graph
    dims = _only_picture(network).type.tensor_type.shape.dim
    if batch:
        dims[0].dim_param = BATCH
        _part_pictures(graph)
        _free_batch_of_reshapes(graph)
    if spatial:
        dims[2].dim_param, dims[3].dim_param = HEIGHT, WIDTH
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")  # ONNX Runtime infers it


def halve(network: Network) -> None:
    """float16 inside, float32 at both ends (`onnxruntime.transformers.float16`)."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    network.model = convert_float_to_float16(network.model, keep_io_types=True)


def take_pixels(network: Network, scaling: Scaling) -> None:
    """Take (N, H, W, 3) uint8 BGR, as pictures lie in memory, in place of the scaled (N, 3, H, W) float32.

    A quarter of the bytes go to the device. The arithmetic is the host's (`imaging.blob.to_blob`), in
    its order and in float32, so the answers are the same to the bit. The cast comes first, because
    TensorRT takes bytes for nothing else. Raises ModelUnusable as `free_dimensions` does.
    """
    from onnx import TensorProto, helper

    graph = network.graph
    picture = _only_picture(network)
    count, channels, height, width = (_declared(dim) for dim in picture.type.tensor_type.shape.dim)
    if channels != 3 or picture.type.tensor_type.elem_type != TensorProto.FLOAT:
        raise _not_one_picture(network)
    steps: list[_Step] = [("Cast", (), {"to": TensorProto.FLOAT}), ("Transpose", (), {"perm": [0, 3, 1, 2]})]
    if scaling.rgb:
        steps.append(("Gather", (np.array([2, 1, 0], np.int64),), {"axis": 1}))
    if (scaling.mean, scaling.scale) != (0.0, 1.0):
        steps.append(("Sub", (np.float32(scaling.mean),), {}))
        steps.append(("Mul", (np.float32(1.0 / scaling.scale),), {}))
    _prepend(graph, steps, PIXELS, picture.name)
    shape = [count, height, width, 3]
    graph.input[0].CopyFrom(helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, shape))


# --- the picture input ------------------------------------------------------------------------------


def _pictures(network: Network) -> list[Any]:
    """Inputs that aren't weights: old exporters list those as inputs too."""
    weights = {initializer.name for initializer in network.graph.initializer}
    return [value for value in network.graph.input if value.name not in weights]


def _only_picture(network: Network) -> Any:
    """The one input, (N, 3, H, W); weights are taken off the list, so that ONNX Runtime may fold them."""
    pictures = _pictures(network)
    if len(pictures) != 1 or len(pictures[0].type.tensor_type.shape.dim) != 4:
        raise _not_one_picture(network)
    del network.graph.input[:]
    network.graph.input.extend(pictures)
    return network.graph.input[0]


def _not_one_picture(network: Network) -> ModelUnusable:
    return ModelUnusable(
        f"{network.name}: a network with one picture input (N, 3, H, W) was expected", hint=_NO_NETWORK
    )


def _prepend(graph: Any, steps: list[_Step], first: str, last: str) -> None:
    """Put a chain of nodes before all others, from `first` to `last`."""
    from onnx import helper, numpy_helper

    nodes, top = [], first
    for number, (kind, constants, attributes) in enumerate(steps, start=1):
        names = [f"{PIXELS}_{number}_{place}" for place in range(len(constants))]
        graph.initializer.extend(
            numpy_helper.from_array(np.asarray(array), name)
            for array, name in zip(constants, names, strict=True)
        )
        output = last if number == len(steps) else f"{PIXELS}_{number}"
        nodes.append(helper.make_node(kind, [top, *names], [output], f"{PIXELS}_{kind}", **attributes))
        top = output
    others = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *others])


# --- a batch of one that was written into the graph -------------------------------------------------


def _free_batch_of_reshapes(graph: Any) -> None:
    from onnx import numpy_helper

    weights = {initializer.name for initializer in graph.initializer}
    for node in graph.node:
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[0] in weights:
            continue
        for tensor in _constants(graph, node.input[1]):
            shape = numpy_helper.to_array(tensor)
            if shape.size > 1 and shape[0] == 1:
                _write_shape(tensor, [0, *shape[1:]])


def _part_pictures(graph: Any) -> None:
    """Heads that list the cells of all pictures mixed, cell by cell, list them picture by picture.

    SCRFD's exporter ends in Transpose (2, 3, 0, 1) and Reshape (-1, k): (N, A k, h, w) -> (h w N A, k).
    It becomes Transpose (0, 2, 3, 1) and Reshape (0, -1, k): (N, h w A, k), the same for one picture.
    """
    from onnx import numpy_helper

    mixed: dict[str, tuple[Any, list[int]]] = {}  # by name: several heads share a shape
    for transpose, reshape in _heads(graph):
        name = reshape.input[1]
        for tensor in _constants(graph, name):
            shape = [int(length) for length in numpy_helper.to_array(tensor)]
            if len(shape) == 2 and shape[0] == -1:
                mixed[name] = (tensor, shape)
        if name in mixed:
            transpose.attribute[0].ints[:] = _BATCH_FIRST
    for tensor, shape in mixed.values():
        _write_shape(tensor, [0, *shape])


def _heads(graph: Any) -> Iterator[tuple[Any, Any]]:
    """Each Transpose that mixes pictures, with the Reshape that alone takes what it gives."""
    for node in graph.node:
        if node.op_type != "Transpose" or [list(each.ints) for each in node.attribute] != [_BATCH_INSIDE]:
            continue
        takers = [other for other in graph.node if node.output[0] in other.input]
        if len(takers) == 1 and takers[0].op_type == "Reshape" and len(takers[0].input) == 2:
            yield node, takers[0]


def _constants(graph: Any, name: str) -> Iterator[Any]:
    """The constant tensor of that name, where it is one."""
    yield from (initializer for initializer in graph.initializer if initializer.name == name)
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] == name:
            yield node.attribute[0].t


def _write_shape(tensor: Any, shape: list[int]) -> None:
    from onnx import numpy_helper

    written: NDArray[np.int64] = np.array(shape, np.int64)
    tensor.CopyFrom(numpy_helper.from_array(written, tensor.name))


# --- shapes -----------------------------------------------------------------------------------------


def _shape(value: Any) -> tuple[int | str | None, ...]:
    return tuple(_declared(dim) for dim in value.type.tensor_type.shape.dim)


def _declared(dim: Any) -> int | str | None:
    if dim.HasField("dim_param"):
        return dim.dim_param or None
    return dim.dim_value or None
