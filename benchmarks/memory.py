"""Memory of long runs and of large pictures: resident memory of one `arcface embed` process.

1. Many inputs: a list that names the photographs over and over. Resident memory after the first 1,000
   records and at the end of 20,000; the difference must stay under 50 MB.
2. Large pictures: ten JPEGs of 50 megapixels, each of other content. Peak memory must stay under 1.5 GB.

    python benchmarks/memory.py --models ../shared/models --photos ../shared/data/people

MB are 10^6 bytes; resident memory is VmRSS of /proc, the peak is what wait4 tells.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
WEIGHTS = ("det_500m.onnx", "mobilefacenet_512.onnx")
CHOICE = ("-m", "mobilefacenet_512", "--detector", "scrfd_500m")
SETTLED, MOST_GROWTH, MOST_PEAK = 1_000, 50.0, 1_500.0
LARGE = (8_660, 5_774)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "arcface_cli", *map(str, arguments)]


def environment(models: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARCFACE_")}
    return kept | {"PYTHONPATH": str(CHECKOUT / "src"), "ARCFACE_MODELS_DIR": str(models)}


def install(weights: Path, models: Path) -> None:
    for name in WEIGHTS:
        subprocess.run(
            command("models", "import", "--accept-license", "-q", weights / name),
            env=environment(models),
            check=True,
            stdout=subprocess.DEVNULL,
        )


def resident(process: int) -> float:
    """VmRSS in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if "VmRSS" in line)


def long_run(listing: Path, models: Path, count: int) -> tuple[float, float, float]:
    """Resident memory after `SETTLED` records and at the last but one, and photographs a second."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command("embed", "--files-from", listing, "-f", "jsonl", "-q", *CHOICE),
        env=environment(models),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = last = 0.0
    for number, _ in enumerate(process.stdout, start=1):
        if number == SETTLED:
            first = resident(process.pid)
        if number == count - 1:
            last = resident(process.pid)
    if process.wait() != 0:
        sys.exit(f"arcface: status {process.returncode}")
    return first, last, count / (time.perf_counter() - start)


def peak(arguments: Sequence[object], models: Path) -> tuple[float, float]:
    """Peak resident memory in MB, and seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(command(*arguments), env=environment(models), stdout=subprocess.DEVNULL)
    _, state, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(state)
    if process.returncode != 0:
        sys.exit(f"arcface: status {process.returncode}")
    return usage.ru_maxrss * 1024 / 1e6, time.perf_counter() - start


def large_pictures(photographs: Sequence[Path], folder: Path, count: int = 10) -> list[Path]:
    """JPEGs of 50 megapixels, each with a face."""
    from PIL import Image

    paths = []
    for number, photograph in enumerate(photographs[:: max(1, len(photographs) // count)][:count]):
        paths.append(folder / f"large-{number}.jpg")
        with Image.open(photograph) as image:
            image.convert("RGB").resize(LARGE, Image.Resampling.BICUBIC).save(paths[-1], quality=92)
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=CHECKOUT.parent / "shared" / "models")
    parser.add_argument("--photos", type=Path, default=CHECKOUT.parent / "shared" / "data" / "people")
    parser.add_argument("--count", type=int, default=20_000, help="inputs of the long run")
    options = parser.parse_args()
    photographs = sorted(options.photos.rglob("*.jpg"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(options.models, folder / "models")
        large = large_pictures(photographs, folder)
        most, seconds = peak(["embed", "-q", *large, *CHOICE], folder / "models")
        print(
            f"ten {LARGE[0]} x {LARGE[1]} JPEGs: peak {most:.0f} MB (limit {MOST_PEAK:.0f}), {seconds:.1f} s"
        )
        listing = folder / "list.txt"
        repeated = islice(cycle(photographs), options.count)
        listing.write_text("".join(f"{path}\n" for path in repeated))
        first, last, rate = long_run(listing, folder / "models", options.count)
        print(
            f"{options.count:,} inputs: {first:.1f} MB after {SETTLED:,}, {last:.1f} MB at the end: ", end=""
        )
        print(f"{last - first:+.1f} MB (limit {MOST_GROWTH:.0f}), {rate:.1f} photographs a second")
    sys.exit(0 if most <= MOST_PEAK and last - first <= MOST_GROWTH else 1)


if __name__ == "__main__":
    main()
