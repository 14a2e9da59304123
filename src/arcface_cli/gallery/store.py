"""A gallery: a folder that holds gallery.sqlite3, the truth about who is enrolled.

The only way in is one transaction a batch; what `add` returned is on disk. Nothing here searches.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from arcface_cli import __version__
from arcface_cli.errors import (
    GalleryError,
    GalleryMissing,
    GalleryModelMismatch,
    OutputError,
    SubjectMissing,
)
from arcface_cli.faces import BoundingBox, ModelFingerprint
from arcface_cli.gallery import database, reading
from arcface_cli.gallery.entries import (
    Added,
    AddResult,
    Duplicate,
    EnrolledElsewhere,
    GalleryStats,
    NewTemplate,
    Snapshot,
    StoredTemplate,
    SubjectSummary,
    subject_name,
)

FILE_NAME = "gallery.sqlite3"

SAME_FACE_OVERLAP = 0.5
"""Intersection over union from which two boxes on one photograph are the same face, whoever detected them."""


class Gallery:
    """An open gallery. Use it in a `with` statement, or call `close`.

    Every method raises GalleryDamaged when the file turns out broken and GalleryLocked when another process
    holds it for too long; those that write raise OutputError when the disk is full or read-only.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection) -> None:
        self.directory = directory
        self._path = directory / FILE_NAME
        self._connection = connection
        self._meta = reading.meta(connection, self._path)
        self.fingerprint = reading.fingerprint(self._meta, self._path)

    @classmethod
    def open(
        cls, directory: Path, *, writable: bool = False, timeout: float = database.LOCK_TIMEOUT
    ) -> Gallery:
        """Open an existing gallery; for reading, a read-only folder will do.

        timeout: seconds to wait for another writer. Raises GalleryMissing, GalleryDamaged, GalleryNewer,
        GalleryLocked, and OutputError when it is to be written and can't be.
        """
        connection = database.connect(directory / FILE_NAME, writable=writable, timeout=timeout)
        try:
            with database.translated(directory / FILE_NAME, writing=False):
                return cls(directory, connection)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def create(
        cls,
        directory: Path,
        fingerprint: ModelFingerprint,
        *,
        model: str | None = None,
        detector: str | None = None,
    ) -> Gallery:
        """Make an empty gallery in a new or empty folder, for its owner only, and open it for writing.

        model, detector: names for people; what is compared is the fingerprint. Raises GalleryError when a
        gallery is there already or the folder holds other files, OutputError when it can't be made.
        """
        _make_folder(directory)
        meta = _first_meta(fingerprint, model, detector)
        try:
            database.create(directory / FILE_NAME, fingerprint.dimension, meta)
        except FileExistsError:
            raise GalleryError(
                f"{directory}: holds a gallery already", hint="name another folder with -g"
            ) from None
        return cls.open(directory, writable=True)

    @classmethod
    def open_or_create(
        cls,
        directory: Path,
        fingerprint: ModelFingerprint,
        *,
        model: str | None = None,
        detector: str | None = None,
    ) -> Gallery:
        """Open for writing, making the gallery when there is none.

        Raises what `open`, `create` and `require` raise.
        """
        if not os.path.lexists(directory / FILE_NAME):
            try:
                return cls.create(directory, fingerprint, model=model, detector=detector)
            except GalleryError:
                if not os.path.lexists(directory / FILE_NAME):
                    raise  # otherwise another process was faster: theirs is as good
        gallery = cls.open(directory, writable=True)
        try:
            gallery.require(fingerprint)
        except BaseException:
            gallery.close()
            raise
        return gallery

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. The last one out moves the write-ahead log into the database."""
        self._connection.close()

    @property
    def detector(self) -> str | None:
        """Name of the detector that the gallery was made with."""
        return self._meta.get("detector")

    @property
    def model(self) -> str | None:
        """Name of the recogniser that the gallery was made with."""
        return self._meta.get("model")

    def require(self, fingerprint: ModelFingerprint) -> None:
        """Raise GalleryModelMismatch unless templates of `fingerprint` can be compared with ours."""
        if fingerprint == self.fingerprint:
            return
        name = "" if self.model is None else f" ({self.model})"
        way_back = "" if self.model is None else f" with -m {self.model}"
        raise GalleryModelMismatch(
            f"{self.directory}: was made with model {self.fingerprint.short}{name}; "
            f"this run uses {fingerprint.short}: their templates can't be compared",
            hint=f"use the gallery's own model{way_back}, or name another gallery with -g",
        )

    # --- reading ----------------------------------------------------------------------------

    def stats(self) -> GalleryStats:
        """Counts, model and size."""
        with self._reading():
            counts = reading.counts(self._connection)
            generation = reading.generation(self._connection, self._path)
        return GalleryStats(
            directory=self.directory,
            subjects=counts.subjects,
            templates=counts.templates,
            generation=generation,
            fingerprint=self.fingerprint,
            model=self.model,
            detector=self.detector,
            detectors=counts.detectors,
            created=self._meta["created"],
            arcface_version=self._meta["arcface_version"],
            size=sum(file.stat().st_size for file in self.directory.glob(f"{FILE_NAME}*")),
        )

    def subjects(self) -> list[SubjectSummary]:
        """Everybody enrolled, by name."""
        with self._reading():
            return reading.subjects(self._connection, self._path)

    def templates_of(self, name: str) -> list[StoredTemplate]:
        """Provenance of a subject's templates, oldest first. Raises SubjectMissing."""
        subject = subject_name(name)
        with self._reading():
            if reading.subject_id(self._connection, subject) is None:
                raise SubjectMissing(f"{self.directory}: nobody is enrolled as {subject!r}")
            return reading.templates_of(self._connection, self._path, subject)

    def subject_names_of(self, content_sha256: str) -> list[str]:
        """Subjects that a photograph with this content is enrolled for, by name."""
        with self._reading():
            return reading.subject_names_of(self._connection, content_sha256)

    def snapshot(self) -> Snapshot:
        """Every template with its subject, all of one moment, each checked.

        Raises GalleryDamaged naming the template whose feature has a wrong length, NaN or no unit length.
        """
        with self._reading():
            return reading.snapshot(self._connection, self._path, self.fingerprint)

    def _reading(self) -> AbstractContextManager[None]:
        return database.one_moment(self._connection, self._path)

    # --- writing ----------------------------------------------------------------------------

    def add(self, entries: Sequence[NewTemplate], *, now: datetime | None = None) -> list[AddResult]:
        """Enrol a batch in one transaction: when this returns all of it is on disk, when it raises none is.

        Says for each entry, in order, whether it was added. The same face of the same photograph is stored
        once: boxes that overlap by half are one face. Raises ValueError for a feature of another dimension.
        """
        self._check_dimensions(entries)
        created = _timestamp(datetime.now(UTC) if now is None else now)
        with database.translated(self._path, writing=True), database.transaction(self._connection):
            results = [self._add_one(entry, created) for entry in entries]
            if any(isinstance(result, Added) for result in results):
                generation = reading.generation(self._connection, self._path) + 1
                self._connection.execute(
                    "UPDATE meta SET value = ? WHERE key = 'generation'", (str(generation),)
                )
        return results

    def _check_dimensions(self, entries: Sequence[NewTemplate]) -> None:
        dimension = self.fingerprint.dimension
        for entry in entries:
            if entry.feature.shape != (dimension,):
                raise ValueError(f"this gallery holds features ({dimension},), not {entry.feature.shape}")

    def _add_one(self, entry: NewTemplate, created: str) -> AddResult:
        same_face = [
            (template_id, subject)
            for template_id, subject, box in reading.faces_of(
                self._connection, self._path, entry.content_sha256
            )
            if _overlap(box, entry.face.box) >= SAME_FACE_OVERLAP
        ]
        for template_id, subject in same_face:
            if subject == entry.subject:
                return Duplicate(template_id)
        for template_id, subject in same_face:
            return EnrolledElsewhere(subject, template_id)
        return Added(self._insert(entry, created))

    def _insert(self, entry: NewTemplate, created: str) -> int:
        row = (
            self._subject_id(entry.subject, created),
            entry.feature.astype("<f4").tobytes(),
            entry.source_path,
            entry.content_sha256,
            entry.face.index,
            *map(float, entry.face.box.as_tuple()),
            entry.face.points.array.astype("<f4").tobytes(),
            float(entry.face.detection_score),
            entry.detector,
            entry.image_width,
            entry.image_height,
            created,
        )
        cursor = self._connection.execute(
            "INSERT INTO templates (subject_id, feature, source_path, content_sha256, face_index, "
            "x_min, y_min, x_max, y_max, landmarks, detection_score, detector, "
            "image_width, image_height, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        return _row_id(cursor)

    def _subject_id(self, name: str, created: str) -> int:
        known = reading.subject_id(self._connection, name)
        if known is not None:
            return known
        return _row_id(
            self._connection.execute("INSERT INTO subjects (name, created) VALUES (?, ?)", (name, created))
        )


def _row_id(cursor: sqlite3.Cursor) -> int:
    if cursor.lastrowid is None:
        raise RuntimeError("SQLite gave no row id for an INSERT")
    return cursor.lastrowid


def _overlap(a: BoundingBox, b: BoundingBox) -> float:
    """Intersection over union, 0 to 1; equal boxes overlap wholly even when they have no area."""
    if a == b:
        return 1.0
    width = min(a.x_max, b.x_max) - max(a.x_min, b.x_min)
    height = min(a.y_max, b.y_max) - max(a.y_min, b.y_min)
    if width <= 0.0 or height <= 0.0:
        return 0.0
    return width * height / (a.area + b.area - width * height)


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _first_meta(fingerprint: ModelFingerprint, model: str | None, detector: str | None) -> dict[str, str]:
    meta = {
        "recogniser_sha256": fingerprint.recogniser_sha256,
        "preprocessing": fingerprint.preprocessing,
        "alignment": fingerprint.alignment,
        "dimension": str(fingerprint.dimension),
        "flip": str(int(fingerprint.flip)),
        "generation": "0",
        "created": _timestamp(datetime.now(UTC)),
        "arcface_version": __version__,
    }
    names = {"model": model, "detector": detector}
    return meta | {key: name for key, name in names.items() if name is not None}


def _make_folder(directory: Path) -> None:
    """Make the folder, for its owner only. One that is there must be empty, and is closed to others."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        foreign = [
            entry for entry in directory.iterdir() if not entry.name.startswith(database.TEMPORARY_PREFIX)
        ]
        if not foreign and directory.stat().st_uid == os.geteuid():
            directory.chmod(0o700)
    except OSError as error:
        raise OutputError(
            f"{directory}: can't be made a gallery: {error.strerror}",
            hint="name a folder that this user can write with -g",
        ) from error
    if foreign and not os.path.lexists(directory / FILE_NAME):
        raise GalleryMissing(
            f"{directory}: holds other files and no gallery", hint="name an empty or a new folder with -g"
        )
