"""Vectors beside the database, ready to be mapped into memory: a copy that can be deleted at any time.

The database is the truth. A cache names the gallery, the generation and the generation's token that it was
made from, and carries checksums of all it holds; what does not fit is not used. See docs/gallery-format.md.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import mmap
import os
import secrets
import threading
import time
import unicodedata
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import InvalidSubjectName
from arcface_cli.gallery.entries import MAX_NAME_LENGTH, places_among, subject_name
from arcface_cli.gallery.vectors import StoredVectors, VectorType

FOLDER = "index"
VERSION = 2
IS_A_LINK = "it is a link, which is not followed"

ROW = np.dtype([("id", "<i8"), ("subject", "<i8"), ("sum", "<u8"), ("scale", "<f4")])
"""What stands beside each vector: its template, its subject, the sum of its words, its scale (int8)."""

Subjects = tuple[NDArray[np.int64], tuple[str, ...]]
"""Ids (S,) ascending, and names."""

_CHECKED_AT_ONCE = 4 * 1024 * 1024  # bytes of vectors
_TRIES = 3
_LOCK_TIMEOUT = 60.0  # seconds: another process may be making the same cache
_LOCK_PAUSE = 0.02


class CacheError(Exception):
    """The cache is missing, of something else, or damaged; why is said in the message."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a cache says of itself. rows_crc, names_crc: CRC-32 of the `count` rows, and of the names."""

    version: int
    gallery_id: str
    fingerprint: str
    dimension: int
    count: int
    generation: int
    token: str
    vectors: str
    rows: str
    rows_crc: int
    subject_count: int
    names: str
    names_crc: int

    def written(self) -> bytes:
        """One line of JSON and one with its CRC-32."""
        text = json.dumps(asdict(self)).encode()
        return text + f"\n{zlib.crc32(text):08x}\n".encode()

    @classmethod
    def read(cls, data: bytes) -> Head:
        """Raises CacheError for anything that `written` did not write."""
        text, _, check = data.partition(b"\n")
        if check != f"{zlib.crc32(text):08x}\n".encode():
            raise CacheError("its head is damaged")
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise CacheError("its head is of another version") from error


@dataclass(frozen=True, slots=True, eq=False)
class CachedVectors:
    """A cache that was read and found sound, but for its vectors, which `check` answers for.

    rows: (N,) `ROW`.  subject_rows: (N,) int64, the place of each template's subject in `subjects`.
    """

    head: Head
    rows: NDArray[np.void]
    vectors: StoredVectors
    subjects: Subjects
    subject_rows: NDArray[np.int64]
    sums: _Sums

    def check(self) -> None:
        """Wait until every vector was read and compared with its checksum. Raises CacheError, OSError."""
        if not np.array_equal(self.rows["sum"][self.sums.start :], self.sums.all()):
            raise CacheError("a vector differs from its checksum")


class VectorCache:
    """The cache of one gallery in one vector type."""

    def __init__(
        self, gallery: Path, kind: VectorType, gallery_id: str, fingerprint: str, dimension: int
    ) -> None:
        self._folder = gallery / FOLDER
        self._kind = kind
        self._gallery_id = gallery_id
        self._fingerprint = fingerprint
        self._dimension = dimension

    @property
    def exists(self) -> bool:
        """Whether there is one, sound or not."""
        return self._head_path.exists()

    def load(self, known: CachedVectors | None = None, *, unchecked: bool = False) -> CachedVectors:
        """Map the vectors and check them against their checksums. Raises CacheError.

        known: an earlier state of the same file, whose vectors were checked.  unchecked: don't wait for
        vectors to be checked: `CachedVectors.check` does.
        """
        for _ in range(_TRIES):
            try:
                cached = self._load(self.head(), known)
                if not unchecked:
                    cached.check()
                return cached
            except FileNotFoundError:
                continue  # replaced between two looks: look again
            except OSError as error:
                raise CacheError(f"can't be read: {error.strerror}") from error
        raise CacheError("its files are missing")

    def head(self) -> Head:
        """What the cache says of itself, if it is one of this gallery. Raises CacheError."""
        try:
            _require_own(self._folder)
            head = Head.read(self._head_path.read_bytes())
        except FileNotFoundError:
            raise CacheError("there is none") from None
        except OSError as error:
            raise CacheError(f"can't be read: {error.strerror}") from error
        ours = (VERSION, self._gallery_id, self._fingerprint, self._dimension)
        if (head.version, head.gallery_id, head.fingerprint, head.dimension) != ours:
            raise CacheError("it is of another gallery, model or version")
        return head

    def _load(self, head: Head, known: CachedVectors | None) -> CachedVectors:
        path, row_size = self._folder / head.vectors, self._dimension * self._kind.dtype.itemsize
        sure = 0 if known is None or known.head.vectors != head.vectors else known.head.count
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < head.count * row_size:
                raise CacheError("vectors are missing")
            codes = self._mapped(file.fileno(), head.count)
        sums = _Sums(path, row_size, range(sure, head.count))
        rows = self._rows(head)  # this and the names while others wait for the disk
        subjects = self._subjects(head)
        subject_rows = _places(subjects[0], np.ascontiguousarray(rows["subject"]))
        scales = np.ascontiguousarray(rows["scale"]) if self._kind is VectorType.INT8 else None
        return CachedVectors(head, rows, StoredVectors(codes, scales), subjects, subject_rows, sums)

    def _rows(self, head: Head) -> NDArray[np.void]:
        data = (self._folder / head.rows).read_bytes()[: head.count * ROW.itemsize]
        if len(data) != head.count * ROW.itemsize or zlib.crc32(data) != head.rows_crc:
            raise CacheError("its rows are damaged")
        rows: NDArray[np.void] = np.frombuffer(data, dtype=ROW)
        return rows

    def _subjects(self, head: Head) -> Subjects:
        data = (self._folder / head.names).read_bytes()
        if zlib.crc32(data) != head.names_crc:
            raise CacheError("its names are damaged")
        try:
            ids = np.frombuffer(data, dtype="<i8", count=head.subject_count)
            names = tuple(data[ids.nbytes :].decode().split("\n")[:-1])
            if len(names) == len(ids) and _are_names(names):
                return ids, names
        except (ValueError, InvalidSubjectName) as error:
            raise CacheError("its names are none of ours") from error
        raise CacheError("its names are none of ours")

    def _mapped(self, descriptor: int, count: int) -> NDArray[np.generic]:
        dtype = self._kind.dtype
        if count == 0:
            return np.empty((0, self._dimension), dtype=dtype)
        size = count * self._dimension * dtype.itemsize
        mapped = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, dtype=dtype).reshape(count, self._dimension)

    # --- writing: always under `locked` ---------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who changes caches of this gallery. Raises OSError where that can't be."""
        _require_own(self._folder)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = _lock_file(self._folder)
        try:
            _wait_for(descriptor)
            yield
        finally:
            os.close(descriptor)

    def make(
        self,
        blocks: Iterator[tuple[NDArray[np.int64], NDArray[np.int64], StoredVectors]],
        subjects: Subjects,
        generation: int,
        token: str,
    ) -> None:
        """Write anew from (ids, subject ids, vectors) blocks. Until its head is there, the old one stands."""
        stem = f"{self._kind}-{secrets.token_hex(4)}"
        names = (f"{stem}.vectors", f"{stem}.rows")
        try:
            count, crc = self._append(names, 0, 0, blocks)
        except BaseException:
            for name in names:
                (self._folder / name).unlink(missing_ok=True)
            raise
        self._publish(self._head(count, generation, token, names, crc, subjects))

    def extend(
        self,
        head: Head,
        blocks: Iterator[tuple[NDArray[np.int64], NDArray[np.int64], StoredVectors]],
        subjects: Subjects,
        generation: int,
        token: str,
    ) -> None:
        """Add vectors behind those that are there; what a killed process left behind them is written over."""
        names = (head.vectors, head.rows)
        count, crc = self._append(names, head.count, head.rows_crc, blocks)
        self._publish(self._head(count, generation, token, names, crc, subjects))

    def _append(
        self,
        names: tuple[str, str],
        count: int,
        crc: int,
        blocks: Iterator[tuple[NDArray[np.int64], NDArray[np.int64], StoredVectors]],
    ) -> tuple[int, int]:
        """Write blocks behind `count` vectors; the new count and the CRC-32 of all rows."""
        row_size = self._dimension * self._kind.dtype.itemsize
        with _create(self._folder / names[0]) as vectors_file, _create(self._folder / names[1]) as rows_file:
            for ids, subjects, vectors in blocks:
                rows = np.zeros(len(ids), dtype=ROW)
                rows["id"], rows["subject"], rows["sum"] = ids, subjects, _word_sums(vectors.codes)
                rows["scale"] = 1.0 if vectors.scales is None else vectors.scales
                _write_at(vectors_file, np.ascontiguousarray(vectors.codes).tobytes(), count * row_size)
                _write_at(rows_file, rows.tobytes(), count * ROW.itemsize)
                crc = zlib.crc32(rows.tobytes(), crc)
                count += len(ids)
        return count, crc

    def _head(
        self, count: int, generation: int, token: str, names: tuple[str, str], crc: int, subjects: Subjects
    ) -> Head:
        """Of files that are written, but for the names' one, which this writes."""
        name = f"{self._kind}-{secrets.token_hex(4)}.names"
        ids, people = subjects
        data = ids.astype("<i8").tobytes() + "".join(f"{each}\n" for each in people).encode()
        with _create(self._folder / name) as descriptor:
            _write_at(descriptor, data, 0)
        known = (VERSION, self._gallery_id, self._fingerprint, self._dimension)
        return Head(*known, count, generation, token, *names, crc, len(ids), name, zlib.crc32(data))

    def _publish(self, head: Head) -> None:
        """Replace the head in one step, then drop the files that no head names any more."""
        temporary = self._head_path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        with _create(temporary) as descriptor:
            _write_at(descriptor, head.written(), 0)
        temporary.replace(self._head_path)
        for path in self._folder.glob(f"{self._kind}-*"):
            if path.name not in (head.vectors, head.rows, head.names):
                path.unlink(missing_ok=True)

    @property
    def _head_path(self) -> Path:
        return self._folder / f"{self._kind}.head"


def forget(gallery: Path) -> None:
    """Delete every cache of a gallery. Raises OSError where that can't be.

    A search that goes on meanwhile in another process keeps the files it has open until it ends.
    """
    folder = gallery / FOLDER
    _require_own(folder)
    if not folder.is_dir():
        return
    descriptor = _lock_file(folder)
    try:
        _wait_for(descriptor)
        for path in sorted(folder.iterdir()):
            if path.name != "lock":
                path.unlink()
    finally:
        os.close(descriptor)


def size_of(gallery: Path) -> int:
    """Bytes of all caches of a gallery."""
    folder = gallery / FOLDER
    if folder.is_symlink() or not folder.is_dir():
        return 0
    return sum(path.lstat().st_size for path in folder.iterdir())


def _require_own(folder: Path) -> None:
    """Raise OSError for a link: no vector leaves its gallery that way, nor is anything deleted there."""
    if folder.is_symlink():
        raise OSError(errno.ELOOP, IS_A_LINK, str(folder))


def _lock_file(folder: Path) -> int:
    return os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _wait_for(descriptor: int) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOCK_PAUSE)


@contextlib.contextmanager
def _create(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _word_sums(rows: NDArray[np.generic]) -> NDArray[np.uint64]:
    """(N,) sum modulo 2^64 of each row's bytes, read as 64-bit words where they are a whole number of those.

    Any flipped bit changes it, and so does a missing or a zeroed page; adding is as fast as reading.
    """
    row_size = rows.shape[1] * rows.dtype.itemsize
    word = np.uint64 if row_size % 8 == 0 else np.uint8
    words = np.ascontiguousarray(rows).view(word)
    sums: NDArray[np.uint64] = words.sum(axis=1, dtype=np.uint64)
    return sums


class _Sums:
    """The sums of the vectors at some places of a file, read by threads while other work goes on.

    Nobody waits for them when the process ends before they are wanted.
    """

    def __init__(self, path: Path, row_size: int, places: range) -> None:
        self.start = places.start
        # A file open for each half: the system reads ahead best where each is read from front to back.
        self._halves = [_begun(path.open("rb", buffering=0), row_size, half) for half in _halves(places)]

    def all(self) -> NDArray[np.uint64]:
        """(N,), once they are there. Raises CacheError where the file ends early, OSError."""
        return np.concatenate([half.result() for half in self._halves])


def _begun(file: FileIO, row_size: int, places: range) -> Future[NDArray[np.uint64]]:
    sums: Future[NDArray[np.uint64]] = Future()

    def read() -> None:
        try:
            sums.set_result(_sums_read(file, row_size, places))
        except BaseException as error:  # raised by whoever asks for the sums
            sums.set_exception(error)

    threading.Thread(target=read, name="checksum", daemon=True).start()
    return sums


def _sums_read(file: FileIO, row_size: int, places: range) -> NDArray[np.uint64]:
    """The sums of some vectors; closes the file. Raises CacheError where it ends early, OSError.

    They are read into a buffer: of a broken disk that is an error, where a mapped page would end us.
    """
    step = max(1, _CHECKED_AT_ONCE // row_size)
    spare = np.empty((step, row_size), dtype=np.uint8)
    sums = np.empty(len(places), dtype=np.uint64)
    with file:
        file.seek(places.start * row_size)
        for start in range(0, len(places), step):
            rows = spare[: min(step, len(places) - start)]
            if _read_into(rows.data.cast("B"), file) < rows.size:
                raise CacheError("vectors are missing")
            sums[start : start + len(rows)] = _word_sums(rows)
    return sums


def _halves(places: range) -> tuple[range, range]:
    middle = (places.start + places.stop) // 2
    return range(places.start, middle), range(middle, places.stop)


def _places(subject_ids: NDArray[np.int64], owners: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) where in the ascending ids each owner stands. Raises CacheError for one that doesn't."""
    places = places_among(subject_ids, owners)
    if (places < 0).any():
        raise CacheError("a subject is missing")
    return places


def _are_names(names: tuple[str, ...]) -> bool:
    """Whether `subject_name` would leave each as it is: asked of all together, or one by one in doubt."""
    text = "".join(names)
    if text.isprintable() and unicodedata.is_normalized("NFC", text):
        return all(map(str.strip, names)) and max(map(len, names), default=0) <= MAX_NAME_LENGTH
    return all(subject_name(name) == name for name in names)


def _read_into(view: memoryview, file: FileIO) -> int:
    """Fill a buffer; how many bytes there were."""
    done = 0
    while done < len(view) and (count := file.readinto(view[done:])):
        done += count
    return done
