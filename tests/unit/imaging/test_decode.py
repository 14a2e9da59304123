from __future__ import annotations

import io
import math
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pictures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from arcface_cli.errors import (
    ArcfaceError,
    EmptyFile,
    ImageTooLarge,
    ImageTooSmall,
    UnreadableImage,
    UnsupportedFormat,
)
from arcface_cli.imaging.decode import MAX_PIXELS, decode
from arcface_cli.imaging.kinds import picture_kind

pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL")  # pytest puts ours aside

WIDTH, HEIGHT = pictures.WIDTH, pictures.HEIGHT
EVERY_FORMAT = {**pictures.LOSSLESS, **pictures.LOSSY, "heic": pictures.heic}


def expected() -> NDArray[np.uint8]:
    return pictures.gradient()[:, :, ::-1]


def difference(pixels: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> int:
    assert pixels.shape == wanted.shape
    return int(np.abs(pixels.astype(int) - wanted.astype(int)).max())


def grey_levels(data: bytes) -> NDArray[np.uint8]:
    pixels = decode(data, min_side=1)
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert (pixels[..., 0] == pixels[..., 2]).all()
    return pixels[..., 0]


# --- formats and modes ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", pictures.LOSSLESS)
def test_a_picture_without_loss_comes_back_exactly_in_bgr(kind: str) -> None:
    pixels = decode(pictures.LOSSLESS[kind]())
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, expected())


@pytest.mark.parametrize("kind", pictures.LOSSY)
def test_a_picture_with_loss_comes_back_nearly(kind: str) -> None:
    pixels = decode(pictures.LOSSY[kind]())
    assert pixels.shape == expected().shape
    assert np.abs(pixels.astype(int) - expected().astype(int)).mean() < 6


def test_a_heic_picture_comes_back_nearly() -> None:
    wanted = np.asarray(pictures.rgb().resize((64, 64)))[:, :, ::-1]
    pixels = decode(pictures.heic())
    assert pixels.shape == wanted.shape
    assert np.abs(pixels.astype(int) - wanted.astype(int)).mean() < 6


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30}, {"subsampling": 2}])
def test_a_jpeg_gives_the_pixels_that_cv2_gives(options: dict[str, object]) -> None:
    data = pictures.saved(pictures.rgb().resize((301, 207)), "JPEG", **options)
    assert np.array_equal(decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "PPM", "WEBP", "JPEG2000"])
def test_grey_becomes_three_equal_channels(kind: str) -> None:
    image = Image.fromarray(pictures.grey())
    data = pictures.saved(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    assert difference(grey_levels(data), pictures.grey()) <= (3 if kind == "JPEG" else 0)


def test_transparency_is_laid_over_white() -> None:
    layer = np.dstack([pictures.gradient(), np.zeros((HEIGHT, WIDTH), np.uint8)])
    layer[:, : WIDTH // 2, 3] = 255
    layer[:, WIDTH // 2, 3] = 128
    pixels = decode(pictures.saved(Image.fromarray(layer), "PNG"))
    assert np.array_equal(pixels[:, : WIDTH // 2], expected()[:, : WIDTH // 2])
    assert (pixels[:, WIDTH // 2 + 1 :] == 255).all()
    halfway = expected()[:, WIDTH // 2].astype(float) * (128 / 255) + 255 * (127 / 255)
    assert np.abs(pixels[:, WIDTH // 2] - halfway).max() <= 1


def test_grey_with_alpha_is_laid_over_white() -> None:
    layer = Image.merge("LA", [Image.fromarray(pictures.grey()), Image.new("L", (WIDTH, HEIGHT), 0)])
    assert (grey_levels(pictures.saved(layer, "PNG")) == 255).all()


def test_a_palette_with_a_transparent_colour_is_laid_over_white() -> None:
    image = Image.new("P", (WIDTH, HEIGHT), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, WIDTH // 2, HEIGHT))
    for kind in ("PNG", "GIF"):
        pixels = decode(pictures.saved(image, kind, transparency=0))
        assert (pixels[:, : WIDTH // 2] == 255).all()
        assert (pixels[:, WIDTH // 2 :] == (255, 0, 0)).all()


def test_a_colour_key_is_laid_over_white() -> None:
    image = Image.new("RGB", (WIDTH, HEIGHT), (10, 20, 30))
    assert (decode(pictures.saved(image, "PNG", transparency=(10, 20, 30))) == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_one_bit_becomes_black_and_white(kind: str) -> None:
    image = Image.fromarray(pictures.grey() > 127)
    assert np.array_equal(grey_levels(pictures.saved(image, kind)), (pictures.grey() > 127) * np.uint8(255))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000"])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(kind: str) -> None:
    samples = np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16)
    assert difference(grey_levels(pictures.saved(Image.fromarray(samples), kind)), samples >> 8) == 0


def test_sixteen_bit_pgm_is_scaled_and_not_clipped() -> None:
    samples = np.linspace(0, 65535, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(">u2")
    for scale in (1, 256):  # a dark picture stays dark
        data = b"P5 %d %d 65535\n" % (WIDTH, HEIGHT) + (samples // scale).astype(">u2").tobytes()
        assert difference(grey_levels(data), samples // scale // 257) <= 1


def test_sixteen_bit_colour_is_scaled_and_not_clipped() -> None:
    samples = (pictures.gradient().astype(np.uint16) << 8 | 0x55).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    assert np.array_equal(decode(pictures.png(WIDTH, HEIGHT, 16, 2, rows)), expected())


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_a_float_tiff_is_scaled_by_the_smallest_usual_white_that_holds_it(white: float) -> None:
    samples = (pictures.grey() / 255.0 * white).astype(np.float32)
    assert difference(grey_levels(pictures.saved(Image.fromarray(samples), "TIFF")), pictures.grey()) <= 1


def test_a_float_tiff_with_nan_and_infinity_decodes() -> None:
    samples = (pictures.grey() / 255.0).astype(np.float32)
    samples[0, :4] = [np.nan, np.inf, -np.inf, -5]
    assert grey_levels(pictures.saved(Image.fromarray(samples), "TIFF"))[0, :4].tolist() == [0, 255, 0, 0]


def test_thirty_two_bit_integers_are_scaled() -> None:
    samples = pictures.grey().astype(np.int32) * 257
    assert difference(grey_levels(pictures.saved(Image.fromarray(samples), "TIFF")), pictures.grey()) <= 1


def test_cmyk_as_adobe_writes_it_is_not_inverted() -> None:
    data = pictures.saved(pictures.rgb().convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in data
    assert np.abs(decode(data).astype(int) - expected().astype(int)).mean() < 4


def test_ycck_as_adobe_writes_it_is_read() -> None:
    data = pictures.saved(pictures.rgb().convert("CMYK"), "JPEG", quality=95)
    marker = data.index(b"Adobe")
    as_ycck = data[: marker + 11] + b"\x02" + data[marker + 12 :]
    assert decode(as_ycck).shape == (HEIGHT, WIDTH, 3)
    assert not np.array_equal(decode(as_ycck), decode(data))


def test_the_content_decides_and_not_the_name() -> None:
    assert picture_kind(pictures.LOSSLESS["png"]()) == "PNG"
    assert np.array_equal(decode(pictures.LOSSLESS["png"](), name="photo.jpg"), expected())


# --- orientation -----------------------------------------------------------------------------

_STORED = {  # how a camera that says this orientation stores the upright scene (TIFF 6.0, tag 274)
    1: lambda scene: scene,
    2: np.fliplr,
    3: lambda scene: np.rot90(scene, 2),
    4: np.flipud,
    5: lambda scene: scene.transpose(1, 0, 2),
    6: lambda scene: np.rot90(scene, 1),
    7: lambda scene: np.rot90(scene, 2).transpose(1, 0, 2),
    8: lambda scene: np.rot90(scene, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_every_orientation_is_turned_upright(kind: str, orientation: int) -> None:
    stored = np.ascontiguousarray(_STORED[orientation](pictures.gradient()))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}.get(kind, {})
    pixels = decode(pictures.saved(Image.fromarray(stored), kind, exif=exif, **options))
    assert pixels.flags.c_contiguous
    assert difference(pixels, expected()) <= (6 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [3, 6, 8])
@pytest.mark.parametrize("kind", ["avif", "heic"])
def test_modern_formats_are_turned_once_and_not_twice(kind: str, orientation: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(_STORED[orientation](pictures.gradient(96, 64))))
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    if kind == "avif":
        stored.save(buffer, "AVIF", exif=exif, quality=95)
    else:
        import pillow_heif

        options = {"quality": 95, "exif": exif.tobytes()}
        pillow_heif.encode("RGB", stored.size, stored.tobytes(), buffer, **options)
        assert b"irot" in buffer.getvalue()
    pixels = decode(buffer.getvalue())
    wanted = pictures.gradient(96, 64)[:, :, ::-1]
    assert pixels.shape == wanted.shape
    assert np.abs(pixels.astype(int) - wanted.astype(int)).mean() < 6


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04six\0\0\0\0\0",
        b"Exif\0\0",
    ],
)
def test_damaged_exif_costs_the_orientation_and_not_the_photograph(exif: bytes) -> None:
    data = pictures.saved(pictures.rgb(), "JPEG", quality=98, subsampling=0, exif=exif)
    assert difference(decode(data), expected()) <= 6


# --- limits -----------------------------------------------------------------------------------


def bombs() -> dict[str, bytes]:
    header_only = pictures.png(100_000, 100_000, 8, 2, b"\0")
    rows = zlib.compressobj()
    row = b"\0" + bytes(30_000 // 8)
    packed = b"".join(rows.compress(row * 1000) for _ in range(30)) + rows.flush()
    ihdr = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    one_bit = b"\x89PNG\r\n\x1a\n" + pictures.png_chunk(b"IHDR", ihdr) + pictures.png_chunk(b"IDAT", packed)
    gif = bytearray(pictures.LOSSY["gif"]())
    gif[6:10] = b"\xff\xff\xff\xff"
    jpeg = bytearray(pictures.LOSSY["jpeg"]())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xdc\xff\xdc"
    bmp = bytearray(pictures.LOSSLESS["bmp"]())
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    tiff = bytearray(pictures.LOSSLESS["tiff"]())
    for tag in (256, 257):
        entry = next(
            start
            for start in range(8, len(tiff))
            if tiff[start : start + 2] == struct.pack("<H", tag) and tiff[start + 2] in (3, 4)
        )
        tiff[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, 100_000)
    return {
        "png header": header_only,
        "png one bit": one_bit,
        "gif": bytes(gif),
        "jpeg": bytes(jpeg),
        "bmp": bytes(bmp),
        "tiff": bytes(tiff),
        "ppm": b"P6 100000 100000 255\n",
        "webp": webp_claiming(16_384, 16_384),
    }


def webp_claiming(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0"
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body += b"ANIM" + struct.pack("<I", 6) + b"\0" * 6
    still = pictures.LOSSLESS["webp"]()[12:]
    frame = (
        b"\0" * 6 + (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little") + b"\0" * 4 + still
    )
    body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


BOMBS = bombs()


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_by_its_header_at_once(kind: str) -> None:
    started = time.perf_counter()
    told = r"bomb\.png has (?:([\d,]+) x ([\d,]+) = )?([\d,]+) pixels: the limit is 178,956,970 pixels"
    with pytest.raises(ImageTooLarge, match=told) as caught:
        decode(BOMBS[kind], name="bomb.png")
    assert time.perf_counter() - started < 1
    match = re.match(told, caught.value.message)
    assert match is not None
    *sides, pixels = (int(number.replace(",", "")) for number in match.groups() if number is not None)
    assert pixels > MAX_PIXELS
    assert math.prod(sides) == pixels or (kind, sides) == ("webp", [])  # whose reader tells no sides


def test_the_limit_is_the_callers() -> None:
    data = pictures.LOSSLESS["png"]()
    with pytest.raises(ImageTooLarge, match=f"{WIDTH} x {HEIGHT} = 1,536 pixels: the limit is 1,535"):
        decode(data, max_pixels=WIDTH * HEIGHT - 1)
    assert decode(data, max_pixels=WIDTH * HEIGHT).shape == (HEIGHT, WIDTH, 3)


def test_a_jpeg_that_repeats_its_scans_without_end_is_refused() -> None:
    data = pictures.saved(pictures.rgb().resize((800, 800)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    repeated = data[:last] + data[last:-2] * 10_000 + data[-2:]
    started = time.perf_counter()
    with pytest.raises(ImageTooLarge, match="scans"):
        decode(repeated)
    assert time.perf_counter() - started < 1
    assert decode(data).shape == (800, 800, 3)


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_a_picture_that_can_hold_no_face_is_too_small(size: tuple[int, int]) -> None:
    data = pictures.saved(pictures.rgb().resize(size), "PNG")
    with pytest.raises(ImageTooSmall, match=f"{size[0]} x {size[1]}"):
        decode(data)
    assert decode(data, min_side=1).shape == (size[1], size[0], 3)


def test_the_smallest_picture_that_is_taken_decodes() -> None:
    assert decode(pictures.saved(pictures.rgb().resize((16, 16)), "PNG")).shape == (16, 16, 3)


# --- what is no picture ----------------------------------------------------------------------


def test_nothing_is_an_empty_file() -> None:
    with pytest.raises(EmptyFile, match=r"a\.jpg is empty"):
        decode(b"", name="a.jpg")


@pytest.mark.parametrize(
    ("data", "looks_like", "error"),
    [
        (b"hello, this is a letter\n", "text", UnreadableImage),
        (b"<!DOCTYPE html><html><body>404</body>", "a web page", UnreadableImage),
        (b"\0" * 5000, "zero bytes", UnreadableImage),
        (bytes(range(128, 256)) * 4, "unknown data", UnreadableImage),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF", UnsupportedFormat),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript", UnsupportedFormat),
        (b"<?xml version='1.0'?><svg xmlns='x'/>", "an SVG drawing", UnsupportedFormat),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a film", UnsupportedFormat),
        (b"RIFF\0\0\0\0AVI LIST", "a film", UnsupportedFormat),
        (b"8BPS\0\1", "a Photoshop file", UnsupportedFormat),
        (b"PK\x03\x04\x14\0", "a ZIP archive", UnsupportedFormat),
        (b"\xff\x0a\xfa\x7f", "JPEG XL", UnsupportedFormat),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", UnsupportedFormat),
    ],
)
def test_what_is_no_picture_is_told_what_it_looks_like(
    data: bytes, looks_like: str, error: type[ArcfaceError]
) -> None:
    with pytest.raises(error, match=rf"a\.jpg is no picture .*{looks_like}") as caught:
        decode(data, name="a.jpg")
    assert caught.value.hint


def test_an_eps_never_reaches_pillow() -> None:
    code = (
        "import sys; from arcface_cli.imaging.decode import decode\n"
        "from arcface_cli.errors import ArcfaceError\n"
        "for data in (b'%!PS-Adobe-3.0 EPSF', b'\\xff\\xd8\\xff\\xe0', b'8BPS\\0\\1', b'II*\\0aaaa'):\n"
        "    try: decode(data)\n"
        "    except ArcfaceError: pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('PIL.') and 'Eps' in name))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_heic_without_its_package_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from arcface_cli.imaging.decode import decode\n"
        "from arcface_cli.errors import UnsupportedFormat\n"
        "try: decode(sys.stdin.buffer.read(), name='a.heic')\n"
        "except UnsupportedFormat as error: print(error.message, error.hint)"
    )
    run = subprocess.run([sys.executable, "-c", code], input=pictures.heic(), capture_output=True, check=True)
    assert b"a.heic is a HEIC picture" in run.stdout
    assert b".[heic]" in run.stdout


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVERY_FORMAT)
def test_a_picture_cut_in_half_is_said_to_be_truncated(kind: str) -> None:
    data = EVERY_FORMAT[kind]()
    if kind == "tiff pages":  # the first page is whole
        data = pictures.LOSSLESS["tiff"]()
    if kind in ("jpeg mpo", "webp animated", "gif", "png animated"):
        data = data[: len(data) // 2]
    with pytest.raises(
        UnreadableImage, match=r"a\.jpg is (truncated|a TIFF file that can't be decoded)"
    ) as caught:
        decode(data[: len(data) // 2], name="a.jpg")
    assert "\n" not in caught.value.message
    assert caught.value.hint


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    noise = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, len(mode)), np.uint8).squeeze()
    file = io.BytesIO()
    Image.fromarray(noise, mode).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_its_end_mark_has_all_its_rows(mode: str, missing: int) -> None:
    whole = jpeg(mode)
    assert np.array_equal(decode(whole[:-missing]), decode(whole))


@pytest.mark.parametrize("missing", [3, 4, 10, 100])
def test_a_jpeg_that_lacks_a_byte_of_its_rows_is_refused(missing: int) -> None:
    with pytest.raises(UnreadableImage, match="is truncated"):
        decode(jpeg()[:-missing])


@pytest.mark.parametrize("data", [jpeg(progressive=True), jpeg("CMYK")], ids=["progressive", "CMYK"])
def test_where_an_end_mark_could_stand_for_more_it_is_missed(data: bytes) -> None:
    """A progressive JPEG without its last scans has every row, in a coarser form."""
    for end in (len(data) - 2, data.rindex(b"\xff\xda")):
        with pytest.raises(UnreadableImage):
            decode(data[:end])


@pytest.mark.parametrize("kind", EVERY_FORMAT)
@settings(max_examples=25, deadline=5000)
@given(data=st.data())
def test_a_damaged_picture_gives_pixels_or_a_deliberate_error(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(EVERY_FORMAT[kind]())
    for _ in range(data.draw(st.integers(0, 6), "flips")):
        place = data.draw(st.integers(0, len(damaged) - 1), "place")
        damaged[place] ^= data.draw(st.integers(1, 255), "bits")
    keep = data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)), "length")
    try:
        pixels = decode(bytes(damaged[:keep]), name="a.jpg", max_pixels=4_000_000)
    except ArcfaceError as error:
        assert error.message.startswith("a.jpg ")
        assert error.message.isprintable()
        assert "0x" not in error.message
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3 and pixels.shape[2] == 3


@given(st.binary(max_size=300), st.sampled_from([b"", *(make()[:24] for make in EVERY_FORMAT.values())]))
def test_any_bytes_give_pixels_or_a_deliberate_error(tail: bytes, head: bytes) -> None:
    try:
        decode(head + tail, max_pixels=4_000_000)
    except ArcfaceError as error:
        assert error.exit_status == 3


def test_pillow_keeps_off_the_terminal() -> None:
    """Warnings, log lines and libtiff's own words about two thousand damaged files, in a fresh process."""
    code = (
        "import random, sys; sys.path.insert(0, sys.argv[1]); import test_decode as t\n"
        "random.seed(5)\n"
        "for make in t.EVERY_FORMAT.values():\n"
        "    whole = make()\n"
        "    for turn in range(60):\n"
        "        data = bytearray(whole)\n"
        "        for _ in range(4): data[random.randrange(min(len(data), 400))] = random.randrange(256)\n"
        "        try: t.decode(bytes(data), max_pixels=1_000_000)\n"
        "        except t.ArcfaceError: pass\n"
        "for data in t.BOMBS.values():\n"
        "    try: t.decode(data)\n"
        "    except t.ArcfaceError: pass\n"
        "t.decode(t.pictures.saved(t.Image.new('1', (10_000, 10_000)), 'PNG'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)], capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    assert run.stderr == ""


def test_warnings_that_the_user_turned_into_errors_change_nothing() -> None:
    code = (
        "from arcface_cli.imaging.decode import decode; from PIL import Image; import io\n"
        "buffer = io.BytesIO(); Image.new('1', (10_000, 10_000)).save(buffer, 'PNG')\n"
        "print(decode(buffer.getvalue()).shape)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "(10000, 10000, 3)"


def test_decoding_changes_nothing_of_pillow_for_others() -> None:
    before, registered = Image.MAX_IMAGE_PIXELS, set(Image.OPEN)  # other tests may have registered HEIF
    decode(pictures.heic())
    assert ("HEIF" in Image.OPEN) == ("HEIF" in registered)
    assert before == Image.MAX_IMAGE_PIXELS
    assert before is not None and 2 * before == MAX_PIXELS


# --- real photographs -------------------------------------------------------------------------


@pytest.mark.real
def test_real_photographs_decode_to_the_pixels_that_cv2_gives(shared_data: Path) -> None:
    files = sorted((shared_data / "people").rglob("*.jpg"))[::5]
    assert len(files) >= 100
    for file in files:
        data = file.read_bytes()
        assert np.array_equal(decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)), (
            file
        )


@pytest.mark.real
def test_eight_stored_orientations_of_one_photograph_have_one_size(shared_data: Path) -> None:
    files = sorted(file for file in (shared_data / "hard" / "exif").iterdir() if file.suffix == ".jpg")
    decoded = [decode(file.read_bytes()) for file in files]
    assert len(files) == 8
    assert len({pixels.shape for pixels in decoded}) == 1
    for pixels in decoded[1:]:
        assert np.abs(pixels.astype(int) - decoded[0].astype(int)).mean() < 4
