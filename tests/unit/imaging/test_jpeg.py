"""JPEGs are decoded by libjpeg-turbo itself; Pillow, which judges doubtful ones, must see the same pixels."""

from __future__ import annotations

import io
import random
from itertools import product

import numpy as np
import pictures
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from arcface_cli.errors import ArcfaceError
from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.pixels import to_bgr

pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL")
KINDS = list(product(("RGB", "L", "CMYK"), (0, 1, 2), (False, True), (20, 95)))


def jpeg(mode: str = "RGB", size: tuple[int, int] = (211, 97), **how: object) -> bytes:
    picture = Image.fromarray(pictures.gradient()).resize(size).convert(mode)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", **how)
    return stream.getvalue()


def by_pillow(data: bytes) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(data))
    image.load()
    return to_bgr(image)


@pytest.mark.parametrize(("mode", "subsampling", "progressive", "quality"), KINDS)
def test_every_kind_of_jpeg_has_the_pixels_that_pillow_sees(
    mode: str, subsampling: int, progressive: bool, quality: int
) -> None:
    data = jpeg(mode, subsampling=subsampling, progressive=progressive, quality=quality)
    assert np.array_equal(decode(data), by_pillow(data))


def test_colours_stored_as_they_are_and_restart_markers_make_no_difference() -> None:
    for data in (jpeg(keep_rgb=True), jpeg(restart_marker_rows=1)):
        assert np.array_equal(decode(data), by_pillow(data))


def test_a_damaged_jpeg_is_judged_by_pillow_alone() -> None:
    sound, moments = jpeg(quality=90), random.Random(0)
    told, seen = 0, 0
    for _ in range(300):
        damaged = bytearray(
            sound[: len(sound) if moments.random() < 0.7 else moments.randrange(100, len(sound))]
        )
        for _ in range(moments.randrange(1, 6)):
            damaged[moments.randrange(len(damaged))] = moments.randrange(256)
        try:
            wanted = by_pillow(bytes(damaged))
        except Exception:  # whatever Pillow raises on hostile bytes
            with pytest.raises(ArcfaceError):
                decode(bytes(damaged), min_side=1)
            told += 1
        else:
            assert np.array_equal(decode(bytes(damaged), min_side=1), wanted)
            seen += 1
    assert told > 50 and seen > 50


def test_a_size_that_only_the_decoder_believes_takes_no_memory() -> None:
    promised = np.empty((10, 10, 3), np.uint8)
    with pytest.raises(ValueError, match="too small"):
        simplejpeg.decode_jpeg(jpeg(), "BGR", buffer=promised)
