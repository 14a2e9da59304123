"""What another precision or device changes: decisions and similarities, on the open-set lists.

Enrols lists/people_gallery.csv and searches with lists/people_probes.csv and strangers/, once as float32 on
the CPU, and once for each way asked for; then the float32 gallery of the CPU with the other way's probes.
Model, detector and threshold are those that the command line uses by default.

    python benchmarks/precisions.py ../shared/data
    python benchmarks/precisions.py ../shared/data --ways cpu:fp16 cuda:fp32 cuda:fp16
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index_types import Found, arcface, compare, enrol, search

BASE = "cpu:fp32"


def flags(way: str) -> tuple[str, ...]:
    """cuda:fp16 or cuda:1:fp16 -> the flags of the command line."""
    device, _, precision = way.rpartition(":")
    return ("--device", device, "--precision", precision)


def template_cosines(one: Path, other: Path) -> NDArray[np.float64]:
    """Of the templates that two ways made of the same photographs."""
    a, b = (np.load(path)["features"] for path in (one, other))
    return np.asarray(np.sum(a.astype(np.float64) * b, axis=1))


def embed(data: Path, scratch: Path, way: str) -> Path:
    """Features of the largest faces of people/, as `arcface embed` writes them."""
    output = scratch / f"{way.replace(':', '-')}.npz"
    arguments = ("--faces", "largest", "-r", "-q", "-o", output, *flags(way))
    arcface("embed", data / "people", *arguments, gallery=scratch / "none")
    return output


def line(name: str, base: Found, found: Found) -> str:
    flips, change = compare(base, found)
    return f"| {name} | {len(found)} | {flips} | {change:.6f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of labelled photographs")
    parser.add_argument("--ways", nargs="+", default=["cpu:fp16"], help="DEVICE:PRECISION")
    options = parser.parse_args()
    data = options.data.absolute()
    with tempfile.TemporaryDirectory(prefix="arcface-precisions-") as name:
        scratch = Path(name)
        galleries = {way: scratch / way.replace(":", "-") for way in (BASE, *options.ways)}
        for way, gallery in galleries.items():
            enrol(data, gallery, *flags(way))
        base = search(data, galleries[BASE], *flags(BASE))
        templates = embed(data, scratch, BASE)
        print("| gallery, probes | faces searched | decisions that flip | largest change of similarity |")
        print("|---|---|---|---|")
        for way in options.ways:
            print(line(f"{way}, {way}", base, search(data, galleries[way], *flags(way))))
            print(line(f"{BASE}, {way}", base, search(data, galleries[BASE], *flags(way))))
        for way in options.ways:
            cosines = template_cosines(templates, embed(data, scratch, way))
            print(f"\n{way}: {len(cosines)} templates, cosine with {BASE}'s: ", end="")
            print(f"least {cosines.min():.6f}, median {np.median(cosines):.6f}")


if __name__ == "__main__":
    main()
