"""What goes into a gallery and what comes out: frozen, and checked when made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import InvalidSubjectName
from arcface_cli.faces import UNIT_NORM_TOLERANCE, DetectedFace, ModelFingerprint
from arcface_cli.gallery.vectors import StoredVectors
from arcface_cli.inputs.names import UNPRINTABLE, name_refused

MAX_NAME_LENGTH = 255
"""Characters of a subject's name, after normalisation."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPREAD = 8
"""A table serves ids that spread over fewer numbers than so many times their count."""


def subject_name(text: str) -> str:
    """Name of a subject in the one form that is stored: Unicode NFC, so that "é" is "é" however it was typed.

    Raises InvalidSubjectName for a blank or overlong name, control characters, line breaks, and text that
    is no text (bytes of a file name that aren't UTF-8).
    """
    if text.isascii() and text.isprintable() and not text.isspace() and 1 <= len(text) <= MAX_NAME_LENGTH:
        return text  # nothing below can object, and a gallery has a hundred thousand names
    name = unicodedata.normalize("NFC", text)
    if not name.strip():
        raise InvalidSubjectName("a subject's name can't be blank")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidSubjectName(
            f"the name {name[:20]!r}... has {len(name)} characters: {MAX_NAME_LENGTH} is the most"
        )
    bad = next((c for c in name if unicodedata.category(c) in UNPRINTABLE), None)
    if bad is not None:
        raise InvalidSubjectName(f"the name {name!a} holds {bad!a}, which is a control character or no UTF-8")
    return name


def new_name(text: str) -> str:
    """A person's name as somebody gives it, wherever: without the blanks around it, which nobody sees.

    Raises InvalidSubjectName for what `subject_name` refuses, and for marks that turn the direction of
    reading. Names that are stored already may have either, and keep it.
    """
    refused = name_refused(text)
    if refused is not None:
        raise refused
    return subject_name(text).strip()


def places_among(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) where in the ascending, distinct ids (S,) each of `wanted` (N,) stands; -1 where it doesn't."""
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    first, last = int(ids[0]), int(ids[-1])
    if last - first < _SPREAD * len(ids):  # few gaps: a table is ten times as fast as searching
        table = np.full(last - first + 2, -1, dtype=np.int64)  # the one more is for what lies outside
        table[ids - first] = np.arange(len(ids))
        return table[np.where((wanted >= first) & (wanted <= last), wanted - first, -1)]
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1).astype(np.int64)
    return np.where(ids[places] == wanted, places, -1)


def has_unit_length(features: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) whether each row of (N, D) features has norm 1 +- 1e-3; False for NaN."""
    wide = features.astype(np.float64)
    norms = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    return np.asarray(np.abs(norms - 1.0) <= UNIT_NORM_TOLERANCE)


@dataclass(frozen=True, slots=True, eq=False)
class NewTemplate:
    """One face to enrol.

    feature: (D,) float32 of unit length.  source_path: any bytes.  content_sha256: of the file, 64
    hexadecimal digits.  image_width, image_height: pixels of the upright image.  crop: the aligned face as
    a PNG; stored in galleries that keep crops, and nowhere else.  created: when it was enrolled elsewhere, in
    ISO 8601, UTC; empty for a new one.
    """

    subject: str
    feature: NDArray[np.float32]
    source_path: bytes
    content_sha256: str
    face: DetectedFace
    detector: str
    image_width: int
    image_height: int
    crop: bytes | None = None
    created: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", subject_name(self.subject))
        if self.feature.ndim != 1 or self.feature.dtype != np.float32:
            raise ValueError(f"a feature needs float32 (D,), not {self.feature.dtype} {self.feature.shape}")
        if not has_unit_length(self.feature[np.newaxis])[0]:
            raise ValueError("a feature needs unit length and no NaN")
        if not _SHA256.fullmatch(self.content_sha256):
            raise ValueError(f"a SHA-256 has 64 hexadecimal digits, not {self.content_sha256!r}")
        if self.image_width < 1 or self.image_height < 1:
            raise ValueError(f"an image has pixels, not {self.image_width}x{self.image_height}")


@dataclass(frozen=True, slots=True)
class Added:
    """The template was stored."""

    template_id: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """This face of this photograph is enrolled for this subject already: nothing was done."""

    template_id: int


@dataclass(frozen=True, slots=True)
class EnrolledElsewhere:
    """This face of this photograph is enrolled as another subject: nothing was done."""

    subject: str
    template_id: int


AddResult = Added | Duplicate | EnrolledElsewhere


@dataclass(frozen=True, slots=True, eq=False)
class StoredTemplate:
    """A template's provenance: all that is known about it but its feature. `created` is ISO 8601, UTC."""

    template_id: int
    subject: str
    source_path: bytes
    content_sha256: str
    face: DetectedFace
    detector: str
    image_width: int
    image_height: int
    created: str
    has_crop: bool = False

    def anew(self, feature: NDArray[np.float32], crop: bytes | None) -> NewTemplate:
        """The same face, to be enrolled in another gallery."""
        return NewTemplate(
            self.subject,
            feature,
            self.source_path,
            self.content_sha256,
            self.face,
            self.detector,
            self.image_width,
            self.image_height,
            crop,
            self.created,
        )


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What `sync` compares with the photographs on disk: one template, and where it came from."""

    template_id: int
    subject: str
    source_path: bytes
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photograph that `sync` could not use, so that it need not look at it again.

    subject: whose folder it lies in.  reason: the error's code.  decided_by: SHA-256 of all that took part
    in the decision, 64 hexadecimal digits.  created: ISO 8601, UTC; empty until it is stored.
    """

    subject: str
    source_path: bytes
    content_sha256: str
    reason: str
    decided_by: str
    created: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", subject_name(self.subject))
        for digest in (self.content_sha256, self.decided_by):
            if not _SHA256.fullmatch(digest):
                raise ValueError(f"a SHA-256 has 64 hexadecimal digits, not {digest!r}")


@dataclass(frozen=True, slots=True)
class SubjectSummary:
    """An enrolled person; the times are ISO 8601, UTC, and None without templates."""

    name: str
    templates: int
    first_enrolled: str | None
    last_enrolled: str | None


@dataclass(frozen=True, slots=True)
class GalleryStats:
    """Size and origin of a gallery.

    model, detector: names it was made with, for people.  detectors: those that its templates came through.
    generation: grows with every change.  size: bytes on disk, of which `cache_size` can be made again.
    keeps_crops: whether the aligned faces are stored, decided when the gallery was made.  refusals:
    photographs remembered as unusable.
    """

    directory: Path
    subjects: int
    templates: int
    generation: int
    fingerprint: ModelFingerprint
    model: str | None
    detector: str | None
    detectors: tuple[str, ...]
    created: str
    arcface_version: str
    size: int
    cache_size: int
    keeps_crops: bool
    crops: int
    refusals: int


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All that a search needs, as it stood at one moment.

    template_ids: (N,) int64, ascending.  vectors: N rows of D.
    subject_rows: (N,) int64, the place of each template's subject in `subjects`.
    taken_anew: waits for a check that is still under way, and makes another snapshot if that fails.
    """

    template_ids: NDArray[np.int64]
    vectors: StoredVectors
    subject_rows: NDArray[np.int64]
    subjects: tuple[str, ...]
    fingerprint: ModelFingerprint
    generation: int
    taken_anew: Callable[[], Snapshot | None] | None = None

    def __len__(self) -> int:
        return len(self.template_ids)

    def settled(self) -> Snapshot:
        """Itself, once its vectors were checked, which may take its time; another where they are damaged."""
        another = None if self.taken_anew is None else self.taken_anew()
        return self if another is None else another

    @property
    def features(self) -> NDArray[np.float32]:
        """(N, D) float32, unit rows; a copy unless they are stored so."""
        return self.vectors.rows(slice(None))
