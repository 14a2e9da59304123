"""A gallery as it stands at one moment: from the database, or from a cache that provably holds the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import ModelFingerprint
from arcface_cli.gallery import database, reading
from arcface_cli.gallery.cache import CachedVectors, CacheError, Subjects, VectorCache
from arcface_cli.gallery.entries import Snapshot
from arcface_cli.gallery.schema import REWRITING_KINDS
from arcface_cli.gallery.vectors import StoredVectors, VectorType, stored_as

CACHED_FROM = 20_000
"""Templates from which vectors are kept ready beside the database; fewer are read from it in 0.2 s."""


class CacheNewerError(Exception):
    """Somebody has changed the gallery since our moment: look again."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An open gallery inside one read transaction."""

    connection: sqlite3.Connection
    path: Path
    fingerprint: ModelFingerprint
    gallery_id: str

    def cache(self, kind: VectorType) -> VectorCache:
        """The cache of this gallery in one type, there or not."""
        return VectorCache(
            self.path.parent, kind, self.gallery_id, self.fingerprint.canonical, self.fingerprint.dimension
        )


def take(
    moment: Moment,
    kind: VectorType,
    cached_from: int = CACHED_FROM,
    anew: Callable[[], Snapshot] | None = None,
) -> Snapshot:
    """Every template with its subject. Raises GalleryDamaged naming the broken row, CacheNewerError.

    anew: where that is given, vectors of a cache may still be being checked (see `Snapshot.settled`); it
    takes a snapshot without such haste.
    """
    cached = _cached(moment, kind, unchecked=anew is not None) if _highest_id(moment) >= cached_from else None
    generation = reading.generation(moment.connection, moment.path)
    if cached is not None:
        ids = np.ascontiguousarray(cached.rows["id"])
        rows, names = cached.subject_rows, cached.subjects[1]
        another = None if anew is None else lambda: None if _is_sound(cached) else anew()
        return Snapshot(ids, cached.vectors, rows, names, moment.fingerprint, generation, another)
    ids, owners, vectors = _from_database(moment, kind)
    subject_ids, names = _subjects(moment)
    rows = reading.subject_rows(owners, subject_ids, ids, moment.path)
    return Snapshot(ids, vectors, rows, names, moment.fingerprint, generation)


def _subjects(moment: Moment) -> Subjects:
    return reading.subject_table(moment.connection, moment.path)


def _highest_id(moment: Moment) -> int:
    """As good as the number of templates for choosing where to read them, and found without counting."""
    (highest,) = moment.connection.execute("SELECT coalesce(max(id), 0) FROM templates").fetchone()
    return int(highest)


def _from_database(
    moment: Moment, kind: VectorType
) -> tuple[NDArray[np.int64], NDArray[np.int64], StoredVectors]:
    dimension = moment.fingerprint.dimension
    (count,) = moment.connection.execute("SELECT count(*) FROM templates").fetchone()
    ids, owners = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    codes = np.empty((count, dimension), dtype=kind.dtype)
    scales = np.empty(count, dtype=np.float32) if kind is VectorType.INT8 else None
    start = 0
    for block in reading.blocks(moment.connection, moment.path, dimension):
        part = slice(start, start + len(block.ids))
        vectors = stored_as(kind, block.features)
        ids[part], owners[part], codes[part] = block.ids, block.subject_ids, vectors.codes
        if scales is not None and vectors.scales is not None:
            scales[part] = vectors.scales
        start += len(block.ids)
    if start != count:
        raise database.damaged(moment.path, f"it counts {count} templates and shows {start}")
    return ids, owners, StoredVectors(codes, scales)


def _cached(moment: Moment, kind: VectorType, *, unchecked: bool = False) -> CachedVectors | None:
    """A cache brought up to date; None where there can't be one: a read-only folder, a full disk."""
    cache = moment.cache(kind)
    cached = _loaded(cache, unchecked=unchecked)
    if cached is not None and _is_current(moment, cached):
        return cached
    if unchecked and cached is not None and not _is_sound(cached):
        cached = None
    try:
        with cache.locked():
            return _renewed(moment, kind, cache, cached)
    except OSError:
        return None


def _loaded(
    cache: VectorCache, known: CachedVectors | None = None, *, unchecked: bool = False
) -> CachedVectors | None:
    """The cache if it is sound; one that is not is made anew, so why it is not matters to `check` alone."""
    try:
        return cache.load(known, unchecked=unchecked)
    except CacheError:
        return None


def _is_sound(cached: CachedVectors) -> bool:
    try:
        cached.check()
    except (CacheError, OSError):
        return False
    return True


def _is_current(moment: Moment, cached: CachedVectors) -> bool:
    return (cached.head.generation, cached.head.token) == reading.last_change(moment.connection, moment.path)


def _renewed(
    moment: Moment, kind: VectorType, cache: VectorCache, known: CachedVectors | None
) -> CachedVectors:
    """The cache after appending or making it anew, whichever is the least that will do."""
    generation, token = reading.last_change(moment.connection, moment.path)
    cached = _loaded(cache, known)
    if cached is not None and _is_current(moment, cached):
        return cached  # another process was faster
    if cached is not None and cached.head.generation > generation:
        raise CacheNewerError
    if cached is None or not _extend(moment, kind, cache, cached):
        cache.make(_encoded(moment, kind, 0), _subjects(moment), generation, token)
    try:
        return cache.load(cached)
    except CacheError as error:  # what was just written does not read back: the disk is to blame
        raise OSError(f"the cache can't be read back: {error}") from error


def _extend(moment: Moment, kind: VectorType, cache: VectorCache, cached: CachedVectors) -> bool:
    """Bring a cache of an earlier generation up to date; False when its vectors are of no use."""
    kinds = reading.kinds_since(moment.connection, cached.head.generation, cached.head.token)
    if kinds is None or kinds.intersection(REWRITING_KINDS):
        return False
    generation, token = reading.last_change(moment.connection, moment.path)
    last = int(cached.rows["id"][-1]) if len(cached.rows) else 0
    cache.extend(cached.head, _encoded(moment, kind, last), _subjects(moment), generation, token)
    return True


def _encoded(
    moment: Moment, kind: VectorType, after: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], StoredVectors]]:
    dimension = moment.fingerprint.dimension
    for block in reading.blocks(moment.connection, moment.path, dimension, after=after):
        yield block.ids, block.subject_ids, stored_as(kind, block.features)


def cache_problem(moment: Moment, kind: VectorType) -> str | None:
    """What is wrong with a cache, compared vector by vector with the database; None when nothing is.

    One that is merely behind is sound as far as it goes. Raises GalleryDamaged for the database itself.
    """
    cache = moment.cache(kind)
    if not cache.exists:
        return None
    try:
        cached = cache.load()
    except CacheError as error:
        return str(error)
    kinds = reading.kinds_since(moment.connection, cached.head.generation, cached.head.token)
    if kinds is None:
        return "it is of a state that this gallery never had"
    if kinds.intersection(REWRITING_KINDS):
        return None  # it will be made anew before it is used
    if "rename" not in kinds and not _same_people(_subjects(moment), cached.subjects):
        return "a name is not the database's"
    return None if _same_as_database(moment, kind, cached) else "a vector is not the database's"


def _same_people(all_now: Subjects, then: Subjects) -> bool:
    """Whether all who were there then are there now: people come, and with a `remove` they go."""
    (ids, names), (ids_then, names_then) = all_now, then
    count = len(ids_then)
    return np.array_equal(ids[:count], ids_then) and names[:count] == names_then


def _same_as_database(moment: Moment, kind: VectorType, cached: CachedVectors) -> bool:
    start = 0
    for ids, owners, vectors in _encoded(moment, kind, 0):
        count = min(len(ids), len(cached.rows) - start)
        part = slice(start, start + count)
        rows = cached.rows[part]
        same = np.array_equal(rows["id"], ids[:count]) and np.array_equal(rows["subject"], owners[:count])
        if not same or not np.array_equal(cached.vectors.codes[part], vectors.codes[:count]):
            return False
        start += count
        if start == len(cached.rows):
            return True
    return start == len(cached.rows)
