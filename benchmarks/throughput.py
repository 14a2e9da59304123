"""Photographs a second: `arcface embed` against insightface, and against what its two networks allow.

Everybody gets the same ONNX files, the same photographs, the same cores and a warm disk cache, runs as a
process of its own, and prints a line for each photograph; they take turns, so that a busy machine is busy
for all. Two rates are told: end to end (from starting the process to its end) and steady: the slope of the
straight line nearest to the times at which the lines of all but the first tenth arrive. (The time from one
line to another would depend on whether it begins or ends a burst.)

* arcface: `arcface embed --files-from LIST -f jsonl`, features and all.
* insightface: `FaceAnalysis(allowed_modules=["detection", "recognition"])`, `prepare(ctx_id=-1)`, and
  `get(cv2.imread(path))` for each photograph, all else as it comes.
* limit: the two networks and nothing else. As many threads as cores share one session a network, of one
  thread each; for each photograph a thread runs the very inputs that arcface's detector and recogniser run
  for it (here: the standard canvas, the scout canvas and one crop a face), made beforehand. No decoding,
  no resizing, no post-processing, no output.
* face_recognition (dlib), where it is installed: `face_encodings(load_image_file(path))`.

    python benchmarks/throughput.py --models ../shared/models --photos ../shared/data/people
"""

from __future__ import annotations

import argparse
import collections
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
DETECTOR, RECOGNISER = ("scrfd_500m", "det_500m.onnx"), ("mobilefacenet_512", "mobilefacenet_512.onnx")
WARM_UP = 0.1
PACK = "both"
RECORDED = 64
"""Photographs whose network inputs are kept in memory for the limit; they are then gone through in turn."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one process. whole, steady: photographs a second. cpu: seconds for each photograph, all cores."""

    whole: float
    steady: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    command: Sequence[str]
    environment: dict[str, str]

    def run(self, count: int) -> Rates:
        """One process over all photographs; exits when it doesn't answer for each of them."""
        with tempfile.TemporaryFile() as complaint:
            start = time.perf_counter()
            process = subprocess.Popen(
                self.command, env=self.environment, stdout=subprocess.PIPE, stderr=complaint
            )
            assert process.stdout is not None
            arrivals = [time.perf_counter() for line in process.stdout if line.strip()]
            _, state, usage = os.wait4(process.pid, 0)
            end = time.perf_counter()
            process.returncode = os.waitstatus_to_exitcode(state)
            if process.returncode != 0 or len(arrivals) != count:
                complaint.seek(0)
                said = complaint.read().decode(errors="replace")
                sys.exit(f"{self.name}: status {process.returncode}, {len(arrivals)} lines\n{said}")
        warm = int(count * WARM_UP)
        steady = statistics.linear_regression(arrivals[warm:], range(warm, count)).slope
        return Rates(count / (end - start), steady, (usage.ru_utime + usage.ru_stime) / count)


# --- what the processes run ---------------------------------------------------------------------------


def run_insightface(folder: Path, paths: Sequence[str]) -> None:
    import cv2
    from insightface.app import FaceAnalysis

    app = FaceAnalysis(name=PACK, root=str(folder), allowed_modules=["detection", "recognition"])
    app.prepare(ctx_id=-1)
    for path in paths:
        faces = app.get(cv2.imread(path))
        print(path, len(faces), [face.normed_embedding.shape for face in faces], flush=True)


def run_face_recognition(folder: Path, paths: Sequence[str]) -> None:
    import face_recognition

    for path in paths:
        print(path, len(face_recognition.face_encodings(face_recognition.load_image_file(path))), flush=True)


def run_limit(folder: Path, paths: Sequence[str]) -> None:
    """Every photograph's network inputs, run by as many threads as there are cores."""
    networks, recorded = recorded_inputs(folder, paths[:RECORDED])
    if os.environ.get("SHOW_INPUTS"):
        shapes = collections.Counter(
            " + ".join(f"{name} {'x'.join(map(str, blob.shape))}" for name, blob in calls)
            for calls in recorded
        )
        print(*(f"{count} of {len(recorded)}: {what}" for what, count in shapes.items()), sep="\n")
        return
    work = iter(list(islice(cycle(recorded), len(paths))))
    lock = threading.Lock()

    def worker() -> None:
        while True:
            with lock:
                calls = next(work, None)
            if calls is None:
                return
            for name, blob in calls:
                networks[name].run(blob)
            os.write(1, b"done\n")  # a line at once: print would mix those of two threads

    threads = [threading.Thread(target=worker) for _ in os.sched_getaffinity(0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Recording:
    """A network that remembers what it was fed."""

    def __init__(self, name: str, network: Any, calls: list[tuple[str, Any]]) -> None:
        self._name, self._network, self._calls = name, network, calls

    def run(self, blob: Any) -> Any:
        self._calls.append((self._name, blob))
        return self._network.run(blob)


def recorded_inputs(folder: Path, paths: Sequence[str]) -> tuple[dict[str, Any], list[list[tuple[str, Any]]]]:
    """The sessions that arcface would use, and all that they are fed for each photograph."""
    from arcface_cli.cli import build
    from arcface_cli.inputs.photo import Photo
    from arcface_cli.pipeline import Stages, work_through
    from arcface_cli.runtime.sessions import SessionOptions
    from arcface_cli.settings import load_settings

    named = {"models_dir": folder / "arcface", "model": RECOGNISER[0], "detector": DETECTOR[0]}
    settings = load_settings(named, {}).values
    options = SessionOptions(threads=1)
    weights = build.store(settings)
    detector: Any = build.detector(weights.resolve_detector(DETECTOR[0], None), settings, options)
    recogniser: Any = build.recogniser(weights.resolve(RECOGNISER[0], DETECTOR[0]), settings, options)
    networks = {"detector": detector._network, "recogniser": recogniser._network}
    calls: list[tuple[str, Any]] = []
    detector._network = Recording("detector", networks["detector"], calls)
    recogniser._network = Recording("recogniser", networks["recogniser"], calls)
    stages, recorded = Stages(detector, recogniser), []
    for path in paths:
        calls.clear()
        work_through(Photo(Path(path)), stages)
        recorded.append(list(calls))
    return networks, recorded


RUNNERS: dict[str, Callable[[Path, Sequence[str]], None]] = {
    "insightface": run_insightface,
    "limit": run_limit,
    "face_recognition": run_face_recognition,
}


# --- the comparison -----------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARCFACE_")}
    return kept | {"PYTHONPATH": str(CHECKOUT / "src"), "NO_ALBUMENTATIONS_UPDATE": "1"}


def prepare(folder: Path, models: Path, photographs: Sequence[Path]) -> Path:
    """Weights where each contender looks for them, and the list of photographs."""
    pack = folder / "models" / PACK
    pack.mkdir(parents=True)
    for _, file in (DETECTOR, RECOGNISER):
        shutil.copy(models / file, pack / file)
        subprocess.run(
            [sys.executable, "-m", "arcface_cli", "models", "import", "--accept-license", models / file],
            env=environment() | {"ARCFACE_MODELS_DIR": str(folder / "arcface")},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    listing = folder / "photographs.txt"
    listing.write_text("".join(f"{path}\n" for path in photographs))
    for path in photographs:
        path.read_bytes()
    return listing


def contenders(folder: Path, listing: Path, peers: Sequence[str]) -> Iterator[Contender]:
    models = {"ARCFACE_MODELS_DIR": str(folder / "arcface")}
    named = ["-m", RECOGNISER[0], "--detector", DETECTOR[0]]
    ours = [sys.executable, "-m", "arcface_cli", "embed", "--files-from", str(listing), "-f", "jsonl", *named]
    yield Contender("arcface", ours, environment() | models)
    for peer in peers:
        command = [sys.executable, __file__, "--run", peer, "--models", str(folder), "--list", str(listing)]
        yield Contender(peer, command, environment())


def measure(listing: Path, folder: Path, rounds: int, count: int, peers: Sequence[str]) -> None:
    show = [sys.executable, __file__, "--run", "limit", "--models", str(folder), "--list", str(listing)]
    print("what the networks are fed for a photograph:")
    print(subprocess.check_output(show, env=environment() | {"SHOW_INPUTS": "1"}, text=True).rstrip())
    everybody = list(contenders(folder, listing, peers))
    seen: dict[str, list[Rates]] = {each.name: [] for each in everybody}
    for number in range(rounds):
        for each in everybody:
            seen[each.name].append(each.run(count))
            rates = seen[each.name][-1]
            print(f"round {number + 1}: {each.name:17} {rates.steady:7.1f} steady {rates.whole:7.1f} whole")
    report(seen)


def report(seen: dict[str, list[Rates]]) -> None:
    steady = {name: statistics.median(run.steady for run in runs) for name, runs in seen.items()}
    whole = {name: statistics.median(run.whole for run in runs) for name, runs in seen.items()}
    best = {name: max(run.steady for run in runs) for name, runs in seen.items()}
    print(f"\n{'median of photographs a second':32}  steady  end to end  best steady  CPU ms a photograph")
    for name, runs in seen.items():
        cpu = statistics.median(run.cpu for run in runs) * 1000
        print(f"{name:32} {steady[name]:7.1f} {whole[name]:11.1f} {best[name]:12.1f} {cpu:12.1f}")
    ours = steady["arcface"]
    for name in seen:
        if name not in ("arcface", "limit"):
            print(f"arcface / {name}: {ours / steady[name]:.2f} steady, ", end="")
            print(f"{whole['arcface'] / whole[name]:.2f} end to end")
    shares = [a.steady / b.steady for a, b in zip(seen["arcface"], seen["limit"], strict=True)]
    print(f"arcface / limit: {ours / steady['limit']:.3f} steady (by round: ", end="")
    print(", ".join(f"{share:.3f}" for share in shares), end=")\n")
    print(f"best / best: limit {best['arcface'] / best['limit']:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, default=CHECKOUT.parent / "shared" / "models")
    parser.add_argument("--photos", type=Path, default=CHECKOUT.parent / "shared" / "data" / "people")
    parser.add_argument("--count", type=int, default=300, help="photographs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only-ours", action="store_true", help="arcface and the limit, no peers")
    parser.add_argument("--run", choices=RUNNERS, help=argparse.SUPPRESS)
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        RUNNERS[options.run](options.models, options.list.read_text().splitlines())
        return
    photographs = sorted(options.photos.rglob("*.jpg"))[: options.count]
    peers = ["limit"]
    if not options.only_ours:
        peers += [name for name in ("insightface", "face_recognition") if find_spec(name) is not None]
    print(f"{len(photographs)} photographs, {len(os.sched_getaffinity(0))} cores")
    with tempfile.TemporaryDirectory() as folder:
        listing = prepare(Path(folder), options.models, photographs)
        measure(listing, Path(folder), options.rounds, len(photographs), peers)


if __name__ == "__main__":
    main()
