"""Weights files -> sessions: freed dimensions give identical results, and garbage is told as such."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from small_graphs import detector_graph, greedy_graph, recogniser_graph, two_input_graph

from arcface_cli.errors import DeviceUnavailable, ModelUnusable, OutOfMemory
from arcface_cli.imaging.blob import PixelScaling
from arcface_cli.runtime.devices import CPU, Device
from arcface_cli.runtime.engines import Engine
from arcface_cli.runtime.graphs import read_facts
from arcface_cli.runtime.networks import Precision, Rewrite, open_network
from arcface_cli.runtime.sessions import (
    Session,
    SessionOptions,
    _providers,
    check_serving,
    cuda_options,
    open_session,
)

OPTIONS = SessionOptions(CPU, threads=1)
SCALING = PixelScaling(rgb=True, mean=127.5, scale=127.5)
FP32, FP16 = Precision.FP32, Precision.FP16


def pictures(count: int, side: int = 8) -> NDArray[np.float32]:
    return np.random.default_rng(7).normal(size=(count, 3, side, side)).astype(np.float32)


@pytest.mark.parametrize("shape_as_constant", [False, True])
@pytest.mark.parametrize("weights_as_inputs", [False, True])
def test_a_batch_fixed_by_a_reshape_is_freed_with_identical_results(
    tmp_path: Path, shape_as_constant: bool, weights_as_inputs: bool
) -> None:
    path = recogniser_graph(
        tmp_path / "net.onnx", shape_as_constant=shape_as_constant, weights_as_inputs=weights_as_inputs
    )
    before = path.read_bytes()
    fixed = open_network(path, Rewrite(), FP32, OPTIONS)
    freed = open_network(path, Rewrite(batch=True), FP32, OPTIONS)
    blob = pictures(6)
    one_by_one = np.concatenate([fixed.run(blob[i : i + 1])[0] for i in range(6)])
    # Weights that could be overridden are multiplied by another kernel: the last bit may differ then.
    assert freed.run(blob)[0] == pytest.approx(one_by_one, abs=1e-6 if weights_as_inputs else 0)
    assert path.read_bytes() == before


def test_a_fixed_batch_that_is_not_freed_refuses_two_pictures_by_its_name(tmp_path: Path) -> None:
    session = open_network(recogniser_graph(tmp_path / "net.onnx"), Rewrite(), FP32, OPTIONS)
    with pytest.raises(ModelUnusable, match=r"net\.onnx: the network failed on input \(2, 3, 8, 8\)"):
        session.run(pictures(2))


def test_a_fixed_picture_size_is_freed_with_identical_results(tmp_path: Path) -> None:
    path = detector_graph(tmp_path / "det.onnx")
    freed = open_network(path, Rewrite(batch=True, spatial=True), FP32, OPTIONS)
    blob = pictures(1, 32)
    assert np.array_equal(freed.run(blob)[0], open_network(path, Rewrite(), FP32, OPTIONS).run(blob)[0])
    assert freed.run(pictures(2, 64))[0].shape == (2, 2, 16, 16)


def test_half_precision_keeps_float32_at_both_ends_and_nearly_the_same_answer(tmp_path: Path) -> None:
    path = recogniser_graph(tmp_path / "net.onnx")
    full = open_network(path, Rewrite(batch=True), FP32, OPTIONS).run(pictures(3))[0]
    half = open_network(path, Rewrite(batch=True), FP16, OPTIONS).run(pictures(3))[0]
    assert half.dtype == np.float32
    assert not np.array_equal(half, full)
    assert half == pytest.approx(full, abs=5e-3)


def test_a_session_tells_its_shapes_device_and_names(tmp_path: Path) -> None:
    session = open_network(
        recogniser_graph(tmp_path / "net.onnx", batch="N", reshape_to=(0, -1)), Rewrite(), FP32, OPTIONS
    )
    assert (session.name, session.device, session.input_name) == ("net.onnx", CPU, "input")
    assert session.input_shape == ("N", 3, 8, 8)
    assert session.output_names == ("output",)
    assert session.output_shapes == (("N", 5),)


def test_a_run_on_the_device_alone_is_a_run(tmp_path: Path) -> None:
    path = recogniser_graph(tmp_path / "net.onnx")
    session = open_network(path, Rewrite(batch=True), FP32, OPTIONS)
    once = session.resident(pictures(3))
    once()
    once()
    assert session.run(pictures(3))[0].shape == (3, 5)


def test_cuda_is_told_what_varies_and_what_must_be_exact() -> None:
    finder = cuda_options(SessionOptions(Device((1,)), varied=True, exact=True))
    assert finder["device_id"] == "1"
    assert (finder["cudnn_conv_algo_search"], finder["use_tf32"]) == ("HEURISTIC", "0")
    recogniser = cuda_options(SessionOptions(Device((0,))))
    assert (recogniser["cudnn_conv_algo_search"], recogniser["use_tf32"]) == ("EXHAUSTIVE", "1")


def tensorrt_engine(folder: Path) -> Engine:
    return Engine(folder, most=8, half=False, what="net.onnx on X", tell=lambda line: None)


def test_cuda_is_held_to_the_memory_that_a_network_may_take() -> None:
    assert "gpu_mem_limit" not in cuda_options(SessionOptions(Device((0,))))
    assert cuda_options(SessionOptions(Device((0,)), memory=1.5))["gpu_mem_limit"] == str(3 * 2**29)


def test_a_run_that_needs_more_memory_than_there_is_costs_the_photograph_on_a_cpu_and_the_run_on_a_card(
    tmp_path: Path,
) -> None:
    session = open_network(greedy_graph(tmp_path / "r.onnx"), Rewrite(), Precision.FP32, SessionOptions())
    picture = np.zeros((1, 3, 1, 1), np.float32)
    with pytest.raises(MemoryError, match=r"r\.onnx: cpu has too little memory for input \(1, 3, 1, 1\)"):
        session.run(picture)
    with pytest.raises(OutOfMemory, match=r"r\.onnx: cuda:0 has too little memory") as told:
        Session(session._session, session.name, Device((0,))).run(picture)
    assert told.value.hint is not None
    assert "--batch" in told.value.hint


def test_tensorrt_goes_before_cuda_on_the_same_card_and_the_cpu_comes_last(tmp_path: Path) -> None:
    one = tensorrt_engine(tmp_path)
    options = SessionOptions(Device((2,)))
    first, second, last = _providers(SimpleNamespace(), options, one)
    assert first == ("TensorrtExecutionProvider", one.options(2))
    assert second == ("CUDAExecutionProvider", cuda_options(options))
    assert last == "CPUExecutionProvider"
    assert _providers(SimpleNamespace(), options, None) == [second, last]
    assert _providers(SimpleNamespace(), OPTIONS, None) == [last]


@pytest.mark.parametrize(
    ("serving", "wanted", "told"),
    [
        (["CPUExecutionProvider"], "CUDAExecutionProvider", r"asked for cuda:0, but .* with CPUExecution"),
        (
            ["CUDAExecutionProvider", "CPUExecutionProvider"],
            "TensorrtExecutionProvider",
            r"asked for cuda:0 through TensorRT, but .* with CUDAExecutionProvider, CPU",
        ),
        ([], "CUDAExecutionProvider", "with nothing"),
    ],
)
def test_a_provider_that_does_not_serve_first_is_not_accepted(
    serving: list[str], wanted: str, told: str
) -> None:
    with pytest.raises(DeviceUnavailable, match=told):
        check_serving(serving, wanted, Device((0,)), "net.onnx")


def test_facts_are_read_without_the_weights_that_old_exporters_list_as_inputs(tmp_path: Path) -> None:
    facts = read_facts(recogniser_graph(tmp_path / "net.onnx", weights_as_inputs=True))
    assert facts.input_shape == (1, 3, 8, 8)
    assert facts.output_shapes == ((1, 5),)


def test_a_graph_with_two_pictures_is_no_network_of_ours(tmp_path: Path) -> None:
    path = two_input_graph(tmp_path / "two.onnx")
    for rewrite in (Rewrite(batch=True), Rewrite(pixels=SCALING)):
        with pytest.raises(ModelUnusable, match=r"two\.onnx: .* one picture input"):
            open_network(path, rewrite, FP32, OPTIONS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Rewrite(), Rewrite(batch=True)),
        (Rewrite(batch=True), Rewrite(spatial=True)),
        (Rewrite(), Rewrite(pixels=SCALING)),
        (Rewrite(pixels=SCALING), Rewrite(pixels=PixelScaling(False, 127.5, 127.5))),
        (Rewrite(pixels=SCALING), Rewrite(pixels=PixelScaling(True, 127.5, 128.0))),
        (Rewrite(pixels=SCALING), Rewrite(pixels=PixelScaling(True, 0.0, 127.5))),
    ],
)
def test_rewritten_graphs_that_differ_are_kept_under_different_keys(one: Rewrite, other: Rewrite) -> None:
    assert one.key != other.key


def test_a_kept_graph_of_either_precision_is_read_again_and_answers_alike(tmp_path: Path) -> None:
    path, kept = recogniser_graph(tmp_path / "net.onnx"), tmp_path / "kept"
    rewrite = Rewrite(batch=True, pixels=SCALING)
    pixels = np.random.default_rng(5).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    for precision in (FP32, FP16, FP32, FP16):
        session = open_network(path, rewrite, precision, OPTIONS, sha256="ab" * 32, kept=kept)
        assert session.takes_pixels
        made = open_network(path, rewrite, precision, OPTIONS).run(pixels)[0]
        assert np.array_equal(session.run(pixels)[0], made)
    assert len(list(kept.iterdir())) == 2


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_no_network_whatever_it_holds(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "garbage.onnx"
    path.write_bytes(content)
    for rewrite in (Rewrite(), Rewrite(batch=True)):
        with pytest.raises(ModelUnusable, match=r"garbage\.onnx") as raised:
            open_network(path, rewrite, FP32, OPTIONS)
        assert "\n" not in raised.value.message
        assert raised.value.hint is not None


def test_a_truncated_graph_is_no_network(tmp_path: Path) -> None:
    path = recogniser_graph(tmp_path / "net.onnx")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelUnusable, match=r"net\.onnx"):
        open_network(path, Rewrite(batch=True), FP32, OPTIONS)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_cpu_that_serves_where_cuda_was_promised_is_not_accepted_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ort = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this onnxruntime may really serve CUDA")
    path = recogniser_graph(tmp_path / "net.onnx")
    with pytest.raises(DeviceUnavailable, match=r"net\.onnx: asked for cuda:0, but .* CPUExecutionProvider"):
        open_session(path, path.name, SessionOptions(Device((0,))))
    with pytest.raises(DeviceUnavailable, match=r"cuda:0 through TensorRT, but .* CPUExecutionProvider"):
        open_session(path, path.name, SessionOptions(Device((0,))), tensorrt_engine(tmp_path))
    assert capfd.readouterr().out == ""
