"""What the verbs answer, one value a photograph: made by pipeline and workflows, rendered by output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from arcface_cli.decision import Decision
from arcface_cli.faces import AlignedFaces, DetectedFace, FaceQuality, RefusedFace, TemplateBatch


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded photograph, without its pixels. width, height: upright, in pixels."""

    width: int
    height: int
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFaces:
    """The faces that were asked for, cut out and, if a recogniser ran, embedded.

    found: how many faces the detector saw; `faces` may be fewer. faces, aligned, templates and
    qualities (None: not measured) go row by row. refused: faces that were asked for but not good enough.
    content: the file's bytes, where somebody is to draw on the photograph.
    """

    picture: Picture
    found: int
    faces: tuple[DetectedFace, ...]
    aligned: AlignedFaces
    templates: TemplateBatch | None = None
    qualities: tuple[FaceQuality, ...] | None = None
    refused: tuple[RefusedFace, ...] = ()
    content: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AlignedPhoto:
    """`align`: crops[i] is the file that faces[i] went to."""

    photo: PhotoFaces
    crops: tuple[Path, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EnrolledPhoto:
    """`enroll`: the template that now stands for the subject; None in a dry run."""

    photo: PhotoFaces
    subject: str
    template_id: int | None


@dataclass(frozen=True, slots=True, eq=False)
class IdentifiedPhoto:
    """`identify`: decisions[i] belongs to faces[i]. drawn: the picture of them, if one was asked for."""

    photo: PhotoFaces
    decisions: tuple[Decision, ...]
    drawn: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class VerifiedPair:
    """`verify`: one face from each photograph, and how alike they are."""

    first: PhotoFaces
    second: PhotoFaces
    similarity: float
    same_person: bool
