"""One record of every verb and of every status, made by the functions that make the real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from arcface_cli.decision import Candidate, OperatingPoint, decide
from arcface_cli.errors import DuplicatePhoto, FaceBlurred, FaceTooSmall, MissingFile, NoFace
from arcface_cli.evaluation.calibration import Calibration
from arcface_cli.faces import Done, FaceQuality, Failed, RefusedFace, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.output import records
from arcface_cli.output.records import Record, Run
from arcface_cli.results import AlignedPhoto, EnrolledPhoto, IdentifiedPhoto, VerifiedPair
from fakes import face_at, seen_faces, unit

POINT = OperatingPoint(
    0.422,
    "catalogue",
    fmr=1e-4,
    impostor_comparisons=87_307_271,
    data="LFW, all pairs",
    model="mobilefacenet_512",
)
GIVEN = OperatingPoint(0.5, "option")
A, B = Photo(Path("a.jpg")), Photo(Path("b.jpg"))
ODD = Photo(Path("new\nline \udcff.jpg"))
TWO_FACES = (face_at(), face_at(30, 20, 60, score=0.75, index=1))
TWO_FEATURES = np.concatenate([unit(1, 0, 0, 0), unit(0, 3, 4, 0)])
QUALITY = FaceQuality(112.0, 812.34, -12.5, 3.0, 1.0, 0.0125, 0.0)
BLURRED = RefusedFace(
    face_at(),
    FaceBlurred("a.jpg: the face is blurred"),
    replace(QUALITY, sharpness=3.0),
)
SMALL = RefusedFace(face_at(), FaceTooSmall("a.jpg: the face is small"))
NO_FACE = Skipped(NoFace("a.jpg: no face was found"))
DUPLICATE = Skipped(DuplicatePhoto("a.jpg: enrolled for ada already"))
MISSING = Failed(MissingFile("a.jpg does not exist"))


def run(command: str, model: str | None = "compact") -> Run:
    settings = "0123456789ab" if command in ("align", "embed", "identify") else None
    return Run(command, "0.1.0", model, "yunet", "cpu", "fp32", settings)


def aligned(photo: Photo = A) -> Record:
    crops = (Path("crops/a-0.png"), Path("crops/a-1.png"))
    return records.aligned(run("align", None), photo, Done(AlignedPhoto(seen_faces(TWO_FACES), crops)))


def embedded(photo: Photo = A) -> Record:
    return records.embedded(run("embed"), photo, Done(seen_faces(TWO_FACES, TWO_FEATURES)), "list")


def with_arrays(record: Record) -> Record:
    """A record of `embed` as sinks of arrays take it; any other as it is."""
    if "faces" not in record or "feature" not in record["faces"][0]:
        return record
    faces = [{**face, "feature": np.array(face["feature"], np.float32)} for face in record["faces"]]
    return {**record, "faces": faces}


def in_a_manifest(record: Record) -> Record:
    """A record of `embed` as it stands beside a .npy file, which has the features."""
    faces = [
        {key: value for key, value in face.items() if key != "feature"} | {"row": row}
        for row, face in enumerate(record["faces"])
    ]
    return {**record, "faces": faces}


def enrolled(photo: Photo = A, template: int | None = 17) -> Record:
    seen = seen_faces([face_at()], unit(1, 0, 0, 0))
    return records.enrolled(run("enroll"), photo, Done(EnrolledPhoto(seen, "ada", template)))


def candidates(*similarities: float) -> list[Candidate]:
    return [Candidate(10 + i, f"person {i}", s, i + 1) for i, s in enumerate(similarities)]


def identified(*similarities: float, top: int = 1, margin: float = 0.05, drawn: Path | None = None) -> Record:
    decision = decide(candidates(*similarities), POINT, margin)
    seen = seen_faces([face_at()], unit(1, 0, 0, 0))
    return records.identified(run("identify"), A, Done(IdentifiedPhoto(seen, (decision,), drawn)), POINT, top)


def calibrated(*similarities: float) -> Record:
    """As `identified`, with a gallery that holds a calibration."""
    point = OperatingPoint(
        0.5, "gallery", fmr=1e-3, fpir=0.05, gallery_size=48, impostor_comparisons=1000, data="people",
        model="compact",
    )  # fmt: skip
    calibration = Calibration(
        date="2026-11-01T00:00:00Z", data="people", target="fpir", target_rate=0.05, threshold=0.5, fmr=1e-3,
        fmr_interval=(0.0, 0.01), fpir=0.05, fpir_interval=(0.02, 0.1), fpir_expected=(0.0, 0.2), subjects=48,
        people=60, photographs=600, impostor_comparisons=1000, searches=600, extrapolated=False, p_value=None,
        model="abc", model_name="compact", detector="yunet", curve=((0.1, 0.5), (0.3, 0.01)),
    )  # fmt: skip
    seen = Done(
        IdentifiedPhoto(
            seen_faces([face_at()], unit(1, 0, 0, 0)), (decide(candidates(*similarities), point),)
        )
    )
    return records.identified(run("identify"), A, seen, point, 1, calibration)


def verified(similarity: float = 0.75, photos: tuple[Photo, Photo] = (A, B)) -> Record:
    seen = seen_faces([face_at()], unit(1, 0, 0, 0))
    pair = VerifiedPair(seen, seen, similarity, POINT.matches(similarity))
    return records.verified(run("verify"), photos, Done(pair), POINT)


def every_record() -> dict[str, Record]:
    return {
        "align": aligned(),
        "embed": embedded(),
        "embed, in a manifest": in_a_manifest(embedded()),
        "embed, through TensorRT": records.embedded(
            replace(run("embed"), tensorrt="10.14.1"), A, MISSING, "list"
        ),
        "enroll": enrolled(),
        "enroll, dry run": enrolled(template=None),
        "identify, match": identified(0.75, 0.25, top=2),
        "identify, calibrated": calibrated(0.25),
        "identify, calibrated, beyond all impostors": calibrated(0.75),
        "identify, drawn": identified(0.75, drawn=Path("drawn/a.jpg")),
        "identify, unknown": identified(0.25),
        "identify, ambiguous": identified(0.75, 0.74),
        "identify, empty gallery": identified(),
        "verify, same": verified(),
        "verify, different": verified(-0.25),
        "verify, odd names": verified(photos=(A, ODD)),
        "odd name": aligned(ODD),
        "embed, one refused": records.embedded(
            run("embed"),
            A,
            Done(
                replace(
                    seen_faces([face_at()], unit(1, 0, 0, 0)), qualities=(QUALITY,), refused=(BLURRED, SMALL)
                )
            ),
            "list",
        ),
        "enroll, all refused": records.enrolled(run("enroll"), A, Skipped(BLURRED.reason, (BLURRED, SMALL))),
        "align, skipped": records.aligned(run("align", None), A, NO_FACE),
        "embed, failed": records.embedded(run("embed"), A, MISSING, "list"),
        "enroll, duplicate, by a run without networks": records.enrolled(
            replace(run("enroll"), device="none"), A, Skipped(DuplicatePhoto("a.jpg: enrolled already"))
        ),
        "identify, skipped": records.identified(run("identify"), A, NO_FACE, GIVEN, 1),
        "verify, failed": records.verified(run("verify"), (A, B), MISSING, GIVEN),
    }
