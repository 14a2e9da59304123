"""A gallery: a folder that holds gallery.sqlite3, the truth about who is enrolled.

The only way in is one transaction a batch; what `add` returned is on disk. Nothing here searches.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from arcface_cli import __version__
from arcface_cli.errors import (
    GalleryDamaged,
    GalleryError,
    GalleryLocked,
    GalleryMissing,
    GalleryModelMismatch,
    OutputError,
    SubjectExists,
    SubjectMissing,
    TemplateMissing,
)
from arcface_cli.faces import BoundingBox, ModelFingerprint
from arcface_cli.gallery import (
    cache,
    check,
    checksums,
    database,
    moving,
    proof,
    reading,
    refusals,
    snapshots,
    writer_note,
    writing,
)
from arcface_cli.gallery.check import Finding
from arcface_cli.gallery.entries import (
    Added,
    AddResult,
    Enrolled,
    GalleryStats,
    NewTemplate,
    Refusal,
    Snapshot,
    StoredTemplate,
    SubjectSummary,
    subject_name,
)
from arcface_cli.gallery.vectors import VectorType
from arcface_cli.wording import command, quoted

FILE_NAME = "gallery.sqlite3"

EXPORT_AGAIN = (
    "export it again; else copy it as gallery.sqlite3 into a folder of its own, and see there what is sound, "
    "with gallery check -g FOLDER"
)
_LARGEST_ID = 2**63 - 1

_LOOKS = 5
"""Times that a moment is chosen anew because a cache is already ahead of it."""


class Gallery:
    """An open gallery. Use it in a `with` statement, or call `close`.

    Every method raises GalleryDamaged when the file turns out broken and GalleryLocked when another process
    holds it for too long; those that write raise OutputError when the disk is full or read-only.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection, file_name: str = FILE_NAME) -> None:
        self.directory = directory
        self._path = directory / file_name
        self._connection = connection
        self._meta = reading.meta(connection, self._path)
        self.fingerprint = reading.fingerprint(self._meta, self._path)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        writable: bool = False,
        timeout: float = database.LOCK_TIMEOUT,
        mending: bool = False,
    ) -> Gallery:
        """Open an existing gallery; for reading, a read-only folder will do.

        timeout: seconds to wait for another writer.  mending: for `compact` alone, which may mend broken
        pages; other uses refuse them here. Raises GalleryMissing, GalleryDamaged, GalleryNewer,
        GalleryLocked, and OutputError when it is to be written and can't be.
        """
        connection = database.connect(
            directory / FILE_NAME, writable=writable, timeout=timeout, mending=mending
        )
        try:
            with database.translated(directory / FILE_NAME):
                return cls(directory, connection)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open_exported(cls, file: Path) -> Gallery:
        """Open a file that `export` wrote, for reading.

        Raises MissingFile and NotAFile for what can't be one, and otherwise what `open` raises.
        """
        database.require_exported(file)
        try:
            connection = database.connect(file, writable=False)
            try:
                with database.translated(file):
                    return cls(file.parent, connection, file.name)
            except BaseException:
                connection.close()
                raise
        except GalleryDamaged as error:
            error.hint = EXPORT_AGAIN
            raise

    @classmethod
    def create(
        cls,
        directory: Path,
        fingerprint: ModelFingerprint,
        *,
        model: str | None = None,
        detector: str | None = None,
        keep_crops: bool = False,
    ) -> Gallery:
        """Make an empty gallery in a new or empty folder, for its owner only, and open it for writing.

        model, detector: names for people; what is compared is the fingerprint. keep_crops: whether aligned
        faces are stored with their templates; it can't be changed later. Raises GalleryError when a
        gallery is there already or the folder holds other files, OutputError when it can't be made.
        """
        meta = _first_meta(fingerprint, model, detector, keep_crops=keep_crops)
        _make(directory, partial(database.fill_empty, meta=meta))
        return cls.open(directory, writable=True)

    @classmethod
    def restore(cls, directory: Path, exported: Gallery) -> Gallery:
        """Make a gallery that holds all that an exported one does, and open it for writing.

        Numbers, times, crops, refusals, calibration and history are the same. Raises what `create` and
        `require_sound` raise.
        """
        exported.require_sound(EXPORT_AGAIN)
        _make(directory, partial(moving.copy_whole, exported._connection))
        return cls.open(directory, writable=True)

    @classmethod
    def open_or_create(
        cls,
        directory: Path,
        fingerprint: ModelFingerprint,
        *,
        model: str | None = None,
        detector: str | None = None,
        keep_crops: bool | None = None,
        origin: str | None = None,
    ) -> Gallery:
        """Open for writing, making the gallery when there is none.

        keep_crops: None goes along with what the gallery does.  origin: as for `require`. Raises what `open`,
        `create` and `require` raise, and GalleryError when crops are asked for or forbidden against what was
        chosen at its making.
        """
        if not os.path.lexists(directory / FILE_NAME):
            try:
                return cls.create(
                    directory, fingerprint, model=model, detector=detector, keep_crops=bool(keep_crops)
                )
            except GalleryError:
                if not os.path.lexists(directory / FILE_NAME):
                    raise  # otherwise another process was faster: theirs is as good
        gallery = cls.open(directory, writable=True)
        try:
            gallery.require(fingerprint, origin)
            gallery.require_crops(keep_crops)
        except BaseException:
            gallery.close()
            raise
        return gallery

    @classmethod
    def look_into(
        cls, directory: Path, fingerprint: ModelFingerprint, *, keep_crops: bool | None = None
    ) -> Gallery | None:
        """What `open_or_create` would write to, opened for reading; None where it would make one.

        Raises what that raises, as far as can be told without writing.
        """
        if not os.path.lexists(directory / FILE_NAME):
            _require_room(directory)
            return None
        gallery = cls.open(directory)
        try:
            gallery.require(fingerprint)
            gallery.require_crops(keep_crops)
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

    @property
    def operating_point(self) -> str | None:
        """What `arcface calibrate` stored, as it wrote it."""
        return self._meta.get("operating_point")

    def set_operating_point(self, text: str) -> None:
        """Store an operating point in place of the one before."""
        with self._writing():
            writing.put_meta(self._connection, self._path, {"operating_point": text})
        self._meta = reading.meta(self._connection, self._path)

    def require(self, fingerprint: ModelFingerprint, origin: str | None = None) -> None:
        """Raise GalleryModelMismatch unless templates of `fingerprint` can be compared with ours.

        origin: the file that the templates come from; None: this run makes them.
        """
        if fingerprint == self.fingerprint:
            return
        name = "" if self.model is None else f" ({self.model})"
        way = f"{self._way_back(fingerprint)}, or move it to this one: arcface gallery reembed"
        if origin is not None:
            way = "name another gallery with -g, a new one perhaps"
        raise GalleryModelMismatch(
            f"{self.directory}: was made with model {self.fingerprint.short}{name}; "
            f"{'this run uses' if origin is None else f'{origin} is of'} {fingerprint.short}: "
            "their templates can't be compared",
            hint=way,
        )

    def _way_back(self, fingerprint: ModelFingerprint) -> str:
        """What makes a run with another fingerprint one with the gallery's."""
        if fingerprint == replace(self.fingerprint, flip=fingerprint.flip):
            way = "add --flip" if self.fingerprint.flip else "leave --flip out"
            return f"{way}, as when it was made"
        return "use the gallery's own model" + (
            "" if self.model is None else f" with -m {quoted(self.model)}"
        )

    @property
    def keeps_crops(self) -> bool:
        """Whether aligned faces are stored; chosen when the gallery was made."""
        return self._meta["crops"] == "kept"

    def require_crops(self, keep: bool | None) -> None:
        """Raise GalleryError when `keep` is not what was chosen when the gallery was made."""
        if keep in (None, self.keeps_crops):
            return
        chosen = "keeps" if self.keeps_crops else "keeps no"
        raise GalleryError(
            f"{self.directory}: {chosen} crops, as was chosen when it was made",
            hint="leave the option out, or make another gallery with -g",
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
            size=self.size,
            cache_size=cache.size_of(self.directory),
            keeps_crops=self.keeps_crops,
            crops=counts.crops,
            refusals=counts.refusals,
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
                raise self._nobody(subject)
            return reading.templates_of(self._connection, self._path, subject)

    def template(self, template_id: int) -> StoredTemplate:
        """Provenance of one template. Raises TemplateMissing."""
        with self._reading():
            known = 0 < template_id <= _LARGEST_ID
            found = reading.template(self._connection, self._path, template_id) if known else None
        if found is None:
            raise TemplateMissing(f"{self.directory}: there is no template {template_id}")
        return found

    def require_template(self, template_id: int) -> None:
        """Raise TemplateMissing unless there is a template of this number, whatever state it is in."""
        with self._reading():
            known = 0 < template_id <= _LARGEST_ID
            if not known or not reading.has_template(self._connection, template_id):
                raise TemplateMissing(f"{self.directory}: there is no template {template_id}")

    def templates(self) -> list[StoredTemplate]:
        """Provenance of every template, in id order."""
        with self._reading():
            return list(reading.all_templates(self._connection, self._path))

    def crop(self, template_id: int) -> bytes | None:
        """A template's aligned face as a PNG; None where none is kept."""
        with self._reading():
            return reading.crop(self._connection, self._path, template_id)

    def subject_names_of(self, content_sha256: str) -> list[str]:
        """Subjects that a photograph with this content is enrolled for, by name."""
        with self._reading():
            return reading.subject_names_of(self._connection, content_sha256)

    def enrolled_below(self, folder: Path) -> list[Enrolled]:
        """Templates whose photograph lies, or lay, below a folder."""
        with self._reading():
            return reading.enrolled_below(self._connection, self._path, _place(folder))

    def enrolled_from(self, content_sha256: str) -> list[Enrolled]:
        """Templates of photographs with this content."""
        with self._reading():
            return reading.enrolled_from(self._connection, self._path, content_sha256)

    def faces_from(self, content_sha256: str) -> list[tuple[int, str, BoundingBox]]:
        """Template id, subject and box of every face enrolled from a photograph with this content."""
        with self._reading():
            return list(reading.faces_of(self._connection, self._path, content_sha256))

    def refusals(self) -> list[Refusal]:
        """Every photograph that is remembered as unusable, by path."""
        with self._reading():
            return refusals.everything(self._connection, self._path)

    def refusals_of(self, name: str) -> list[Refusal]:
        """Photographs that are remembered as unusable for a person, enrolled or not, by path."""
        subject = subject_name(name)
        with self._reading():
            return refusals.of_subject(self._connection, self._path, subject)

    def refused_below(self, folder: Path) -> list[Refusal]:
        """What is remembered of photographs that lie, or lay, below a folder."""
        with self._reading():
            return refusals.below(self._connection, self._path, _place(folder))

    def refused_from(self, content_sha256: str) -> list[Refusal]:
        """What is remembered of photographs with this content."""
        with self._reading():
            return refusals.from_content(self._connection, self._path, content_sha256)

    def snapshot(
        self,
        kind: VectorType = VectorType.FLOAT32,
        *,
        cached_from: int = snapshots.CACHED_FROM,
        hurried: bool = False,
    ) -> Snapshot:
        """Every template with its subject, all of one moment, each checked.

        From `cached_from` templates on, the vectors come from a file beside the database, which is made or
        brought up to date if need be. Raises GalleryDamaged naming the template or subject that is broken.

        hurried: what lies in such a file is still being checked, while networks are loaded, say; whoever
        uses the vectors asks `Snapshot.settled` first.
        """
        anew = partial(_unhurried, self.directory, kind, cached_from) if hurried else None
        for _ in range(_LOOKS):
            with contextlib.suppress(snapshots.CacheNewerError), self._reading():
                return snapshots.take(self._moment, kind, cached_from, anew)
        with self._reading():  # somebody writes all the time: their cache is always ahead
            return snapshots.take(self._moment, kind, sys.maxsize)

    def entries(self) -> Iterator[NewTemplate]:
        """Every template as it would be enrolled anew, in id order, each row checked."""
        with self._reading():
            provenance = reading.all_templates(self._connection, self._path)
            for block in reading.blocks(self._connection, self._path, self.fingerprint.dimension):
                for template_id, feature in zip(block.ids.tolist(), block.features, strict=True):
                    stored = next(provenance)
                    png = reading.crop(self._connection, self._path, template_id)
                    yield stored.anew(feature, png)

    def needles_of(self, template_ids: Sequence[int], names: Sequence[str] = ()) -> list[proof.Needle]:
        """What `proof.traces` has to look for once these are removed, by `remove_templates`."""
        with self._reading():
            return proof.needles(self._connection, template_ids, [subject_name(name) for name in names])

    def findings(self) -> Iterator[Finding]:
        """What is wrong with the gallery's rows and caches; `check.folder_findings` looks at its files."""
        with self._reading():
            yield from check.findings(self._moment)

    def require_sound(self, hint: str = database.CHECK_HINT) -> None:
        """Raise GalleryDamaged, naming what is, unless every page and row is as it was written."""
        damage = self._first_damage()
        if damage is not None:
            error = database.damaged(self._path, damage)
            error.hint = hint
            raise error

    def _first_damage(self) -> str | None:
        with self._reading():
            found = next(check.database_findings(self._moment), None)
        return None if found is None else found.said

    @property
    def _moment(self) -> snapshots.Moment:
        return snapshots.Moment(self._connection, self._path, self.fingerprint, self._meta["gallery_id"])

    def _reading(self) -> AbstractContextManager[None]:
        return database.one_moment(self._connection, self._path)

    @property
    def size(self) -> int:
        """Bytes on disk, caches included."""
        files = sum(file.stat().st_size for file in self.directory.glob(f"{FILE_NAME}*"))
        return files + cache.size_of(self.directory)

    # --- writing ----------------------------------------------------------------------------

    def add(
        self, entries: Sequence[NewTemplate], *, replacing: Sequence[int] = (), now: datetime | None = None
    ) -> list[AddResult]:
        """Enrol a batch in one transaction: when this returns all of it is on disk, when it raises none is.

        Says for each entry, in order, whether it was added. The same face of the same photograph is stored
        once: boxes that overlap by half are one face. replacing: templates that go in the same transaction.
        Raises ValueError for a feature of another dimension.
        """
        self._check_dimensions(entries)
        created = _timestamp(datetime.now(UTC) if now is None else now)
        begun = self._unsaying if replacing else self._writing
        with begun(database.NOTHING_STORED):
            if replacing:
                writing.remove_templates(self._connection, replacing)
            results = [
                writing.add(self._connection, self._path, entry, created, keep_crop=self.keeps_crops)
                for entry in entries
            ]
            if replacing:
                self._note("remove", created)
            elif any(isinstance(result, Added) for result in results):
                self._note("add", created)
        return results

    def remove_templates(self, template_ids: Sequence[int], *, forgetting: Sequence[str] = ()) -> None:
        """Remove templates, with their features, crops and cached vectors, and whoever has none left.

        forgetting: people of whom no refused photograph is remembered any more either.
        """
        if not template_ids and not forgetting:
            return
        with self._unsaying("nothing was removed"):
            for name in forgetting:
                refusals.forget_subject(self._connection, subject_name(name))
            writing.remove_templates(self._connection, template_ids)
            # Whoever has templates went with them; one whom damage left without any goes by name.
            known = [reading.subject_id(self._connection, subject_name(name)) for name in forgetting]
            left = [subject_id for subject_id in known if subject_id is not None]
            for subject_id in left:
                writing.drop_if_empty(self._connection, subject_id)
            if template_ids or left:
                self._note("remove")

    def remember_refusals(self, noted: Sequence[Refusal], forgotten: Sequence[bytes] = ()) -> None:
        """Remember photographs as unusable, and forget what was remembered of some paths.

        It is no change of the gallery: who is enrolled stays as it is, and so does the generation.
        """
        if not noted and not forgotten:
            return
        created = _timestamp(datetime.now(UTC))
        with self._writing():
            refusals.forget(self._connection, forgotten)
            for refusal in noted:
                refusals.note(self._connection, refusal, created)

    def rename(self, old: str, new: str, *, mend: bool = False) -> None:
        """Give a subject another name. Raises SubjectMissing, and SubjectExists for a name that is taken.

        mend: a stored name or time that fails its checksum, which is else refused as GalleryDamaged, is
        written anew; the new name may then be the old one.
        """
        before, name = subject_name(old), subject_name(new)
        with self._unsaying():
            known = reading.subject_id(self._connection, before)
            if known is None:
                raise self._nobody(before)
            if reading.subject_id(self._connection, name) not in (None, known):
                raise SubjectExists(
                    f"{self.directory}: somebody is enrolled as {name!r} already",
                    hint="choose another; if both are one person, merge them then"
                    if mend
                    else f"if both are one person: {command('arcface gallery merge', old, into=name)}",
                )
            (writing.mend_subject if mend else writing.rename)(self._connection, self._path, known, name)
            refusals.give_to(self._connection, self._path, before, name)
            self._note("rename")

    def merge(self, sources: Sequence[str], into: str) -> int:
        """Give the templates of some subjects to another; how many there were. Raises SubjectMissing."""
        with self._unsaying():
            target = self._subject_id(into)
            owners = [self._subject_id(name) for name in sources]
            ids = [i for owner in owners if owner != target for i in self._ids_of(owner)]
            for template_id in ids:
                writing.relabel(self._connection, self._path, template_id, target)
            for name in sources:
                refusals.give_to(self._connection, self._path, subject_name(name), subject_name(into))
            if ids:
                self._note("relabel")
        return len(ids)

    def relabel(self, moves: Sequence[tuple[int, str]], paths: Sequence[tuple[int, bytes]] = ()) -> None:
        """Give templates to other subjects, made if need be, and note where photographs lie now."""
        created = _timestamp(datetime.now(UTC))
        with self._unsaying() if moves else self._writing():
            for template_id, path in paths:
                writing.move(self._connection, self._path, template_id, path)
            for template_id, subject in moves:
                owner = writing.subject_id(self._connection, self._path, subject_name(subject), created)
                writing.relabel(self._connection, self._path, template_id, owner)
            if moves or paths:
                self._note("relabel" if moves else "rename", created)

    def reembed(
        self,
        features: Mapping[int, NDArray[np.float32]],
        fingerprint: ModelFingerprint,
        model: str | None,
        seen: int,
    ) -> None:
        """Replace every feature by one of another model, in one transaction; templates without one go.

        seen: the generation that the features were made from. Raises GalleryLocked when it has passed.
        """
        with self._unsaying():
            if reading.generation(self._connection, self._path) != seen:
                raise GalleryLocked(f"{self.directory}: was changed meanwhile", hint="run this again")
            ids = [row[0] for row in self._connection.execute("SELECT id FROM templates").fetchall()]
            writing.remove_templates(self._connection, [i for i in ids if i not in features])
            for template_id, feature in features.items():
                writing.put_feature(self._connection, template_id, feature.astype("<f4").tobytes())
            named = {} if model is None else {"model": model}
            writing.put_meta(self._connection, self._path, _model_meta(fingerprint) | named)
            self._note("reembed")
        self._meta = reading.meta(self._connection, self._path)
        self.fingerprint = fingerprint

    def compact(self) -> None:
        """Give back the space of what was removed, and make every index anew.

        Deletes what can be made again (caches, broken refusals) and what is of no use: features and crops
        without a template. Raises GalleryDamaged, and changes nothing, where pages of rows are broken.
        """
        self._forget_caches()
        with self._writing():
            moving.reindex(self._connection, self._path)
            refusals.forget(self._connection, list(refusals.broken(self._connection)))
            writing.remove_templates(self._connection, reading.without_template(self._connection))
        moving.compact(self._connection, self._path)

    def export(self, target: Path) -> None:
        """Write all of it, as of one moment, into one new file. Others may go on using the gallery.

        Raises GalleryDamaged, and leaves no file, unless every row of what was written is sound.
        """
        moving.export(self._connection, self._path, target, self._examine)

    def _examine(self, copy: Path) -> None:
        try:
            with Gallery.open_exported(copy) as made:
                damage = made._first_damage()
        except GalleryDamaged as error:
            raise database.damaged(self._path, "a copy of it can't be read; nothing was exported") from error
        if damage is not None:
            raise database.damaged(self._path, f"{damage}; nothing was exported")

    def empty_log(self) -> bool:
        """Leave nothing in the write-ahead log; False while another process reads from it."""
        return moving.empty_log(self._connection, self._path)

    @contextlib.contextmanager
    def _writing(self, undone: str = "nothing was changed") -> Iterator[None]:
        """One transaction, with a note of who holds the lock. undone: said when it can't be written."""
        with (
            database.translated(self._path, undone=undone),
            database.transaction(self._connection, self._path),
            writer_note.left_in(self.directory),
        ):
            yield
        database.restart_long_log(self._connection, self._path)

    @contextlib.contextmanager
    def _unsaying(self, undone: str = "nothing was changed") -> Iterator[None]:
        """One transaction after which a vector or a name that caches hold is true no more: they go with it.

        Before the commit, so that no crash leaves them behind; and after it, as a search may have made one
        anew from the state that was still in force.
        """
        with self._writing(undone):
            yield
            self._forget_caches()
        self._forget_caches()

    def _note(self, kind: str, created: str | None = None) -> None:
        database.note_change(
            self._connection, kind, _timestamp(datetime.now(UTC)) if created is None else created
        )

    def _forget_caches(self) -> None:
        try:
            cache.forget(self.directory)
        except OSError as error:
            raise OutputError(
                f"{self.directory / cache.FOLDER}: can't be deleted: {error.strerror}",
                hint="delete this folder, then run this again: it may hold what is to go",
            ) from error

    def _subject_id(self, name: str) -> int:
        known = reading.sound_subject_id(self._connection, self._path, subject_name(name))
        if known is None:
            raise self._nobody(name)
        return known

    def _nobody(self, name: str) -> SubjectMissing:
        return SubjectMissing(f"{self.directory}: nobody is enrolled as {name!r}")

    def _ids_of(self, owner: int) -> list[int]:
        rows = self._connection.execute("SELECT id FROM templates WHERE subject_id = ? ORDER BY id", (owner,))
        return [template_id for (template_id,) in rows.fetchall()]

    def _check_dimensions(self, entries: Sequence[NewTemplate]) -> None:
        dimension = self.fingerprint.dimension
        for entry in entries:
            if entry.feature.shape != (dimension,):
                raise ValueError(f"this gallery holds features ({dimension},), not {entry.feature.shape}")


def _place(folder: Path) -> bytes:
    """A folder's path as those of photographs are stored: absolute, without . and .."""
    return os.path.abspath(os.fsencode(folder))  # noqa: PTH100 - Path.absolute leaves .. in


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _first_meta(
    fingerprint: ModelFingerprint, model: str | None, detector: str | None, *, keep_crops: bool
) -> dict[str, str]:
    meta = _model_meta(fingerprint) | {
        "gallery_id": secrets.token_hex(16),
        "crops": "kept" if keep_crops else "none",
        "created": _timestamp(datetime.now(UTC)),
        "arcface_version": __version__,
    }
    names = {"model": model, "detector": detector}
    meta |= {key: name for key, name in names.items() if name is not None}
    return meta | {checksums.META_KEY: checksums.of_meta(meta)}


def _model_meta(fingerprint: ModelFingerprint) -> dict[str, str]:
    return {
        "recogniser_sha256": fingerprint.recogniser_sha256,
        "preprocessing": fingerprint.preprocessing,
        "alignment": fingerprint.alignment,
        "dimension": str(fingerprint.dimension),
        "flip": str(int(fingerprint.flip)),
    }


_IN_THE_WAY = (FileExistsError, NotADirectoryError)
_NO_FOLDER = "a file lies where a folder is needed: name another with -g"


def _make(directory: Path, fill: Callable[[Path], None]) -> None:
    """Make a gallery's folder and file. Where that fails, folders that weren't there are gone again."""
    made = [each for each in (directory, *directory.parents) if not os.path.lexists(each)]
    try:
        _make_folder(directory)
        database.create(directory / FILE_NAME, fill)
    except BaseException as error:
        for each in made:
            with contextlib.suppress(OSError):  # somebody else is at work in it
                each.rmdir()
        if isinstance(error, FileExistsError):
            raise GalleryError(
                f"{directory}: holds a gallery already", hint="name another folder with -g"
            ) from None
        raise


def _make_folder(directory: Path) -> None:
    """Make the folder, for its owner only. One that is there must be empty, and is closed to others."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        foreign = _holds_other_files(directory)
        if not foreign and directory.stat().st_uid == os.geteuid():
            directory.chmod(0o700)
    except OSError as error:
        raise _no_place(directory, error) from error
    if foreign:
        raise _foreign(directory)


def _require_room(directory: Path) -> None:
    """Raise what `_make_folder` would for a folder that is there, and change nothing."""
    try:
        foreign = os.path.lexists(directory) and _holds_other_files(directory)
    except OSError as error:
        raise _no_place(directory, error) from error
    if foreign:
        raise _foreign(directory)


def _holds_other_files(directory: Path) -> bool:
    """Whether there is anything but a gallery in a folder."""
    own = database.TEMPORARY_PREFIX
    other = any(not entry.name.startswith(own) for entry in directory.iterdir())
    return other and not os.path.lexists(directory / FILE_NAME)


def _no_place(directory: Path, error: OSError) -> OutputError:
    in_the_way = isinstance(error, _IN_THE_WAY)
    return OutputError(
        f"{directory}: can't be made a gallery: {error.strerror}",
        hint=_NO_FOLDER if in_the_way else "name a folder that this user can write with -g",
    )


def _foreign(directory: Path) -> GalleryMissing:
    return GalleryMissing(
        f"{directory}: holds other files and no gallery", hint="name an empty or a new folder with -g"
    )


def _unhurried(directory: Path, kind: VectorType, cached_from: int) -> Snapshot:
    with Gallery.open(directory) as gallery:
        return gallery.snapshot(kind, cached_from=cached_from)
