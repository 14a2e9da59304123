"""A graph whose fixed dimensions were made free, that takes pixels as they are, or whose numbers were halved,
answers as before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from arcface_cli.cli import build
from arcface_cli.detection.detector import FAMILIES, STANDARD, NetworkDetector, canvas_size
from arcface_cli.faces import Done
from arcface_cli.imaging.blob import PixelScaling, to_blob
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import letterbox
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import process
from arcface_cli.recognition.recogniser import Recogniser
from arcface_cli.results import PhotoFaces
from arcface_cli.runtime.gathering import GatheringNetwork
from arcface_cli.runtime.networks import Precision, Rewrite, open_network
from arcface_cli.runtime.sessions import Session, SessionOptions, open_session
from arcface_cli.weights.store import InstalledDetector, InstalledRecogniser, WeightStore

pytestmark = pytest.mark.real

OPTIONS = SessionOptions(threads=1)
ROUNDING = {"rtol": 1e-4, "atol": 1e-4}
FIXED_DETECTORS = [
    ("scrfd_2.5g_kps.onnx", PixelScaling(rgb=True, mean=127.5, scale=128.0)),
    ("face_detection_yunet_2023mar.onnx", PixelScaling(rgb=False, mean=0.0, scale=1.0)),
]


def test_a_recogniser_whose_batch_was_freed_gives_the_same_features(
    shared_models: Path, real_faces: dict[Path, PhotoFaces]
) -> None:
    path = shared_models / "mobilefacenet_512.onnx"
    crops = np.concatenate([seen.aligned.crops for seen in real_faces.values()])[:32]
    blob = to_blob(crops, PixelScaling(rgb=True, mean=127.5, scale=127.5))
    fixed, freed = both(path, batch=True, spatial=False)

    one_by_one = np.concatenate([fixed.run(row[None])[0] for row in blob])

    assert np.array_equal(np.concatenate([freed.run(row[None])[0] for row in blob]), one_by_one)
    np.testing.assert_allclose(freed.run(blob)[0], one_by_one, **ROUNDING)


@pytest.mark.parametrize("name", ["mobilefacenet_512", "mobilefacenet_192"])
def test_a_recogniser_that_takes_pixels_in_batches_gives_the_features_of_200_crops(
    name: str, weights: WeightStore, real_faces: dict[Path, PhotoFaces]
) -> None:
    found = weights.resolve(name, "yunet").recogniser
    scaling = build.scaling_of(found.entry)
    crops = np.concatenate([seen.aligned.crops for seen in real_faces.values()])[:200]
    assert len(crops) == 200
    original = open_session(found.path, found.path.name, OPTIONS)
    rewritten = reopened(found.path, Rewrite(batch=True, pixels=scaling))

    one_by_one = np.concatenate([original.run(row[None])[0] for row in to_blob(crops, scaling)])

    assert np.array_equal(
        np.concatenate([rewritten.run(crops[i : i + 1])[0] for i in range(200)]), one_by_one
    )
    together = np.concatenate([rewritten.run(crops[i : i + 32])[0] for i in range(0, 200, 32)])
    assert cosines(together, one_by_one).min() >= 1 - 1e-5


@pytest.mark.parametrize(
    ("name", "count"),
    [("scrfd_500m", 200), ("yunet", 200), ("yunet_n", 24), ("scrfd_2.5g", 16), ("centerface", 16)],
)
def test_a_detector_that_takes_pixels_in_batches_gives_the_heads_of_one_photograph_at_a_time(
    name: str, count: int, weights: WeightStore, real_faces: dict[Path, PhotoFaces]
) -> None:
    found = weights.resolve_detector(name, None)
    scaling, free = build.scaling_of(found.entry), found.entry.size == "rewritable"
    canvases = canvases_of(list(real_faces)[-count:])  # wild/ comes last: many shapes
    original = reopened(found.path, Rewrite(batch=free, spatial=free))  # as a CPU runs it
    rewritten = reopened(found.path, Rewrite(batch=True, spatial=free, pixels=scaling))

    for canvas in canvases:
        pair = np.stack([canvas, canvas[:, ::-1]])  # a photograph and its mirror image
        together = rewritten.run(pair)
        for place, picture in enumerate(pair):
            alone = original.run(to_blob([picture], scaling))
            for level, head in enumerate(alone):
                rows = together[level][place].reshape(1, -1), head.reshape(1, -1)
                assert cosines(*rows)[0] >= 1 - 1e-5
                np.testing.assert_allclose(*rows, **ROUNDING)


@pytest.mark.parametrize("name", ["scrfd_500m", "yunet"])
def test_workers_that_share_runs_of_a_detector_find_what_one_alone_finds(
    name: str,
    weights: WeightStore,
    real_faces: dict[Path, PhotoFaces],
    open_workshop: Callable[..., build.Workshop],
) -> None:
    found = weights.resolve_detector(name, None)
    rewrite = Rewrite(
        batch=True, spatial=found.entry.size == "rewritable", pixels=build.scaling_of(found.entry)
    )
    shared = GatheringNetwork(reopened(found.path, rewrite))
    together = NetworkDetector(name, shared, FAMILIES[found.entry.family], None)
    alone = open_workshop(recognise=False, detector=name).stages.detector
    images = [decode(path.read_bytes()) for path in list(real_faces)[::6]]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda image: together.detect_each([image])[0], images))

    for image, faces in zip(images, answers, strict=True):
        expected = alone.detect_each([image])[0]
        assert len(faces) == len(expected)
        for face, same in zip(faces, expected, strict=True):
            np.testing.assert_allclose(face.points.array, same.points.array, atol=0.01)


def test_the_way_through_a_gpu_run_on_a_cpu_gives_the_same_templates(
    weights: WeightStore, real_faces: dict[Path, PhotoFaces], open_workshop: Callable[..., build.Workshop]
) -> None:
    paths = list(real_faces)[::3]
    usual = open_workshop(paths, detector="scrfd_500m", faces="all")
    model = weights.resolve("mobilefacenet_512", "scrfd_500m")

    def taking_pixels(found: InstalledDetector | InstalledRecogniser) -> Session:
        return reopened(found.path, Rewrite(batch=True, pixels=build.scaling_of(found.entry)))

    shared = GatheringNetwork(taking_pixels(model.detector))
    stages = replace(
        usual.stages,
        detector=NetworkDetector("scrfd_500m", shared, FAMILIES["scrfd"], None),
        recogniser=Recogniser(
            taking_pixels(model.recogniser),
            None,
            build.require_recogniser(usual.stages).fingerprint,
            batch=48,
            padded=True,
        ),
        pooled=True,
    )

    pairs = zip(usual.results(), process((Photo(path) for path in paths), stages, 6), strict=True)
    for (photo, expected), (same_photo, outcome) in pairs:
        assert photo.path == same_photo.path
        assert isinstance(expected, Done)
        assert isinstance(outcome, Done)
        features, exact = outcome.value.templates.features, expected.value.templates.features
        assert cosines(features, exact).min() >= 1 - 1e-5, photo.path


@pytest.mark.parametrize(("name", "scaling"), FIXED_DETECTORS)
def test_a_detector_whose_picture_size_was_freed_gives_the_same_heads(
    name: str, scaling: PixelScaling, shared_models: Path, shared_data: Path
) -> None:
    blob = blob_of(shared_data, scaling, 640)[:2]
    fixed, freed = both(shared_models / name, batch=True, spatial=True)

    alone = [fixed.run(row[None]) for row in blob]

    for heads, row in zip(alone, blob, strict=True):
        for head, same in zip(heads, freed.run(row[None]), strict=True):
            np.testing.assert_allclose(same, head, **ROUNDING)
    for level, head in enumerate(freed.run(blob)):
        one_by_one = np.concatenate([heads[level].reshape(1, -1) for heads in alone])
        np.testing.assert_allclose(head.reshape(2, -1), one_by_one, **ROUNDING)


def test_centerface_declared_for_ten_tiny_pictures_gives_the_same_maps_for_any_number_and_size(
    shared_models: Path, shared_data: Path
) -> None:
    scaling = PixelScaling(rgb=True, mean=0.0, scale=1.0)
    tiny = np.concatenate([blob_of(shared_data, scaling, 32)] * 2)[:10]
    fixed, freed = both(shared_models / "centerface.onnx", batch=True, spatial=True)

    for head, same in zip(fixed.run(tiny), freed.run(tiny), strict=True):
        np.testing.assert_allclose(same, head, **ROUNDING)
    for head, alone in zip(fixed.run(tiny), freed.run(tiny[:1]), strict=True):
        np.testing.assert_allclose(alone, head[:1], **ROUNDING)
    assert freed.run(blob_of(shared_data, scaling, 96)[:1])[0].shape == (1, 1, 24, 24)


@pytest.mark.parametrize("model", ["mobilefacenet_512", "mobilefacenet_192"])
def test_half_precision_on_the_cpu_keeps_templates_within_a_thousandth(
    model: str, real_faces: dict[Path, PhotoFaces], open_workshop: Callable[..., build.Workshop]
) -> None:
    full, half = (
        build.require_recogniser(open_workshop(model=model, detector="yunet", precision=precision).stages)
        for precision in ("fp32", "fp16")
    )
    for path, seen in list(real_faces.items())[::8]:
        exact, rough = (each.embed(seen.aligned, path.name).features[0] for each in (full, half))
        assert exact @ rough >= 1 - 1e-3, path


def test_half_precision_cuts_the_same_faces_out(
    real_faces: dict[Path, PhotoFaces], open_workshop: Callable[..., build.Workshop]
) -> None:
    for detector in ("yunet", "scrfd_500m"):
        full, half = (
            open_workshop(recognise=False, detector=detector, precision=precision).stages.detector
            for precision in ("fp32", "fp16")
        )
        for path in list(real_faces)[::20]:
            image = decode(path.read_bytes())
            exact, same = full.detect_each([image])[0], half.detect_each([image])[0]
            assert [face.box for face in same] == [face.box for face in exact]
            assert [face.points.array.tolist() for face in same] == [f.points.array.tolist() for f in exact]


def both(path: Path, *, batch: bool, spatial: bool) -> tuple[Session, Session]:
    """The graph as it is, and with its dimensions made free."""
    return open_session(path, path.name, OPTIONS), reopened(path, Rewrite(batch=batch, spatial=spatial))


def reopened(path: Path, rewrite: Rewrite) -> Session:
    return open_network(path, rewrite, Precision.FP32, OPTIONS)


def cosines(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each row with its counterpart."""
    a, b = some.astype(np.float64), others.astype(np.float64)
    return np.asarray((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))


def canvases_of(paths: Sequence[Path]) -> list[NDArray[np.uint8]]:
    """The standard canvas of each photograph, as the detector makes it."""
    made = []
    for path in paths:
        image = decode(path.read_bytes())
        width, height = canvas_size(image.shape[1], image.shape[0], STANDARD)
        made.append(letterbox(image, width, height)[0])
    return made


def blob_of(shared_data: Path, scaling: PixelScaling, side: int) -> NDArray[np.float32]:
    """The middle of six portraits."""
    paths = sorted((shared_data / "people").glob("*/*_0001.jpg"))[:6]
    start = (640 - side) // 2
    images = [decode(path.read_bytes())[start : start + side, start : start + side] for path in paths]
    return to_blob(images, scaling)
