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
Found = dict[tuple[str, int], dict[str, Any]]


def arcface(*arguments: object, gallery: Path, **options: Any) -> None:
    command = [sys.executable, "-m", "arcface_cli", *map(str, arguments)]
    subprocess.run(command, env={**os.environ, "ARCFACE_GALLERY": str(gallery)}, check=False, **options)


def enrol(data: Path, gallery: Path, *flags: str) -> None:
    """lists/people_gallery.csv, into a new gallery beside which other files may be left."""
    with (data / "lists" / "people_gallery.csv").open(newline="", encoding="utf-8") as file:
        rows = [(str(data / "people" / row["file"]), row["person"]) for row in csv.DictReader(file)]
    manifest = gallery.with_suffix(".csv")
    with manifest.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "person"), *rows])
    output = gallery.with_suffix(".jsonl")
    arcface("enroll", "--manifest", manifest, "-q", "-o", output, *flags, gallery=gallery)


def search(data: Path, gallery: Path, *flags: str) -> Found:
    """lists/people_probes.csv and strangers/: (photograph, face) -> the face's record."""
    with (data / "lists" / "people_probes.csv").open(newline="", encoding="utf-8") as file:
        probes = [data / "people" / row["file"] for row in csv.DictReader(file)]
    probes += sorted((data / "strangers").rglob("*.jpg"))
    with tempfile.TemporaryDirectory(prefix="arcface-search-") as scratch:
        listed, output = Path(scratch) / "probes.txt", Path(scratch) / "found.jsonl"
        listed.write_text("".join(f"{path}\n" for path in probes), encoding="utf-8")
        arguments = ("--files-from", listed, "--faces", "largest", "-q", "-o", output, *flags)
        arcface("identify", *arguments, gallery=gallery)
        records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    return {
        (record["input"], number): face
        for record in records
        for number, face in enumerate(record.get("faces", []))
    }


def compare(exact: Found, rounded: Found) -> tuple[int, float]:
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
        gallery = Path(name) / "gallery"
        enrol(data, gallery)
        found = {kind: search(data, gallery, "--index-type", kind) for kind in TYPES}
    print("| type | faces searched | decisions that flip | largest change of similarity |")
    print("|---|---|---|---|")
    for kind in TYPES[1:]:
        flips, change = compare(found["float32"], found[kind])
        print(f"| {kind} | {len(found[kind])} | {flips} | {change:.6f} |")


if __name__ == "__main__":
    main()
