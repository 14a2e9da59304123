"""Outcome -> record: the JSON object that stands for one input. Fields are only ever added.

The published schema is `output/schema.json`; docs/records.md explains it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from arcface_cli.decision import Candidate, Decision, Metric, OperatingPoint
from arcface_cli.errors import ArcfaceError
from arcface_cli.faces import DetectedFace, Done, FaceQuality, Failed, Outcome, RefusedFace, Skipped
from arcface_cli.inputs.photo import Photo
from arcface_cli.results import AlignedPhoto, EnrolledPhoto, IdentifiedPhoto, PhotoFaces, VerifiedPair

if TYPE_CHECKING:
    from arcface_cli.evaluation.calibration import Calibration

SCHEMA_VERSION = 1
_TENS = np.array([float(f"1e{power}") for power in range(23)])
"""Powers of ten that float64 holds exactly."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What is the same for all records of a run.

    device: the one that really serves.  settings: digest of all that changes records (`cli.conditions`).
    tensorrt: version of the one that ran the recogniser, None where none did.
    """

    command: str
    version: str
    model: str | None
    detector: str
    device: str
    precision: str
    settings: str | None = None
    tensorrt: str | None = None

    def header(self) -> Record:
        """The `run` object."""
        header = {"version": self.version, "device": self.device, "precision": self.precision}
        told = {"settings": self.settings, "tensorrt": self.tensorrt}
        return {
            **header,
            "detector": self.detector,
            **{key: word for key, word in told.items() if word is not None},
        }


def aligned(run: Run, photo: Photo, outcome: Outcome[AlignedPhoto]) -> Record:
    """A record of `align`: each face with the file that its crop went to."""
    record = _head(run, photo, outcome)
    if isinstance(outcome, Done):
        value = outcome.value
        faces = [
            {**each, "crop": str(path), "transform": rounded_rows(transform, 6)}
            for each, path, transform in zip(
                faces_of(value.photo), value.crops, value.photo.aligned.transforms, strict=True
            )
        ]
        record |= _seen(value.photo, faces)
    return _with_run(record, run)


def embedded(
    run: Run, photo: Photo, outcome: Outcome[PhotoFaces], features: Literal["list", "array"] | None
) -> Record:
    """A record of `embed`; `features`: in which form the unit vectors are put into it, if at all."""
    record = _head(run, photo, outcome)
    if isinstance(outcome, Done):
        seen = outcome.value
        faces = faces_of(seen)
        if seen.templates is not None:
            for each, row in zip(faces, seen.templates.features, strict=True):
                if features is not None:
                    each["feature"] = row if features == "array" else nine_digits(row)
            record["fingerprint"] = seen.templates.fingerprint.short
            record["canonical_fingerprint"] = seen.templates.fingerprint.canonical
            record["dimension"] = seen.templates.fingerprint.dimension
        record |= _seen(seen, faces)
    return _with_run(record, run)


def enrolled(run: Run, photo: Photo, outcome: Outcome[EnrolledPhoto]) -> Record:
    """A record of `enroll`; `template` is null in a dry run."""
    record = _head(run, photo, outcome)
    record["subject"] = photo.subject
    if isinstance(outcome, Done):
        value = outcome.value
        record |= {"subject": value.subject, "template": value.template_id}
        record |= _seen(value.photo, faces_of(value.photo))
    return _with_run(record, run)


def identified(
    run: Run,
    photo: Photo,
    outcome: Outcome[IdentifiedPhoto],
    point: OperatingPoint,
    top: int,
    calibration: Calibration | None = None,
) -> Record:
    """A record of `identify`: a decision for each face; with a calibration also "FMR at this score"."""
    record = _head(run, photo, outcome)
    if isinstance(outcome, Done):
        value = outcome.value
        faces = [
            each | decided(decision, top) | fmr_at_score(decision, calibration)
            for each, decision in zip(faces_of(value.photo), value.decisions, strict=True)
        ]
        record |= _seen(value.photo, faces)
        if value.drawn is not None:
            record["drawn"] = str(value.drawn)
    record["threshold"] = threshold(point)
    return _with_run(record, run)


def verified(
    run: Run, photos: Sequence[Photo], outcome: Outcome[VerifiedPair], point: OperatingPoint
) -> Record:
    """A record of `verify`: one for the pair. `same_person` stands in it only when there is an answer."""
    record: Record = {"schema": SCHEMA_VERSION, "command": run.command}
    record["inputs"] = [photo.display for photo in photos]
    if any(photo.base64_if_escaped is not None for photo in photos):
        record["inputs_b64"] = [photo.base64_if_escaped for photo in photos]
    record |= _status(outcome)
    if isinstance(outcome, Done):
        pair = outcome.value
        record["same_person"] = pair.same_person
        record |= scores(pair.similarity)
        record["images"] = [_picture(seen) for seen in (pair.first, pair.second)]
        record["faces"] = [faces_of(seen)[0] for seen in (pair.first, pair.second)]
        record["faces_found"] = [seen.found for seen in (pair.first, pair.second)]
    record["threshold"] = threshold(point)
    return _with_run(record, run)


def has_match(record: Record) -> bool:
    """Whether a record answers yes: somebody was named (`identify`), or two are one person (`verify`)."""
    named = any(face.get("decision") == "match" for face in record.get("faces", ()))
    same: bool = record.get("same_person", named)
    return same


def face(detected: DetectedFace) -> Record:
    """Box, landmarks (pixels of the upright image) and detection score."""
    return {
        "box": [round(value, 2) for value in detected.box.as_tuple()],
        "landmarks": rounded_rows(detected.points.array, 2),
        "detection_score": round(detected.detection_score, 4),
    }


def faces_of(seen: PhotoFaces) -> list[Record]:
    """The faces of a photograph, each with its quality where that was measured."""
    faces = [face(each) for each in seen.faces]
    if seen.qualities is not None:
        for record, measured in zip(faces, seen.qualities, strict=True):
            record["quality"] = quality(measured)
    return faces


def quality(measured: FaceQuality) -> Record:
    """Size (pixels), sharpness, angles (degrees) and shares of black and burnt-out pixels of one face."""
    return {
        "size": round(measured.size, 1),
        "sharpness": round(measured.sharpness, 1),
        "yaw": round(measured.yaw, 1),
        "pitch": round(measured.pitch, 1),
        "roll": round(measured.roll, 1),
        "dark": round(measured.dark, 4),
        "bright": round(measured.bright, 4),
    }


def refused_face(refused: RefusedFace) -> Record:
    """A face that isn't used: as `face`, with the reason and, if it was measured, its quality."""
    record = face(refused.face)
    if refused.quality is not None:
        record["quality"] = quality(refused.quality)
    return record | explained(refused.reason)


def decided(decision: Decision, top: int) -> Record:
    """What `decide` answered for one face; similarity and distance are of the best candidate."""
    record: Record = {"decision": decision.verdict.value, "subject": decision.subject}
    if decision.similarity is not None:
        record |= scores(decision.similarity)
    record["margin"] = None if decision.margin is None else round(decision.margin, 6)
    record["candidates"] = [_candidate(each) for each in decision.candidates[:top]]
    return record


def fmr_at_score(decision: Decision, calibration: Calibration | None) -> Record:
    """Share of the calibration's impostor comparisons that reach this score; null where none does.

    `fmr_at_most` is its upper bound then (95 %).
    """
    if calibration is None or decision.similarity is None:
        return {}
    rate, bound = calibration.fmr_at(decision.similarity)
    return {"fmr_at_score": rate, "fmr_at_most": bound}


def scores(similarity: float) -> Record:
    """Similarity (cosine) and distance (Euclidean) of one comparison."""
    return {
        "similarity": round(similarity, 6),
        "distance": round(Metric.EUCLIDEAN.from_similarity(similarity), 6),
    }


def threshold(point: OperatingPoint) -> Record:
    """The threshold with all that is known about the errors it lets through."""
    return {
        "value": round(point.threshold, 6),
        "metric": "cosine",
        "distance": round(Metric.EUCLIDEAN.from_similarity(point.threshold), 6),
        "origin": point.origin,
        "fmr": point.fmr,
        "impostor_comparisons": point.impostor_comparisons,
        "data": point.data,
        "model": point.model,
        **({} if point.fpir is None else {"fpir": point.fpir, "subjects": point.gallery_size}),
    }


def explained(error: ArcfaceError) -> Record:
    """An error as a record tells it."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def nine_digits(row: NDArray[np.float32]) -> list[float]:
    """float32 numbers in [-1, 1] as the shortest decimals that are the same float32 when read."""
    wide = row.astype(np.float64)
    magnitude = np.floor(np.log10(np.maximum(np.abs(wide), 1e-13)))
    scale = _TENS[(8 - magnitude).astype(int)]
    rounded: list[float] = (np.rint(wide * scale) / scale).tolist()
    return rounded


def rounded_rows(array: Any, digits: int) -> list[list[float]]:
    """A matrix as nested lists for JSON."""
    return [[round(float(value), digits) for value in row] for row in array]


def _candidate(candidate: Candidate) -> Record:
    return {
        "subject": candidate.subject,
        **scores(candidate.similarity),
        "template": candidate.template_id,
        "rank": candidate.rank,
    }


def _head(run: Run, photo: Photo, outcome: Outcome[Any]) -> Record:
    record: Record = {"schema": SCHEMA_VERSION, "command": run.command, "input": photo.display}
    encoded = photo.base64_if_escaped
    if encoded is not None:
        record["input_b64"] = encoded
    return record | _status(outcome)


def _status(outcome: Outcome[Any]) -> Record:
    match outcome:
        case Done():
            return {"status": "done"}
        case Skipped(reason):
            return {"status": "skipped", "error": explained(reason)} | _refused(outcome.refused)
        case Failed(error):
            return {"status": "failed", "error": explained(error)}


def _seen(seen: PhotoFaces, faces: list[Record]) -> Record:
    record = {"image": _picture(seen), "faces_found": seen.found, "faces": faces}
    return record | _refused(seen.refused)


def _refused(faces: tuple[RefusedFace, ...]) -> Record:
    return {"refused": [refused_face(each) for each in faces]} if faces else {}


def _picture(seen: PhotoFaces) -> Record:
    picture = seen.picture
    return {"width": picture.width, "height": picture.height, "sha256": picture.sha256}


def _with_run(record: Record, run: Run) -> Record:
    model: Mapping[str, Any] = {} if run.model is None else {"model": run.model}
    return {**record, **model, "run": run.header()}
