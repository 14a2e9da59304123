"""Features from a file, in the shape that the pipeline gives them: what `enroll` takes without networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np

from arcface_cli.detection.selection import FaceChoice, choose_faces
from arcface_cli.errors import FaceError, NoSubject, UsageError
from arcface_cli.faces import (
    CROP_SIDE,
    AlignedFaces,
    DetectedFace,
    Done,
    FaceQuality,
    Failed,
    ModelFingerprint,
    Outcome,
    Skipped,
    TemplateBatch,
)
from arcface_cli.gallery.entries import new_name
from arcface_cli.inputs.embeddings import StoredFace, StoredRow, UnusableRow
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.quality import QualityGates, head_pose, shorter_side
from arcface_cli.results import PhotoFaces, Picture

NAME_HINT = "give the rows a subject, or say who it is with --name"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Whom the rows show, and which of them count.

    name: the subject of all of them, whatever they say.  choice: which face of a photograph whose rows name
    nobody.  gates: of these, size, detection score and yaw; without the crops nobody can tell the rest.
    """

    name: str | None = None
    choice: FaceChoice = FaceChoice.ONE
    gates: QualityGates = field(default_factory=QualityGates)


def stored_outcomes(
    rows: Iterable[StoredRow], fingerprint: ModelFingerprint | None, acceptance: Acceptance
) -> Iterator[PhotoOutcome]:
    """One outcome for each photograph, or for each face where the rows themselves say whose it is.

    fingerprint: of the features; None where no row has any. Raises InvalidSubjectName for a `name` that
    nobody can have; a row's own costs that row only.
    """
    name = None if acceptance.name is None else new_name(acceptance.name)
    for _, group in groupby(rows, key=_belongs_to):
        together = list(group)
        faces = [row for row in together if isinstance(row, StoredFace)]
        if faces and fingerprint is not None:
            yield _outcome(faces, fingerprint, acceptance, name)
        for row in together:
            if isinstance(row, UnusableRow):
                skipped = isinstance(row.error, FaceError)
                yield row.photo, Skipped(row.error) if skipped else Failed(row.error)


def _belongs_to(row: StoredRow) -> object:
    """Rows of one photograph follow one another; a row that names its subject stands alone."""
    if isinstance(row, UnusableRow) or row.told:
        return object()  # equal to nothing else
    return row.photo.raw, row.sha256


def _outcome(
    faces: list[StoredFace], fingerprint: ModelFingerprint, acceptance: Acceptance, name: str | None
) -> PhotoOutcome:
    photo = faces[0].photo
    try:
        photo = replace(photo, subject=_named(faces[0]) if name is None else name)
        return photo, _chosen(faces, fingerprint, acceptance)
    except (FaceError, NoSubject) as reason:
        return photo, Skipped(reason)
    except UsageError as error:
        return photo, Failed(error)


def _named(face: StoredFace) -> str:
    if face.photo.failure is not None:
        raise face.photo.failure
    if face.photo.subject is None:
        raise NoSubject(f"{face.where}: no telling whose face this is", hint=NAME_HINT)
    return new_name(face.photo.subject)


def _chosen(
    faces: list[StoredFace], fingerprint: ModelFingerprint, acceptance: Acceptance
) -> Outcome[PhotoFaces]:
    first, name = faces[0], faces[0].photo.display
    counted, refused = acceptance.gates.detections([each.face for each in faces], name)
    if refused and not counted:
        return Skipped(refused[0].reason, refused)
    chosen = choose_faces(counted, acceptance.choice, (first.width, first.height), name)
    for face in chosen:
        _check_pose(face, acceptance.gates, name)
    features = np.stack([each.feature for each in faces if each.face in chosen])
    nothing = AlignedFaces(np.zeros((0, CROP_SIDE, CROP_SIDE, 3), np.uint8), np.zeros((0, 2, 3)))
    picture = Picture(first.width, first.height, first.sha256)
    return Done(
        PhotoFaces(picture, len(faces), chosen, nothing, TemplateBatch(features, fingerprint), None, refused)
    )


def _check_pose(face: DetectedFace, gates: QualityGates, name: str) -> None:
    """Raise FaceTurned for a face that the gates refuse by its landmarks alone."""
    yaw, pitch, roll = head_pose(face.points.array[np.newaxis])[0].tolist()
    only_pose = replace(gates, min_sharpness=None, max_dark=None, max_bright=None)
    reason = only_pose.refuse(FaceQuality(shorter_side(face), 0.0, yaw, pitch, roll, 0.0, 0.0), name)
    if reason is not None:
        raise reason
