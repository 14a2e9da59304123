"""A file over HTTP: streamed, hashed on the way, and taken up again where it was cut off."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from arcface_cli.errors import DownloadFailed
from arcface_cli.weights.archives import SIZE_LIMIT
from arcface_cli.weights.files import CHUNK, sha256_of
from arcface_cli.weights.progress import Progress

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10.0, 60.0
ATTEMPTS_WITHOUT_GAIN = 2
NETWORK_CHUNK = 1 << 16
"""Bytes; a connection that breaks loses at most so many of what came."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall arrive. label: for progress.  size: bytes, where known."""

    url: str
    sha256: str
    label: str
    size: int | None = None


def download_over_https(wanted: Wanted, target: Path, progress: Progress) -> None:
    """Fetch into `target`, going on with the bytes that are there already. Raises DownloadFailed.

    A partial file stays when the connection or this process breaks; it is thrown away when its hash
    proves wrong, and then fetched once more from the start if some of it was here before.
    """
    if _is_complete(target, wanted):
        return
    while True:
        had_bytes = _size_of(target) > 0
        if _fetch_all(wanted, target, progress) == wanted.sha256:
            _validator_path(target).unlink(missing_ok=True)
            return
        _discard(target)
        if not had_bytes:
            raise DownloadFailed("what it served has another sha256")


def _is_complete(target: Path, wanted: Wanted) -> bool:
    """Whether a part that an earlier run left is the whole; one that is too long is thrown away."""
    have = _size_of(target)
    if have == 0 or (wanted.size is not None and have < wanted.size):
        return False
    if sha256_of(target) == wanted.sha256:
        return True
    if wanted.size is not None:
        _discard(target)
    return False


def _size_of(target: Path) -> int:
    return target.stat().st_size if target.exists() else 0


def _fetch_all(wanted: Wanted, target: Path, progress: Progress) -> str:
    """Ask again from where it broke off, as long as each attempt brings something. Returns the SHA-256."""
    attempts_left = ATTEMPTS_WITHOUT_GAIN
    while True:
        before = _size_of(target)
        try:
            return _fetch_once(wanted, target, progress)
        except requests.RequestException as error:
            gained = _size_of(target) > before
            attempts_left = ATTEMPTS_WITHOUT_GAIN if gained else attempts_left - 1
            if attempts_left <= 0 or not _worth_another_try(error):
                raise DownloadFailed(reason_of(error)) from error


def _worth_another_try(error: requests.RequestException) -> bool:
    """A connection that broke may hold next time; one that can't be made is left to the next source."""
    return isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ReadTimeout) or (
        isinstance(error, requests.exceptions.ConnectionError)
        and not isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.SSLError)
        and "reset" in str(error).lower()
    )


def _fetch_once(wanted: Wanted, target: Path, progress: Progress) -> str:
    with requests.Session() as session:
        response = session.get(
            wanted.url,
            headers=_request_headers(wanted.url, target),
            stream=True,
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
        )
        with response:
            offset = _accepted_offset(response, _size_of(target))
            if offset is None:
                _discard(target)
                return _fetch_once(wanted, target, progress)
            _remember_validator(wanted.url, response.headers, target)
            total = _total(response, offset, wanted)
            progress.started(wanted.label, total)
            try:
                return _receive(response, target, offset, total, progress)
            finally:
                progress.finished()


def _request_headers(url: str, target: Path) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}  # the bytes themselves: offsets and hashes are about them
    size = _size_of(target)
    if size > 0:
        headers["Range"] = f"bytes={size}-"
        validator = _known_validator(url, target)
        if validator is not None:
            headers["If-Range"] = validator
    return headers


def _accepted_offset(response: requests.Response, have: int) -> int | None:
    """How many of the bytes that are here the answer goes on after; None: throw them away and ask anew.

    Raises DownloadFailed for an answer without content.
    """
    status = response.status_code
    if status == requests.codes.ok:
        return 0
    if status == requests.codes.partial_content:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is not None and int(match[1]) == have:
            return have
    if have and status in (requests.codes.partial_content, requests.codes.requested_range_not_satisfiable):
        return None
    raise DownloadFailed(f"it answered {status} {response.reason}".rstrip())


def _total(response: requests.Response, offset: int, wanted: Wanted) -> int | None:
    """The size of the whole file; an answer of another size (an error page, a Git LFS pointer) is refused."""
    stated = response.headers.get("Content-Length", "")
    total = offset + int(stated) if stated.isdigit() else wanted.size
    if wanted.size is not None and total != wanted.size:
        raise DownloadFailed(f"it serves {total} bytes instead of {wanted.size}")
    return total


def _receive(
    response: requests.Response, target: Path, offset: int, total: int | None, progress: Progress
) -> str:
    """Append the body after `offset` bytes; the SHA-256 covers what was here before too."""
    digest = hashlib.sha256()
    with target.open("r+b" if offset else "wb") as sink:
        while sink.tell() < offset:
            digest.update(sink.read(min(CHUNK, offset - sink.tell())))
        done, limit = offset, SIZE_LIMIT if total is None else total
        progress.reached(done)
        for chunk in response.iter_content(NETWORK_CHUNK):
            done += len(chunk)
            if done > limit:
                raise DownloadFailed(f"it serves more than {limit} bytes")
            sink.write(chunk)
            digest.update(chunk)
            progress.reached(done)
    return digest.hexdigest()


def reason_of(error: requests.RequestException) -> str:
    """A few words on why a request failed, without the library's own."""
    text = str(error)
    reasons = [
        (
            isinstance(error, requests.exceptions.ConnectTimeout),
            f"no answer within {CONNECT_TIMEOUT_S:.0f} s",
        ),
        (isinstance(error, requests.exceptions.ReadTimeout), f"it fell silent for {READ_TIMEOUT_S:.0f} s"),
        (isinstance(error, requests.exceptions.SSLError), "its certificate could not be verified"),
        (isinstance(error, requests.exceptions.ProxyError), "the proxy refused"),
        (
            isinstance(error, requests.exceptions.ChunkedEncodingError),
            "the connection broke (the part is kept)",
        ),
        ("resolve" in text.lower(), "the name could not be resolved"),
        ("refused" in text.lower(), "connection refused"),
    ]
    return next((words for applies, words in reasons if applies), "it could not be reached")


# --- what is kept beside a partial file, so that a changed file isn't glued to an old beginning --------


def _validator_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _remember_validator(url: str, headers: Mapping[str, str], target: Path) -> None:
    etag = headers.get("ETag")
    strong = etag if etag is not None and not etag.startswith("W/") else headers.get("Last-Modified")
    _validator_path(target).write_text(json.dumps({"url": url, "validator": strong}), encoding="utf-8")


def _known_validator(url: str, target: Path) -> str | None:
    """The validator that this very URL gave; another mirror's bytes are checked by the hash alone."""
    try:
        kept = json.loads(_validator_path(target).read_bytes())
    except (OSError, ValueError):
        return None
    validator = kept.get("validator") if isinstance(kept, dict) and kept.get("url") == url else None
    return validator if isinstance(validator, str) else None


def _discard(target: Path) -> None:
    target.unlink(missing_ok=True)
    _validator_path(target).unlink(missing_ok=True)
