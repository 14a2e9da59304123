"""A gallery of a million templates beside plain FAISS on the same vectors, in the same run.

    python benchmarks/gallery.py [--templates 1000000] [--subjects 100000] [--dimension 512] [--folder DIR]

Everything is made up and seeded. Cold figures come from fresh processes after the files were dropped from the
page cache, in turns with reading the vectors once from the same disk. Needs some 16 bytes of disk for each of
templates x dimension, and 8 of memory. Plain FAISS is IndexFlatIP for float32, and IndexScalarQuantizer with
QT_fp16 or QT_8bit for the others.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import BoundingBox, DetectedFace, FivePoints, ModelFingerprint, TemplateBatch
from arcface_cli.gallery.entries import NewTemplate
from arcface_cli.gallery.search import SubjectSearch
from arcface_cli.gallery.store import FILE_NAME, Gallery
from arcface_cli.gallery.vectors import VectorType

BATCHES = (1, 64, 1024)
ROUNDS = {1: 7, 64: 3, 1024: 1}
COLD_ROUNDS = 5
NEIGHBOURS = 10  # asked of FAISS; a search for the two best subjects looks at as many templates or more
ENROLLED_AT_ONCE = 5000
POINTS = FivePoints(np.array([[30, 40], [60, 40], [45, 55], [33, 70], [57, 70]], dtype=np.float32))


def fingerprint(dimension: int) -> ModelFingerprint:
    return ModelFingerprint("be" * 32, "rgb,(x-127.5)/127.5", "benchmark", dimension)


def units(rng: np.random.Generator, count: int, dimension: int) -> NDArray[np.float32]:
    rows = rng.standard_normal((count, dimension), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def entries(features: NDArray[np.float32], first: int, subjects: int) -> list[NewTemplate]:
    return [
        NewTemplate(
            subject=f"subject {number % subjects:06}",
            feature=feature,
            source_path=f"/photographs/{number % subjects:06}/{number:08}.jpg".encode(),
            content_sha256=f"{number * 0x9E3779B97F4A7C15 % 2**256:064x}",
            face=DetectedFace(BoundingBox(10.0, 20.0, 90.0, 120.0), POINTS, 0.9, 0),
            detector="benchmark",
            image_width=640,
            image_height=480,
        )
        for number, feature in enumerate(features, start=first)
    ]


def blocks(arguments: argparse.Namespace) -> Iterator[NDArray[np.float32]]:
    rng = np.random.default_rng(20261124)
    for start in range(0, arguments.templates, ENROLLED_AT_ONCE):
        yield units(rng, min(ENROLLED_AT_ONCE, arguments.templates - start), arguments.dimension)


def build(folder: Path, arguments: argparse.Namespace) -> float:
    start, first = time.perf_counter(), 0
    with Gallery.create(folder, fingerprint(arguments.dimension)) as gallery:
        for features in blocks(arguments):
            gallery.add(entries(features, first, arguments.subjects))
            first += len(features)
    return time.perf_counter() - start


def drop(*paths: Path) -> None:
    """Forget what the page cache holds of some files."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def read_once(path: Path) -> float:
    """Seconds to read a file from the disk, as fast as that goes."""
    drop(path)
    buffer, start = bytearray(16 << 20), time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.perf_counter() - start


def fresh(task: str, *arguments: str) -> dict[str, float]:
    """Run a task of this file in a process of its own; its answer, and the seconds that the process took."""
    start = time.perf_counter()
    command = [sys.executable, __file__, "--task", task, *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    answer: dict[str, float] = json.loads(result.stdout.splitlines()[-1])
    return answer | {"process": time.perf_counter() - start}


def task_ours(folder: str, kind: str) -> dict[str, float]:
    start = time.perf_counter()
    with Gallery.open(Path(folder)) as gallery:
        snapshot = gallery.snapshot(VectorType(kind), hurried=True)  # as `identify` opens it
    opened = time.perf_counter()
    search = SubjectSearch(snapshot)
    probe = units(np.random.default_rng(1), 1, snapshot.fingerprint.dimension)
    search.search_subjects(TemplateBatch(probe, snapshot.fingerprint), 2)
    return timings(start, opened)


def task_faiss(path: str) -> dict[str, float]:
    start = time.perf_counter()
    import faiss

    index = faiss.read_index(path)
    opened = time.perf_counter()
    index.search(units(np.random.default_rng(1), 1, index.d), NEIGHBOURS)
    return timings(start, opened)


def task_enroll(folder: str, first: str, subjects: str) -> dict[str, float]:
    with_dimension = Gallery.open(Path(folder))
    features = units(np.random.default_rng(int(first)), 100, with_dimension.fingerprint.dimension)
    with_dimension.close()
    new = entries(features, int(first), int(subjects))
    start = time.perf_counter()
    with Gallery.open(Path(folder), writable=True) as gallery:
        opened = time.perf_counter()
        gallery.add(new)
    return timings(start, opened)


def timings(start: float, opened: float) -> dict[str, float]:
    end = time.perf_counter()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 2**20  # getrusage's would count our parent's
    return {"open": opened - start, "work": end - opened, "all": end - start, "peak_GiB": peak}


def median_of(*works: Callable[[], object], rounds: int) -> list[float]:
    """Median seconds of each, taken in turns so that a busy machine is busy for all of them."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(rounds + 1):
        for each, work in zip(seconds, works, strict=True):
            start = time.perf_counter()
            work()
            each.append(time.perf_counter() - start)
    return [statistics.median(each[1:]) for each in seconds]


def plain_faiss(kind: VectorType, features: NDArray[np.float32]):  # noqa: ANN201 - FAISS carries no types
    import faiss

    dimension = features.shape[1]
    quantizers = {
        VectorType.FLOAT16: faiss.ScalarQuantizer.QT_fp16,
        VectorType.INT8: faiss.ScalarQuantizer.QT_8bit,
    }
    if kind is VectorType.FLOAT32:
        index = faiss.IndexFlatIP(dimension)
    else:
        index = faiss.IndexScalarQuantizer(dimension, quantizers[kind], faiss.METRIC_INNER_PRODUCT)
        index.train(features[:100_000])
    index.add(features)
    return index


def warm(folder: Path, kind: VectorType, features: NDArray[np.float32]) -> None:
    with Gallery.open(folder) as gallery:
        snapshot = gallery.snapshot(kind)
    search, index = SubjectSearch(snapshot), plain_faiss(kind, features)
    rng = np.random.default_rng(2)
    for count in BATCHES:
        probes = units(rng, count, features.shape[1])
        batch = TemplateBatch(probes, snapshot.fingerprint)
        ours, theirs = median_of(
            lambda batch=batch: search.search_subjects(batch, 2),
            lambda probes=probes: index.search(probes, NEIGHBOURS),
            rounds=ROUNDS[count],
        )
        print(
            f"warm, {kind}, {count:5} probes: {ours * 1e3:9.1f} ms    plain FAISS {theirs * 1e3:9.1f} ms"
            f"    ratio {ours / theirs:.2f}",
            flush=True,
        )


def middle(answers: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in answers) for key in answers[0]}


def cold(folder: Path, kind: VectorType, faiss_file: Path) -> None:
    (vectors,) = (folder / "index").glob(f"{kind}-*.vectors")
    reads, opens, others = [], [], []
    for _ in range(COLD_ROUNDS):
        reads.append(read_once(vectors))
        drop(*files(folder))
        opens.append(fresh("ours", str(folder), kind))
        drop(faiss_file)
        others.append(fresh("faiss", str(faiss_file)))
    reading, ours, theirs = statistics.median(reads), middle(opens), middle(others)
    size = vectors.stat().st_size / 2**30
    pairs = list(zip(opens, reads, strict=True))
    ratios, answers = (
        ", ".join(f"{mine[what] / read:.2f}" for mine, read in pairs) for what in ("open", "all")
    )
    print(f"cold, {kind}: {size:.2f} GiB of vectors read once in {reading:.2f} s (least {min(reads):.2f})")
    print(
        f"  arcface:     open {ours['open']:.2f} s (least {min(each['open'] for each in opens):.2f}), "
        f"{told(ours)}; by round, open / reading: {ratios}; open and probe / reading: {answers}"
    )
    print(f"  plain FAISS: open {theirs['open']:.2f} s (read_index), {told(theirs)}")
    again = fresh("ours", str(folder), kind)
    print(f"  arcface, file in the page cache: open {again['open']:.2f} s, {told(again)}", flush=True)


def told(run: dict[str, float]) -> str:
    return (
        f"one probe {run['work']:.2f} s, whole process {run['process']:.2f} s, "
        f"peak memory {run['peak_GiB']:.2f} GiB"
    )


def enroll_more(folder: Path, arguments: argparse.Namespace) -> None:
    seconds = [
        fresh("enroll", str(folder), str(arguments.templates + 100 * turn), str(arguments.subjects))["all"]
        for turn in range(3)
    ]
    print(f"enrolling 100 more: {statistics.median(seconds):.3f} s (open, store, close)")
    after = fresh("ours", str(folder), "float32")
    print(f"the next open, which takes them into the cache: {after['open']:.2f} s", flush=True)


def run(arguments: argparse.Namespace, scratch: Path) -> None:
    import faiss

    print(f"{arguments.templates:,} templates of {arguments.subjects:,} subjects, {arguments.dimension}-d")
    print(f"numpy {np.__version__}, faiss {faiss.__version__}, {len(os.sched_getaffinity(0))} cores")
    folder = scratch / "gallery"
    print(f"enrolling all: {build(folder, arguments):.0f} s", flush=True)
    for kind in VectorType:
        start = time.perf_counter()
        with Gallery.open(folder) as gallery:
            gallery.snapshot(kind)
        print(f"first open, which makes the {kind} cache: {time.perf_counter() - start:.1f} s", flush=True)
    for path in sorted(files(folder)):
        print(f"size: {path.stat().st_size / 2**20:9.1f} MiB  {path.relative_to(folder)}")
    with Gallery.open(folder) as gallery:
        features = gallery.snapshot().features.copy()  # a file that is mapped can't be dropped from the cache
    for kind in VectorType:
        faiss_file = scratch / f"{kind}.faiss"
        faiss.write_index(plain_faiss(kind, features), str(faiss_file))
        print(f"size: {faiss_file.stat().st_size / 2**20:9.1f} MiB  {faiss_file.name}")
        cold(folder, kind, faiss_file)
        faiss_file.unlink()
    enroll_more(folder, arguments)
    for kind in VectorType:
        warm(folder, kind, features)
    print(
        f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
    )
    print(f"database: {(folder / FILE_NAME).stat().st_size / 2**30:.2f} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=int, default=1_000_000)
    parser.add_argument("--subjects", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where to work; the system's temporary folder if unset")
    parser.add_argument("--task", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        name, *rest = arguments.task
        tasks = {"ours": task_ours, "faiss": task_faiss, "enroll": task_enroll}
        print(json.dumps(tasks[name](*rest)))
        return
    scratch = Path(tempfile.mkdtemp(prefix="arcface-benchmark-", dir=arguments.folder))
    try:
        run(arguments, scratch)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
