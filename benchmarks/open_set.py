"""Who is named, and rightly? Open-set identification and verification with the package's own pipeline.

48 people are enrolled with three photographs each. Searched for: other photographs of them, photographs of
12 people who are not enrolled, and 40 strangers from another studio. Then verification: 300 pairs of press
photographs at the same threshold, and 3,000 studio pairs in 10 folds, the threshold chosen on the other
nine. Nothing is written outside a temporary folder.

    python benchmarks/open_set.py --detector yunet
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.cli import build
from arcface_cli.decision import Decision, OperatingPoint, Verdict
from arcface_cli.faces import Done, ModelFingerprint, TemplateBatch
from arcface_cli.gallery.search import SubjectSearch
from arcface_cli.gallery.store import Gallery
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.settings import KNOWN, LoadedSettings, Settings
from arcface_cli.weights.store import WeightStore
from arcface_cli.workflows.enroll import enroll
from arcface_cli.workflows.identify import Question, identify
from arcface_cli.workflows.models import import_path
from arcface_cli.workflows.verify import verify

SHARED = Path(__file__).resolve().parents[2] / "shared"
MARGINS = (0.0, 0.02, 0.05, 0.1)


@dataclass(frozen=True, slots=True)
class Search:
    """One probe and what was decided. person: None when nobody enrolled is on the photograph."""

    person: str | None
    view: str
    decision: Decision | None

    @property
    def named(self) -> bool:
        return self.decision is not None and self.decision.verdict is Verdict.MATCH

    @property
    def rightly(self) -> bool:
        return self.decision is not None and self.decision.subject == self.person

    @property
    def is_rank_one(self) -> bool:
        found = None if self.decision is None else self.decision.candidates
        return bool(found) and found[0].subject == self.person

    @property
    def best(self) -> float:
        """Similarity of the subject that comes first; -1 when no face was found."""
        if self.decision is None or self.decision.similarity is None:
            return -1.0
        return self.decision.similarity

    @property
    def is_profile(self) -> bool:
        return self.view.endswith("profile")


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory(prefix="arcface-bench-") as scratch:
        settings = ready_settings(options, Path(scratch))
        point = build.operating_point(LoadedSettings(settings, dict.fromkeys(KNOWN, "option")))
        print(f"{settings.model}, detector {settings.detector}, flip {settings.flip}")
        print(f"threshold {point.threshold:.4f} ({point.origin})\n")
        seen = process(settings, photographs(options.data))
        people = enrolled(settings, seen, options.data)
        wanted = probes(options.data)
        report_searches({margin: searches(seen, wanted, people, point, margin) for margin in MARGINS})
        report_wild(settings, point, options.data)
        report_pairs(settings, seen, options.data)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED / "data", help="labelled photographs")
    parser.add_argument("--models", type=Path, default=SHARED / "models", help="ONNX files")
    parser.add_argument("--detector", default="yunet")
    parser.add_argument("--model", default="mobilefacenet_512")
    parser.add_argument("--threshold", type=float, help="cosine similarity; the catalogue's if left out")
    parser.add_argument("--flip", action="store_true", help="add the mirror image's feature, for all of it")
    return parser.parse_args()


def ready_settings(options: argparse.Namespace, scratch: Path) -> Settings:
    store = WeightStore(scratch / "models")
    for _ in import_path(store, options.models, accept=lambda licence: True):
        pass
    return Settings(
        gallery=scratch / "gallery",
        models_dir=store.root,
        model=options.model,
        detector=options.detector,
        threshold=options.threshold,
        flip=options.flip,
    )


# --- the package's pipeline -------------------------------------------------------------------------


def photographs(data: Path) -> Iterator[Photo]:
    """Everybody once; strangers carry no name."""
    for path in sorted((data / "people").rglob("*.jpg")):
        yield Photo(path, subject=path.parent.name)
    for path in sorted((data / "strangers").rglob("*.jpg")):
        yield Photo(path)


def process(settings: Settings, photos: Iterator[Photo]) -> dict[Path, PhotoOutcome]:
    shop = build.workshop("identify", settings, photos, recognise=True, faces="largest", verbosity=0)
    return {photo.path: (photo, outcome) for photo, outcome in shop.results() if photo.path is not None}


def enrolled(settings: Settings, seen: dict[Path, PhotoOutcome], data: Path) -> SubjectSearch:
    model = build.store(settings).resolve(settings.model, settings.detector)
    wanted = [seen[data / "people" / row["file"]] for row in rows(data / "lists" / "people_gallery.csv")]
    fingerprint = fingerprint_of(seen)
    with Gallery.create(settings.gallery, fingerprint) as gallery:
        told = list(enroll(wanted, gallery.add, model.detector.entry.name))
        print(f"enrolled: {sum(isinstance(outcome, Done) for _, outcome in told)} of {len(told)} photographs")
        return SubjectSearch(gallery.snapshot(), build.index_factory("cpu"))


def searches(
    seen: dict[Path, PhotoOutcome],
    wanted: dict[Path, tuple[str | None, str]],
    people: SubjectSearch,
    point: OperatingPoint,
    margin: float,
) -> list[Search]:
    """The decision about every probe; a photograph without a face names nobody, and counts."""
    outcomes = identify([seen[path] for path in wanted], people, Question(point, margin))
    decisions = (outcome.value.decisions[0] if isinstance(outcome, Done) else None for _, outcome in outcomes)
    pairs = zip(wanted.values(), decisions, strict=True)
    return [Search(person, view, decision) for (person, view), decision in pairs]


def probes(data: Path) -> dict[Path, tuple[str | None, str]]:
    """Path -> who it is (None: nobody enrolled), and the view."""
    listed = {
        data / "people" / row["file"]: (row["person"] if row["enrolled"] == "1" else None, row["view"])
        for row in rows(data / "lists" / "people_probes.csv")
    }
    return listed | dict.fromkeys(sorted((data / "strangers").rglob("*.jpg")), (None, "stranger"))


def fingerprint_of(seen: dict[Path, PhotoOutcome]) -> ModelFingerprint:
    return next(templates_of(outcome).fingerprint for outcome in seen.values())


def templates_of(result: PhotoOutcome) -> TemplateBatch:
    _, outcome = result
    if not isinstance(outcome, Done) or outcome.value.templates is None:
        raise SystemExit(f"no template of {result[0].display}")
    return outcome.value.templates


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


# --- identification ---------------------------------------------------------------------------------


def report_searches(by_margin: dict[float, list[Search]]) -> None:
    plain = by_margin[0.0]
    fronts = [each for each in plain if each.person is not None and not each.is_profile]
    sides = [each for each in plain if each.person is not None and each.is_profile]
    nobody = [each for each in plain if each.person is None]
    print(f"probes without a face: {sum(each.decision is None for each in plain)} of {len(plain)}")
    print(f"enrolled, front and three-quarter: {count(fronts, 'rightly')} named rightly, ", end="")
    print(f"{wrongly(fronts)} wrongly; lowest genuine {min(each.best for each in fronts):.3f}")
    print(
        f"enrolled, profile: rank 1 {count(sides, 'is_rank_one')} ({share(sides, 'is_rank_one'):.3f}), ",
        end="",
    )
    print(f"{count(sides, 'rightly')} named rightly, {wrongly(sides)} wrongly")
    print(f"not enrolled: {count(nobody, 'named')} named", end="")
    for group, members in groups(nobody).items():
        print(f"; {group} {count(members, 'named')}", end="")
    print(f"; highest impostor {max(each.best for each in nobody):.3f}\n")
    report_margins(by_margin)


def report_margins(by_margin: dict[float, list[Search]]) -> None:
    """What asking for a lead over the runner-up costs, and what it spares."""
    print(
        "margin | right names lost: front, profile | wrong names prevented | right names and wrong names left"
    )
    plain = by_margin[0.0]
    for margin, found in by_margin.items():
        lost = [a for a, b in zip(plain, found, strict=True) if a.person and a.rightly and not b.rightly]
        wrong = [a for a in plain if a.named and not a.rightly]
        left = [b for b in found if b.named and not b.rightly]
        right = sum(each.person is not None and each.rightly for each in found)
        profiles = sum(each.is_profile for each in lost)
        print(
            f"{margin:6.2f} | {len(lost) - profiles:25}, {profiles:7} | "
            f"{len(wrong) - len(left):12} of {len(wrong):5} | {right:15} and {len(left)}"
        )
    print()


def groups(nobody: Sequence[Search]) -> dict[str, list[Search]]:
    return {
        "strangers": [each for each in nobody if each.view == "stranger"],
        "front and three-quarter": [
            each for each in nobody if each.view != "stranger" and not each.is_profile
        ],
        "profile": [each for each in nobody if each.is_profile],
    }


def count(found: Sequence[Search], what: str) -> str:
    return f"{sum(getattr(each, what) for each in found)} of {len(found)}"


def share(found: Sequence[Search], what: str) -> float:
    return float(np.mean([getattr(each, what) for each in found]))


def wrongly(found: Sequence[Search]) -> int:
    return sum(each.named and not each.rightly for each in found)


# --- verification -----------------------------------------------------------------------------------


def report_wild(settings: Settings, point: OperatingPoint, data: Path) -> None:
    """lists/master.csv: the largest face of each photograph, one threshold, 38 pairs of the same person."""
    seen = process(settings, (Photo(path) for path in sorted((data / "wild").glob("*.jpg"))))
    genuine, impostor, right, without = [], [], 0, 0
    for row in rows(data / "lists" / "master.csv"):
        first, second = (seen[data / "wild" / row[side]][1] for side in ("file_x", "file_y"))
        outcome = verify(first, second, point)
        if not isinstance(outcome, Done):
            without += 1
            continue
        same = row["Decision"] == "Yes"
        (genuine if same else impostor).append(outcome.value.similarity)
        right += outcome.value.same_person == same
    print(
        f"wild pairs: {right} of {len(genuine) + len(impostor) + without} right, {without} without a face; "
        f"lowest genuine {min(genuine):.3f}, highest impostor {max(impostor):.3f}"
    )


def report_pairs(settings: Settings, seen: dict[Path, PhotoOutcome], data: Path) -> None:
    """people_pairs.txt, as LFW's protocol has it, without and with the mirror image's feature added."""
    folds = read_pairs(data / "lists" / "people_pairs.txt", data / "people")
    for flip in (False, True):
        features = {
            path: templates.features[0] for path, templates in embedded(replace(settings, flip=flip), seen)
        }
        scores = [np.array([features[a] @ features[b] for a, b, _ in fold]) for fold in folds]
        truths = [np.array([same for _, _, same in fold]) for fold in folds]
        accuracies, thresholds = cross_validated(scores, truths)
        print(
            f"people_pairs.txt, {'with' if flip else 'without'} flip: accuracy {np.mean(accuracies):.4f} "
            f"+- {np.std(accuracies):.4f} over {len(folds)} folds (thresholds {min(thresholds):.3f} "
            f"to {max(thresholds):.3f})"
        )


def embedded(settings: Settings, seen: dict[Path, PhotoOutcome]) -> Iterator[tuple[Path, TemplateBatch]]:
    """The crops of `seen` again, through the recogniser that the settings ask for."""
    shop = build.workshop("embed", settings, iter(()), recognise=True, faces="largest", verbosity=0)
    recogniser = build.require_recogniser(shop.stages)
    for path, (photo, outcome) in seen.items():
        if isinstance(outcome, Done) and path.parent.parent.name == "people":
            yield path, recogniser.embed(outcome.value.aligned, photo.display)


def read_pairs(path: Path, folder: Path) -> list[list[tuple[Path, Path, bool]]]:
    """LFW's pairs.txt: a header "folds, pairs", then name i j, or name i other j."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    folds, half = map(int, header.split())
    pairs = [pair(line.split(), folder) for line in lines]
    return [pairs[fold * 2 * half : (fold + 1) * 2 * half] for fold in range(folds)]


def pair(words: Sequence[str], folder: Path) -> tuple[Path, Path, bool]:
    first, number, *middle, last = words
    other = middle[0] if middle else first
    return picture(folder, first, number), picture(folder, other, last), not middle


def picture(folder: Path, name: str, number: str) -> Path:
    return folder / name / f"{name}_{int(number):04d}.jpg"


def cross_validated(
    scores: Sequence[NDArray[np.float32]], truths: Sequence[NDArray[np.bool_]]
) -> tuple[list[float], list[float]]:
    """Accuracy of each fold at the threshold that is best on the other nine, and those thresholds."""
    accuracies, thresholds = [], []
    for held_out in range(len(scores)):
        others = [fold for fold in range(len(scores)) if fold != held_out]
        threshold = best_threshold(
            np.concatenate([scores[fold] for fold in others]),
            np.concatenate([truths[fold] for fold in others]),
        )
        accuracies.append(float(np.mean((scores[held_out] >= threshold) == truths[held_out])))
        thresholds.append(threshold)
    return accuracies, thresholds


def best_threshold(scores: NDArray[np.float32], truths: NDArray[np.bool_]) -> float:
    """The threshold with the fewest errors; halfway between the two scores that it parts."""
    order = np.argsort(scores)
    ranked, same = scores[order], truths[order]
    errors = np.concatenate([[0], np.cumsum(same)]) + np.concatenate([np.cumsum(~same[::-1])[::-1], [0]])
    place = int(np.argmin(errors))
    edges = np.concatenate([[-1.0], ranked, [1.0]])
    return float((edges[place] + edges[place + 1]) / 2)


if __name__ == "__main__":
    main()
