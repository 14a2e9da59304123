"""Templates of photographs seen before, by content: a cache that may be deleted at any time.

One SQLite file in the user's cache folder. A row is found by the SHA-256 of the photograph and the SHA-256 of
everything that decides what becomes of it (networks, settings): equal keys, equal templates.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import OutputError
from arcface_cli.gallery.entries import has_unit_length

FILE_NAME = "templates.sqlite3"
FORMAT = 1
_ROWS_AT_ONCE = 500
_LANDMARKS = 5 * 2


@dataclass(frozen=True, slots=True, eq=False)
class CachedFace:
    """What became of one photograph: a template, or why there is none.

    feature: (D,) float32 unit vector or None.  landmarks: (5, 2) float32 pixels or None.  reason: a reason
    code such as "no_face", where there is no template.
    """

    feature: NDArray[np.float32] | None
    landmarks: NDArray[np.float32] | None
    reason: str | None = None


class TemplateCache:
    """Use it in a `with` statement. A file that is damaged, or of another format, is begun anew.

    folder: where it lies; None keeps it in memory. Raises OutputError where it can't be written.
    """

    def __init__(self, folder: Path | None, dimension: int) -> None:
        self._path = ":memory:" if folder is None else str(folder / FILE_NAME)
        self._dimension = dimension
        if folder is not None:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{folder}: can't be made: {error.strerror}") from error
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError as error:
            if folder is None:
                raise
            if isinstance(error, sqlite3.OperationalError) and "lock" not in str(error):
                raise OutputError(f"{self._path}: can't be opened ({error})") from error
            self._begin_anew(folder)
            self._connection = self._open()

    def __enter__(self) -> TemplateCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=30.0)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, FORMAT):
                raise sqlite3.DatabaseError("another format")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS templates (content BLOB NOT NULL, view BLOB NOT NULL, "
                "feature BLOB, landmarks BLOB, reason TEXT, PRIMARY KEY (content, view))"
            )
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin_anew(self, folder: Path) -> None:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                (folder / f"{FILE_NAME}{suffix}").unlink()

    def find(self, contents: Sequence[str], view: str) -> dict[str, CachedFace]:
        """What is known of photographs, by the hexadecimal SHA-256 of their content; rows that are not
        sound are left out."""
        found: dict[str, CachedFace] = {}
        wanted = sorted(set(contents))
        for start in range(0, len(wanted), _ROWS_AT_ONCE):
            part = [bytes.fromhex(each) for each in wanted[start : start + _ROWS_AT_ONCE]]
            marks = ",".join("?" * len(part))
            with contextlib.suppress(sqlite3.DatabaseError):  # a damaged page: as if nothing were known
                rows = self._connection.execute(
                    f"SELECT content, feature, landmarks, reason FROM templates "
                    f"WHERE view = ? AND content IN ({marks})",
                    [bytes.fromhex(view), *part],
                ).fetchall()
                for content, *columns in rows:
                    face = self._sound(*columns)
                    if face is not None:
                        found[content.hex()] = face
        return found

    def _sound(self, feature: object, landmarks: object, reason: object) -> CachedFace | None:
        if isinstance(reason, str) and feature is None:
            return CachedFace(None, None, reason)
        if not isinstance(feature, bytes) or len(feature) != 4 * self._dimension:
            return None
        vector = np.frombuffer(feature, "<f4").astype(np.float32)
        if not has_unit_length(vector[np.newaxis]).all():
            return None
        points = None
        if isinstance(landmarks, bytes) and len(landmarks) == 4 * _LANDMARKS:
            points = np.frombuffer(landmarks, "<f4").astype(np.float32).reshape(5, 2)
        return CachedFace(vector, points)

    def store(self, faces: Mapping[str, CachedFace] | Iterable[tuple[str, CachedFace]], view: str) -> None:
        """Remember, in one transaction. Raises OutputError when the disk is full."""
        pairs = faces.items() if isinstance(faces, Mapping) else faces
        key = bytes.fromhex(view)
        rows = [
            (
                bytes.fromhex(content),
                key,
                None if face.feature is None else face.feature.astype("<f4").tobytes(),
                None if face.landmarks is None else face.landmarks.astype("<f4").tobytes(),
                face.reason,
            )
            for content, face in pairs
        ]
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO templates VALUES (?, ?, ?, ?, ?)", rows)
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"{self._path}: can't be written ({error})", hint="free some space, or use --no-cache"
            ) from error
