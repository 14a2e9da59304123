"""Which of the detected faces are meant."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from arcface_cli.errors import NoFace, SeveralFaces
from arcface_cli.faces import DetectedFace


class FaceChoice(StrEnum):
    """Which faces of a photograph a verb works on."""

    LARGEST = "largest"
    CENTER = "center"
    ALL = "all"
    ONE = "one"


def choose_faces(
    faces: Sequence[DetectedFace], choice: FaceChoice, size: tuple[int, int], name: str
) -> tuple[DetectedFace, ...]:
    """The faces of one photograph that `choice` means; at least one.

    size: width and height of the image in pixels. name: of the photograph, for the error.
    Raises NoFace or, for `ONE`, SeveralFaces.
    """
    if not faces:
        raise NoFace(f"{name}: no face was found")
    match choice:
        case FaceChoice.ALL:
            return tuple(faces)
        case FaceChoice.ONE:
            if len(faces) > 1:
                raise SeveralFaces(f"{name}: {len(faces)} faces were found where one was needed")
            return tuple(faces)
        case FaceChoice.LARGEST:
            return (max(faces, key=lambda face: face.box.area),)
        case FaceChoice.CENTER:
            return (min(faces, key=lambda face: _offset(face, size)),)


def _offset(face: DetectedFace, size: tuple[int, int]) -> float:
    """Squared distance of a face's centre from the image's centre, in pixels squared."""
    x, y = face.box.center
    return (x - size[0] / 2) ** 2 + (y - size[1] / 2) ** 2
