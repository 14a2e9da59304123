"""TensorRT's engines: kept apart by all they depend on, built once, and never a silent way round."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from small_graphs import recogniser_graph

from arcface_cli.errors import DeviceUnavailable
from arcface_cli.imaging.blob import PixelScaling
from arcface_cli.runtime.devices import Device
from arcface_cli.runtime.engines import Engine, Engines, Kind
from arcface_cli.runtime.graphs import PIXELS, PIXELS_AS_NUMBERS, read_network, take_pixels
from arcface_cli.runtime.networks import Precision, Rewrite, open_network
from arcface_cli.runtime.sessions import SessionOptions

KINDS = [
    Kind("NVIDIA H100 80GB HBM3", "10.14.1"),
    Kind("NVIDIA H100 80GB HBM3", "10.14.1"),
    Kind("A/../B", "10.14.1"),
]


def engines(folder: Path, told: list[str] | None = None) -> Engines:
    lines: list[str] = [] if told is None else told
    return Engines(folder, most=64, half=True, tell=lines.append, kind_of=lambda card: KINDS[card])


def engine(folder: Path, told: list[str] | None = None) -> Engine:
    return engines(folder, told).of("abc-11-fp32-3", "r100.onnx", 0)


def build(one: Engine) -> None:
    """What ONNX Runtime does while the session is made."""
    with one.building():
        if not one.built:
            (one.folder / "TensorrtExecutionProvider_TRTKernel_0_sm90.engine").write_bytes(b"engine")


def test_an_engine_lies_under_network_card_version_precision_and_batch(tmp_path: Path) -> None:
    place = engine(tmp_path).folder.relative_to(tmp_path)
    assert place == Path("abc-11-fp32-3") / "NVIDIA-H100-80GB-HBM3-10.14.1-fp16-64"


def test_whatever_an_engine_depends_on_gives_it_another_folder(tmp_path: Path) -> None:
    usual = engines(tmp_path)
    newer = replace(usual, kind_of=lambda card: Kind(KINDS[0].card, "10.15.0"))
    folders = {
        each.of(network, "r100.onnx", card).folder
        for each in (usual, newer, replace(usual, most=32), replace(usual, half=False))
        for network in ("abc-11-fp32-3", "def-11-fp32-3")
        for card in (0, 2)
    }
    assert len(folders) == 4 * 2 * 2 - 2  # `newer` has one card only
    assert all(tmp_path in folder.parents for folder in folders)


def test_cards_of_one_kind_share_an_engine(tmp_path: Path) -> None:
    same = [engines(tmp_path).of("abc", "r100.onnx", card).folder for card in (0, 1)]
    assert same[0] == same[1]


def test_building_is_announced_once_with_network_card_and_place(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        build(engine(tmp_path, told))
    (line,) = told
    assert "r100.onnx on NVIDIA H100 80GB HBM3: minutes, once" in line
    assert str(tmp_path) in line


def test_who_comes_while_an_engine_is_built_waits_and_takes_it(tmp_path: Path) -> None:
    told: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(build, [engine(tmp_path, told) for _ in range(4)]))
    assert len(told) == 1


def test_a_session_that_tensorrt_took_no_part_of_is_not_accepted(tmp_path: Path) -> None:
    with (
        pytest.raises(DeviceUnavailable, match="TensorRT took no part of the network") as raised,
        engine(tmp_path).building(),
    ):
        pass
    assert raised.value.exit_status == 5


def test_a_folder_that_cannot_be_made_is_told_before_minutes_are_spent(tmp_path: Path) -> None:
    (tmp_path / "engines").write_text("a file")
    with (
        pytest.raises(DeviceUnavailable, match="engines can't be kept in"),
        engine(tmp_path / "engines").building(),
    ):
        raise AssertionError("nothing may be built")


def test_the_provider_is_told_card_precision_folder_and_every_batch_it_will_see(tmp_path: Path) -> None:
    one = engine(tmp_path)
    told = one.options(1)
    assert (told["device_id"], told["trt_fp16_enable"]) == ("1", "True")
    assert (told["trt_engine_cache_enable"], told["trt_engine_cache_path"]) == ("True", str(one.folder))
    assert told["trt_profile_min_shapes"] == "pixels:1x112x112x3,pixels_1:1x112x112x3"
    for most in ("opt", "max"):
        assert told[f"trt_profile_{most}_shapes"] == "pixels:64x112x112x3,pixels_1:64x112x112x3"
    assert replace(one, half=False).options(0)["trt_fp16_enable"] == "False"


def test_the_shapes_are_named_as_the_rewritten_graph_names_its_pixels(tmp_path: Path) -> None:
    network = read_network(recogniser_graph(tmp_path / "net.onnx"))
    take_pixels(network, PixelScaling(rgb=True, mean=127.5, scale=127.5))
    cast = network.graph.node[0]
    assert cast.op_type == "Cast"  # all that TensorRT does with bytes
    assert (list(cast.input), list(cast.output)) == ([PIXELS], [PIXELS_AS_NUMBERS])


def test_a_network_without_a_hash_gets_no_engine_that_another_could_take(tmp_path: Path) -> None:
    options = SessionOptions(Device((0,)), engines=engines(tmp_path))
    path = recogniser_graph(tmp_path / "net.onnx")
    with pytest.raises(ValueError, match="hash"):
        open_network(path, Rewrite(batch=True), Precision.FP32, options)
