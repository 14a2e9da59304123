"""Hundreds of files that no decoder was meant to see: made from one seed, the same every time.

python tests/cli/hostile_corpus.py FOLDER [--seed N]
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from arcface_cli.inputs.walking import SUFFIXES

SEED = 20261124
MODES = ("RGB", "RGBA", "L", "P", "1", "CMYK", "I;16", "F", "LA")
MUTANTS_OF_EACH = 8
_USUAL_SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tif"}

Mutation = Callable[[bytes, random.Random], bytes]


def make_corpus(folder: Path, seed: int = SEED) -> list[Path]:
    """Write the corpus; every file has a suffix that counts as a photograph. Returns the files, sorted."""
    dice = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    suffixes = sorted(SUFFIXES)
    sound = pictures()
    for name, data in {**mutants(sound, dice), **bombs(), **nonsense(dice)}.items():
        kind = name.split("-", 1)[0]
        suffix = dice.choice(suffixes) if "suffix" in name else _USUAL_SUFFIX.get(kind, dice.choice(suffixes))
        (folder / f"{name}{suffix}").write_bytes(data)
    for raw in odd_names():
        (folder / raw.decode("utf-8", "surrogateescape")).write_bytes(dice.choice(list(sound.values()))[:500])
    return sorted(folder.iterdir())


def pictures() -> dict[str, bytes]:
    """A small picture in every format and mode that Pillow (and its HEIC plugin) can write here."""
    Image.init()
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
    except ImportError:
        pass
    made = {}
    for kind in sorted(Image.SAVE.keys() - {"PDF"}):  # which would hold the time of day
        for mode in MODES:
            data = _saved(_picture(mode), kind)
            if data:
                made[f"{kind}-{mode.replace(';', '')}"] = data
    made["JPEG-progressive"] = _saved(_picture("RGB"), "JPEG", progressive=True)
    made["WEBP-lossless"] = _saved(_picture("RGB"), "WEBP", lossless=True)
    made["TIFF-lzw"] = _saved(_picture("RGB"), "TIFF", compression="tiff_lzw")
    made["TIFF-deflate"] = _saved(_picture("RGB"), "TIFF", compression="tiff_adobe_deflate")
    made["GIF-animated"] = _saved(
        _picture("P"), "GIF", save_all=True, append_images=[_picture("P").rotate(90)]
    )
    return {name: data for name, data in made.items() if data}


def _picture(mode: str) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    colour = Image.fromarray(noise).resize((96, 72), Image.Resampling.BICUBIC)
    if mode == "I;16":
        return Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) * 257)
    return colour.convert(mode)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.save(buffer, kind, **options)
    except Exception:  # this kind takes no such mode, or its library isn't here
        return b""
    return buffer.getvalue()


# --- mutants ------------------------------------------------------------------------------------------


def mutants(sound: dict[str, bytes], dice: random.Random) -> dict[str, bytes]:
    others = list(sound.values())
    mutations: dict[str, Mutation] = {
        "truncated": lambda data, dice: data[: dice.randrange(len(data))],
        "header": lambda data, dice: data[: dice.randrange(4, 40)],
        "flipped": _flipped,
        "flips": lambda data, dice: _flipped(data, dice, dice.randrange(8, 64)),
        "front": lambda data, dice: _flipped(data[:64], dice, 6) + data[64:],
        "spliced": lambda data, dice: _spliced(data, dice.choice(others), dice),
        "inserted": _inserted,
        "suffix": lambda data, _: data,
        "zeroed": lambda data, dice: data[: (half := dice.randrange(len(data)))] + bytes(len(data) - half),
        "sizes": _large_numbers,
        "tail": lambda data, dice: data + dice.randbytes(dice.randrange(1, 4096)),
        "repeated": lambda data, _: data + data,
    }
    made = {}
    for name, data in sound.items():
        for what in dice.sample(sorted(mutations), MUTANTS_OF_EACH):
            made[f"{name}-{what}"] = mutations[what](data, dice)
    return made


def _flipped(data: bytes, dice: random.Random, count: int = 1) -> bytes:
    changed = bytearray(data)
    for _ in range(count):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _spliced(data: bytes, other: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))] + other[dice.randrange(len(other)) :]


def _inserted(data: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(data))
    return data[:place] + dice.randbytes(dice.randrange(1, 64)) + data[place:]


def _large_numbers(data: bytes, dice: random.Random) -> bytes:
    """Numbers of a header made enormous."""
    changed = bytearray(data)
    for _ in range(3):
        place = dice.randrange(min(len(changed), 200))
        changed[place : place + 4] = dice.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"])
    return bytes(changed)


# --- bombs and nonsense -------------------------------------------------------------------------------


def bombs() -> dict[str, bytes]:
    """Small files that claim, or really unpack to, enormous pictures."""
    squeezed = zlib.compress(bytes(3 * 20_000 + 1) * 2_000, 9)
    return {
        "PNG-bomb-claimed": _png(60_000, 60_000, zlib.compress(b"")),
        "PNG-bomb-real": _png(20_000, 20_000, squeezed),
        "PNG-bomb-flat": _png(2**31 - 1, 16, squeezed),
        "PNG-bomb-text": _png(64, 64, _rows(64, 64), zlib.compress(b"Comment\0\0" + bytes(1 << 28), 9)),
        "PNG-bomb-profile": _png(64, 64, _rows(64, 64), zlib.compress(bytes(1 << 28), 9), b"iCCP"),
        "PNG-bomb-large": _png(12_000, 12_000, _rows(12_000, 12_000)),
        "GIF-bomb": b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0\0;",
        "BMP-bomb": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 200, 0, 0, 54, 40, 2**30, 2**30, 1, 24, *[0] * 6),
        "PPM-bomb": b"P6\n1000000 1000000\n255\n" + bytes(100),
        "PPM-text": b"P3\n30000 30000\n255\n" + b"1 " * 10_000,
        "TIFF-bomb": _tiff(2**31 - 1, 2**31 - 1),
        "TIFF-loop": b"II*\0\x08\0\0\0\x00\x00\x08\0\0\0",
        "JPEG-scans": _scans(4_000),
        "WEBP-bomb": b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\xff\xff\xff\xff\xff" + bytes(8),
    }


def _png(width: int, height: int, pixels: bytes, extra: bytes = b"", kind: bytes = b"zTXt") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        *([(kind, b"x\0\0" + extra)] if extra else []),
        (b"IDAT", pixels),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _rows(width: int, height: int) -> bytes:
    packer = zlib.compressobj(9)
    row = bytes(3 * width + 1)
    return b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])


def _tiff(width: int, height: int) -> bytes:
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (262, 3, 1), (273, 4, 8), (278, 4, height)]
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)


def _scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is told again and again."""
    data = _saved(_picture("RGB").resize((640, 480)), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    return data[:-2] + data[scan:-2] * count + b"\xff\xd9"


def nonsense(dice: random.Random) -> dict[str, bytes]:
    """Files that are no pictures at all."""
    page = b"<!DOCTYPE html><html><body>404</body></html>"
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    plain = {
        "empty": b"",
        "one byte": b"\xff",
        "zeros": bytes(100_000),
        "random": dice.randbytes(100_000),
        "page": page,
        "drawing": drawing,
        "pdf": b"%PDF-1.7\n" + bytes(100),
        "zip": b"PK\x03\x04" + bytes(100),
        "elf": b"\x7fELF" + bytes(1000),
        "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64,
        "gzip": b"\x1f\x8b" + bytes(50),
        "pickle": b"cos\nsystem\n(S'true'\ntR.",
    }
    return {f"{name}-{number}": data for name, data in plain.items() for number in range(2)}


def odd_names() -> Iterator[bytes]:
    """Names that shells, terminals and JSON stumble over."""
    yield from (b"-rf.jpg", b"--output=x.jpg", b" .jpg", b"a\nb.jpg", b"a\tb.jpg", b"\x1b[31mred.jpg")
    yield from (b"\xff\xfe\x80.jpg", b"caf\xe9.jpg", "e\u0301.jpg".encode(), "é.jpg".encode())
    yield from (
        "\u202egpj.exe.jpg".encode(),
        "\U0001f600.png".encode(),
        b"'\"`$(true)*?.png",
        b"x" * 251 + b".jpg",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    make_corpus(options.folder, options.seed)


if __name__ == "__main__":
    main()
