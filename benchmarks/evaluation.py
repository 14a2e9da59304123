"""What `arcface evaluate` costs once photographs were embedded, and what very many pairs cost.

1. 10,000 photographs (copies of the labelled ones, each cut a little differently and stored anew, so that all
   have contents of their own), evaluated twice: the second run must embed nothing.
2. 6,000 pairs of them in LFW's format from the cache, as a process from start to end.
3. All 199,990,000 pairs of 20,000 made-up templates: time and memory,.

    python benchmarks/evaluation.py [--photographs 10000] [--templates 20000]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = CHECKOUT.parent / "shared"
SIDE = 256
"""Longer side of the copies, in pixels."""
MODELS = ("face_detection_yunet_2023mar.onnx", "mobilefacenet_512.onnx")
PAIRS = 6_000
THRESHOLD = 0.422
ROUNDS = 5


@dataclass(frozen=True)
class Ran:
    """A command's answer, seconds from start to end, seconds of a core, and most memory, in MiB."""

    told: dict[str, Any]
    wall: float
    core: float
    memory: float


def arcface(place: Path, *words: object) -> Ran:
    """Run a command in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARCFACE_")}
    environment |= {
        "ARCFACE_MODELS_DIR": str(place / "models"), "XDG_CACHE_HOME": str(place / "cache"),
        "PYTHONPATH": str(CHECKOUT / "src"),
    }  # fmt: skip
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "arcface_cli", *map(str, words)], env=environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        raise SystemExit(
            f"arcface {' '.join(map(str, words))} ended with {os.waitstatus_to_exitcode(status)}"
        )
    told = json.loads(out) if out else {}
    return Ran(told, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def copies(data: Path, wanted: int) -> Iterator[tuple[str, bytes]]:
    """(person, JPEG) of `wanted` photographs, no two of equal content."""
    photographs = sorted((data / "people").rglob("*.jpg"))
    made = 0
    for turn in count():
        for path in photographs:
            if made == wanted:
                return
            with Image.open(path) as image:
                left, top = turn % 5, turn // 5 % 5
                cut = image.convert("RGB").crop((left, top, image.width - 5 + left, image.height - 5 + top))
            cut.thumbnail((SIDE, SIDE))
            text = io.BytesIO()
            cut.save(text, "JPEG", quality=90)
            made += 1
            yield path.parent.name, text.getvalue()


def photographs(data: Path, folder: Path, wanted: int) -> dict[str, int]:
    """Write them as LFW is laid out; how many each person has."""
    numbers: dict[str, int] = {}
    for person, content in copies(data, wanted):
        numbers[person] = numbers.get(person, 0) + 1
        path = folder / person / f"{person}_{numbers[person]:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return numbers


def pairs(numbers: dict[str, int], path: Path) -> None:
    """6,000 pairs in LFW's format, 10 folds."""
    random = np.random.default_rng(0)
    people = sorted(numbers)
    lines = [f"10 {PAIRS // 20}"]
    for _ in range(10):
        for _ in range(PAIRS // 20):
            person = people[random.integers(len(people))]
            one, other = random.choice(numbers[person], 2, replace=False) + 1
            lines.append(f"{person}\t{one}\t{other}")
        for _ in range(PAIRS // 20):
            first, second = (people[each] for each in random.choice(len(people), 2, replace=False))
            one, other = (int(random.integers(numbers[each])) + 1 for each in (first, second))
            lines.append(f"{first}\t{one}\t{second}\t{other}")
    path.write_text("\n".join(lines) + "\n")


def cached(place: Path, data: Path, wanted: int) -> None:
    """Embed, embed again, and compare pairs from the cache."""
    folder = place / "people"
    numbers = photographs(data, folder, wanted)
    print(f"{sum(numbers.values()):,} photographs of {len(numbers)} people, {SIDE} pixels")
    for run in ("first", "second"):
        ran = arcface(place, "evaluate", folder, "-q", "--json")
        compared = ran.told["comparisons"]["genuine"] + ran.told["comparisons"]["impostor"]
        print(
            f"{run} run: {ran.told['inferences']:,} embedded, {ran.wall:.1f} s from start to end, "
            f"{ran.memory:.0f} MiB at most ({compared:,} pairs)"
        )
    pairs(numbers, place / "pairs.txt")
    words = ("evaluate", "--pairs", place / "pairs.txt", folder, "-q", "--json")
    rounds = [arcface(place, *words) for _ in range(ROUNDS)]
    wall, core = [each.wall for each in rounds], [each.core for each in rounds]
    print(
        f"{PAIRS:,} pairs from the cache: {statistics.median(wall):.2f} s from start to end, median of "
        f"{ROUNDS} ({min(wall):.2f} to {max(wall):.2f}), {statistics.median(core):.2f} s of a core, "
        f"{rounds[0].told['inferences']} embedded"
    )


def all_pairs(templates: int) -> None:
    """All pairs of made-up templates, in this process."""
    from arcface_cli.evaluation.histogram import count_all_pairs

    random = np.random.default_rng(0)
    features = random.standard_normal((templates, 512), dtype=np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    people = np.arange(templates, dtype=np.int64) // 5
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    begun = time.perf_counter()
    counted, _ = count_all_pairs(features, people, THRESHOLD)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"all {counted.genuines + counted.impostors:,} pairs of {templates:,} templates: {seconds:.1f} s; "
        f"{before:.0f} MiB before (the templates are {features.nbytes / 2**20:.0f}), {after:.0f} at most"
    )


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--models", type=Path, default=SHARED / "models")
    parser.add_argument("--photographs", type=int, default=10_000)
    parser.add_argument("--templates", type=int, default=20_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name in MODELS:
            arcface(place, "models", "import", chosen.models / name, "-q")
        cached(place, chosen.data, chosen.photographs)
    all_pairs(chosen.templates)  # last: a process's peak memory is told to the children that it starts


if __name__ == "__main__":
    main()
