"""Who waits for another writer is told of it while waiting, and does the work once that one is done."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import Arcface

from arcface_cli.gallery import writer_note
from arcface_cli.gallery.store import FILE_NAME, Gallery
from arcface_cli.gallery.waiting import NOTICED_AFTER, Waits
from gallery_samples import FINGERPRINT, entry


@pytest.fixture
def gallery(own_place: Path) -> Path:
    with Gallery.create(own_place / "gallery", FINGERPRINT) as made:
        made.add([entry("ada")])
    return own_place / "gallery"


@contextmanager
def locked_for(gallery: Path, seconds: float) -> Iterator[None]:
    """Another writer, with its note, at work for some time."""
    writer = sqlite3.connect(gallery / FILE_NAME, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    with writer_note.left_in(gallery):
        release = threading.Timer(seconds, writer.execute, ("ROLLBACK",))
        release.start()
        yield
        release.join()
    writer.close()


def test_a_long_wait_is_told_once_with_who_holds_the_lock(arcface: Arcface, gallery: Path) -> None:
    with locked_for(gallery, NOTICED_AFTER + 0.5):
        answer = arcface("gallery", "rename", "ada", "Ada")
    assert answer.status == 0
    assert len(answer.said) == 2
    assert answer.said[0].startswith(f"arcface: {gallery}: is being written by process {os.getpid()} on ")
    assert answer.said[0].endswith(": waiting for it")
    assert answer.said[1] == "arcface: ada is called Ada now"


def test_quiet_waits_in_silence(arcface: Arcface, gallery: Path) -> None:
    with locked_for(gallery, NOTICED_AFTER + 0.5):
        assert arcface("gallery", "rename", "ada", "Ada", "-q").said == []


def test_a_short_wait_is_nothing_to_tell_and_a_second_long_one_neither(gallery: Path) -> None:
    told: list[str] = []
    waits = Waits(after=0.05)
    waits.tell_with(told.append)
    with waits.noticed(gallery / FILE_NAME):
        pass
    assert told == []
    for _ in range(2):
        with waits.noticed(gallery / FILE_NAME):
            threading.Event().wait(0.2)
    assert told == [f"{gallery}: is being written by another program: waiting for it"]
