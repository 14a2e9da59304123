"""What float16 and int8 vectors change: decisions and similarities against float32, on the open-set lists.

    python benchmarks/index_types.py ../shared/data

Enrols lists/people_gallery.csv, searches with lists/people_probes.csv and strangers/ once for each type, with
the model, detector and threshold that the command line uses by default. Prints a table for docs/galleries.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

TYPES = ("float32", "float16", "int8")


def arcface(*arguments: object, gallery: Path, **options: Any) -> None:
    command = [sys.executable, "-m", "arcface_cli", *map(str, arguments)]
    subprocess.run(command, env={**os.environ, "ARCFACE_GALLERY": str(gallery)}, check=False, **options)


def enrol(data: Path, scratch: Path) -> None:
    with (data / "lists" / "people_gallery.csv").open(newline="", encoding="utf-8") as file:
        rows = [(str(data / "people" / row["file"]), row["person"]) for row in csv.DictReader(file)]
    manifest = scratch / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "person"), *rows])
    arcface(
        "enroll", "--manifest", manifest, "-q", "-o", scratch / "enrolled.jsonl", gallery=scratch / "gallery"
    )


def search(data: Path, scratch: Path, kind: str) -> dict[tuple[str, int], dict[str, Any]]:
    """(photograph, face) -> the face's record."""
    with (data / "lists" / "people_probes.csv").open(newline="", encoding="utf-8") as file:
        probes = [data / "people" / row["file"] for row in csv.DictReader(file)]
    probes += sorted((data / "strangers").rglob("*.jpg"))
    listed, output = scratch / "probes.txt", scratch / f"{kind}.jsonl"
    listed.write_text("".join(f"{path}\n" for path in probes), encoding="utf-8")
    arguments = ("--files-from", listed, "--index-type", kind, "--faces", "largest", "-q", "-o", output)
    arcface("identify", *arguments, gallery=scratch / "gallery")
    records = map(json.loads, output.read_text(encoding="utf-8").splitlines())
    return {
        (record["input"], number): face
        for record in records
        for number, face in enumerate(record.get("faces", []))
    }


def compare(
    exact: dict[tuple[str, int], dict[str, Any]], rounded: dict[tuple[str, int], dict[str, Any]]
) -> tuple[int, float]:
    """How many decisions flip, and the largest change of the best candidate's similarity."""
    assert exact.keys() == rounded.keys()
    flips = sum(
        (exact[key]["decision"], exact[key]["subject"]) != (rounded[key]["decision"], rounded[key]["subject"])
        for key in exact
    )
    return flips, max(abs(exact[key]["similarity"] - rounded[key]["similarity"]) for key in exact)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder of labelled photographs")
    data = parser.parse_args().data.absolute()
    with tempfile.TemporaryDirectory(prefix="arcface-types-") as name:
        scratch = Path(name)
        enrol(data, scratch)
        found = {kind: search(data, scratch, kind) for kind in TYPES}
    print("| type | faces searched | decisions that flip | largest change of similarity |")
    print("|---|---|---|---|")
    for kind in TYPES[1:]:
        flips, change = compare(found["float32"], found[kind])
        print(f"| {kind} | {len(found[kind])} | {flips} | {change:.6f} |")


if __name__ == "__main__":
    main()
