"""One `arcface verify A B` as a fresh process against the same question put to insightface.

Both get the same two ONNX files, the same two photographs and a warm disk cache; they take turns, so that a
busy machine is busy for both. Printed: median wall time, CPU time and peak memory of each, and the ratios.

    python benchmarks/verify_startup.py --models ../shared/models --data ../shared/data
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
DETECTOR, RECOGNISER = "det_500m.onnx", "mobilefacenet_512.onnx"

PEER = """
import sys

import cv2
import numpy as np
from insightface.model_zoo import SCRFD, ArcFaceONNX
from insightface.utils.face_align import norm_crop

detector, recogniser = SCRFD(sys.argv[1]), ArcFaceONNX(sys.argv[2])
features = []
for path in sys.argv[3:5]:
    image = cv2.imread(path)
    boxes, points = detector.detect(image)
    if len(boxes) == 0:
        sys.exit(4)
    largest = np.argmax((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    features.append(recogniser.get_feat(norm_crop(image, points[largest])))
similarity = recogniser.compute_sim(*features)
print(f"{similarity:.6f}")
sys.exit(0 if similarity >= 0.422 else 1)
"""

DOCUMENTED_PEER = """
import sys

import cv2
from insightface.app import FaceAnalysis

app = FaceAnalysis(sys.argv[1], allowed_modules=["detection", "recognition"])
app.prepare(ctx_id=-1)
features = []
for path in sys.argv[2:4]:
    faces = app.get(cv2.imread(path))
    if not faces:
        sys.exit(4)
    largest = max(faces, key=lambda face: (face.bbox[2] - face.bbox[0]) * (face.bbox[3] - face.bbox[1]))
    features.append(largest.normed_embedding)
similarity = features[0] @ features[1]
print(f"{similarity:.6f}")
sys.exit(0 if similarity >= 0.422 else 1)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process. wall, cpu: seconds. peak: resident memory in MB (10^6 bytes)."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]

    def run(self, pair: Sequence[str], expected: int) -> Cost:
        """Answer once, and check that the answer is right."""
        start = time.perf_counter()
        process = subprocess.Popen(
            [*self.command, *pair],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        complaint = process.stderr.read()
        _, state, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(state)
        if process.returncode != expected:
            sys.exit(f"{self.name}: status {process.returncode}, not {expected}\n{complaint.decode()}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="arcface-bench-") as scratch:
        environment = fresh_environment(Path(scratch))
        import_weights(options.models, environment)
        options.pack = Path(scratch) / "pack"
        options.pack.mkdir()
        for name in (DETECTOR, RECOGNISER):
            shutil.copyfile(options.models / name, options.pack / name)
        ours, peer = contenders(options, environment)
        costs: dict[str, list[Cost]] = {ours.name: [], peer.name: []}
        pairs = [(options.same, 0), (options.different, 1)]
        for contender in (ours, peer):  # once unmeasured: byte code, disk cache
            contender.run(*pairs[0])
        for turn in range(options.rounds):
            for contender in (ours, peer) if turn % 2 == 0 else (peer, ours):
                costs[contender.name].append(contender.run(*pairs[turn % 2]))
    report(costs, ours.name, peer.name)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=CHECKOUT.parent / "shared" / "data")
    parser.add_argument("--models", type=Path, default=CHECKOUT.parent / "shared" / "models")
    parser.add_argument("--detector", default="scrfd_500m", help="ours; insightface always runs SCRFD-500M")
    parser.add_argument(
        "--det-size", type=int, help="insightface's canvas (default: its own two, 128 and 640)"
    )
    parser.add_argument(
        "--peer",
        choices=("leanest", "documented"),
        default="leanest",
        help="insightface's two classes alone, or FaceAnalysis as its documentation shows",
    )
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    people = options.data / "people"
    first = str(people / "L001" / "L001_0001.jpg")
    options.same = (first, str(people / "L001" / "L001_0002.jpg"))
    options.different = (first, str(people / "L002" / "L002_0001.jpg"))
    return options


def contenders(options: argparse.Namespace, environment: Mapping[str, str]) -> tuple[Contender, Contender]:
    ours = [sys.executable, "-m", "arcface_cli", "verify", "--device", "cpu", "--detector", options.detector]
    size = options.det_size
    script = PEER if size is None else PEER.replace("detect(image)", f"detect(image, ({size}, {size}))")
    theirs = [sys.executable, "-W", "ignore", "-c", script]
    theirs += [str(options.models / DETECTOR), str(options.models / RECOGNISER)]
    if options.peer == "documented":
        theirs = [sys.executable, "-W", "ignore", "-c", DOCUMENTED_PEER, str(options.pack)]
    return Contender("arcface", ours, environment), Contender("insightface", theirs, environment)


def fresh_environment(scratch: Path) -> dict[str, str]:
    """This one without the user's arcface settings; byte code is kept, as installed packages have it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARCFACE_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {
        "ARCFACE_CONFIG": os.devnull,
        "ARCFACE_MODELS_DIR": str(scratch / "models"),
        "PYTHONPYCACHEPREFIX": str(scratch / "bytecode"),
    }


def import_weights(models: Path, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "arcface_cli", "models", "import", "--accept-license", str(models)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def report(costs: Mapping[str, Sequence[Cost]], ours: str, peer: str) -> None:
    print(f"{'':12} {'wall s':>8} {'(least':>8} {'most)':>7} {'CPU s':>7} {'peak MB':>8}")
    medians = {name: summary(runs) for name, runs in costs.items()}
    for name, runs in costs.items():
        walls, middle = [run.wall for run in runs], medians[name]
        row = f"{middle.wall:8.3f} {min(walls):8.3f} {max(walls):7.3f} {middle.cpu:7.3f} {middle.peak:8.0f}"
        print(f"{name:12} {row}")
    a, b = medians[ours], medians[peer]
    print(f"{ours} / {peer}: wall {a.wall / b.wall:.2f}, CPU {a.cpu / b.cpu:.2f}, peak {a.peak / b.peak:.2f}")
    print(f"medians of {len(costs[ours])} rounds, in turns")


def summary(runs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(run.wall for run in runs),
        statistics.median(run.cpu for run in runs),
        statistics.median(run.peak for run in runs),
    )


if __name__ == "__main__":
    main()
