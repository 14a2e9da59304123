"""The stored feature is what the formulas give in float64, and what the CPU gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable, ModelUnusable
from arcface_cli.runtime import selftest
from arcface_cli.runtime.sessions import CPU_PROVIDER

Array = NDArray[np.float64]


def convolved(image: Array, kernel: Array) -> Array:
    """Stride 4, kernel 4: every pixel counts once, so blocks are multiplied with the kernel."""
    channels, height, width = image.shape
    blocks = image.reshape(channels, height // 4, 4, width // 4, 4)
    return np.einsum("caibj,ocij->oab", blocks, kernel)


def leaky(values: Array, slope: Array) -> Array:
    return np.where(values < 0, values * slope, values)


def feature_of(image: Array) -> Array:
    weights = {name: array.astype(np.float64) for name, array in selftest.weights().items()}
    gain, shift, mean, variance = (weights[n][:, None, None] for n in ("gain", "shift", "mean", "variance"))
    first = leaky(convolved(image, weights["first"]), weights["first_slope"])
    normal = (first - mean) / np.sqrt(variance + 1e-5) * gain + shift
    second = leaky(convolved(normal, weights["second"]), weights["second_slope"])
    feature = weights["dense"] @ second.ravel() + weights["bias"]
    return np.asarray(feature / np.linalg.norm(feature))


def test_the_stored_feature_is_what_the_formulas_give() -> None:
    image = selftest.blob(rgb=False, mean=127.5, scale=127.5)[0].astype(np.float64)
    assert np.abs(feature_of(image) - selftest.EXPECTED).max() < 1e-7


def test_the_cpu_is_right_far_within_the_tolerance() -> None:
    answer = selftest.small_trial(CPU_PROVIDER)
    assert 0 <= answer["difference"] < selftest.TOLERANCE / 1000
    assert answer["milliseconds"] > 0


def test_other_channels_are_noticed() -> None:
    image = selftest.blob(rgb=True, mean=127.5, scale=127.5)[0].astype(np.float64)
    assert np.abs(feature_of(image) - selftest.EXPECTED).max() > 100 * selftest.TOLERANCE


def test_the_picture_is_a_crop_with_colours() -> None:
    picture = selftest.picture()
    assert (picture.shape, picture.dtype) == ((112, 112, 3), np.uint8)
    assert len({picture[:, :, channel].tobytes() for channel in range(3)}) == 3


def test_a_recogniser_answers_with_a_unit_feature(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(selftest.network())
    request = {"path": str(path), "provider": CPU_PROVIDER, "rgb": False, "mean": 127.5, "scale": 127.5}
    assert np.allclose(selftest.recogniser_trial(request)["feature"], selftest.EXPECTED, atol=1e-6)


def test_a_provider_that_the_runtime_lacks_is_refused() -> None:
    with pytest.raises(DeviceUnavailable):
        selftest.small_trial("NoSuchExecutionProvider")


def test_a_feature_without_direction_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 112, 112])]
    node = helper.make_node("Sub", ["x", "x"], ["y"])
    outs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 112, 112])]
    graph = helper.make_graph([node], "zero", ends, outs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "zero.onnx"
    path.write_bytes(model.SerializeToString())
    request = {"path": str(path), "provider": CPU_PROVIDER, "rgb": True, "mean": 0.0, "scale": 1.0}
    with pytest.raises(ModelUnusable, match="no direction"):
        selftest.recogniser_trial(request)
