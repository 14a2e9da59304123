"""What arcface draws says so in itself, and stays the picture that it was."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arcface_cli.imaging.decode import decode
from arcface_cli.imaging.geometry import encode_jpeg, encode_png
from arcface_cli.imaging.signature import is_signed, signed

HEAD = 256


def drawn(width: int = 37, height: int = 25) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def without_jfif() -> bytes:
    """A JPEG whose first segment is a table, not its usual header."""
    picture = encode_jpeg(drawn())
    return picture[:2] + picture[4 + int.from_bytes(picture[4:6], "big") :]


PICTURES = [encode_png(drawn()), encode_jpeg(drawn()), without_jfif()]


@pytest.mark.parametrize("picture", PICTURES)
def test_a_signed_picture_is_known_by_its_beginning_and_shows_the_same(picture: bytes) -> None:
    assert not is_signed(picture[:HEAD])
    assert is_signed(signed(picture)[:HEAD])
    assert np.array_equal(decode(signed(picture)), decode(picture))


@pytest.mark.parametrize("picture", PICTURES)
def test_other_programs_read_the_words(picture: bytes) -> None:
    with Image.open(io.BytesIO(signed(picture))) as opened:
        opened.load()
        words = opened.info.get("Comment", opened.info.get("comment"))
    assert words in ("drawn by arcface", b"drawn by arcface")


def test_only_a_png_or_a_jpeg_can_be_signed() -> None:
    with pytest.raises(ValueError, match="PNG or a JPEG"):
        signed(b"GIF89a")


@given(
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xe0"]), st.binary(max_size=300)
)
def test_nothing_else_passes_for_signed(beginning: bytes, rest: bytes) -> None:
    assert not is_signed(beginning + rest)
