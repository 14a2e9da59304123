"""The five most similar of a million and of ten million templates: FAISS on a GPU beside the index of a CPU.

Vectors are made up and seeded, and both indexes must answer alike. A search reads every vector once: *of the
copy* is the bytes of all vectors over the time, as a share of the bandwidth that a large copy through the
networks' runtime reaches on the same device in the same run. With many probes arithmetic is the limit.

    python benchmarks/gpu_search.py --device cuda

Needs 4 bytes of memory for each of templates x 512 on the host, 6 for the float16 rows, and 4 on the card.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

from arcface_cli.gallery.index import Index, build_index
from arcface_cli.gallery.vectors import StoredVectors, VectorType, stored_as
from arcface_cli.runtime.ceilings import copy_rate
from arcface_cli.runtime.devices import choose_device
from arcface_cli.runtime.sessions import SessionOptions
from arcface_cli.settings import available_cores

DIMENSION, NEIGHBOURS = 512, 5
MADE_AT_ONCE = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--templates", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--probes", type=int, nargs="+", default=[1, 64, 1024])
    parser.add_argument("--seconds", type=float, default=3.0, help="of each figure, at least")
    options = parser.parse_args()
    device = choose_device(options.device).device
    rates = {name: bandwidth(name) for name in dict.fromkeys(("cpu", str(device)))}
    for name, rate in rates.items():
        print(f"{name}: a copy moves {rate / 1e9:.0f} GB/s")
    print("\n| templates | type | probes | device | ms a search of all | searches/s | of the copy |")
    print("|---|---|---|---|---|---|---|")
    for count in options.templates:
        vectors = units(count, seed=1)
        for kind in (VectorType.FLOAT32, VectorType.FLOAT16):
            stored = stored_as(kind, vectors)
            for probes in options.probes:
                compare(stored, units(probes, seed=2), rates, options.seconds)


def bandwidth(name: str) -> float:
    return copy_rate(SessionOptions(choose_device(name).device, threads=available_cores()))


def units(count: int, seed: int) -> NDArray[np.float32]:
    made = np.empty((count, DIMENSION), np.float32)
    random = np.random.default_rng(seed)
    for start in range(0, count, MADE_AT_ONCE):
        part = made[start : start + MADE_AT_ONCE]
        random.standard_normal(part.shape, np.float32, out=part)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return made


def compare(
    stored: StoredVectors, probes: NDArray[np.float32], rates: dict[str, float], seconds: float
) -> None:
    """One index after the other, so that only one is in memory; a line each."""
    ids = np.arange(len(stored), dtype=np.int64)
    answers = []
    for name, rate in rates.items():
        index = build_index(stored, ids, name)
        answers.append(index.search(probes, NEIGHBOURS))
        taken = seconds_of(index, probes, seconds)
        share = stored.codes.nbytes / taken / rate
        print(
            f"| {len(stored):,} | {stored.type.value} | {len(probes)} | {name} | {1000 * taken:.2f} ", end=""
        )
        print(f"| {len(probes) / taken:.0f} | {share:.2f} |", flush=True)
        del index
    for similarities, found in answers[1:]:
        assert np.array_equal(found, answers[0][1])
        assert np.array_equal(similarities, answers[0][0])


def seconds_of(index: Index, probes: NDArray[np.float32], seconds: float) -> float:
    """Of one search, on average over at least so many."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        index.search(probes, NEIGHBOURS)
        count += 1
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    main()
