"""What this user may not read or write, tried as a user without root's powers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import environment

pytestmark = [pytest.mark.real, pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions")]


# Root's Python may be out of everybody else's reach: so load all that the verbs need, then give root up.
WITHOUT_POWERS = """
import os, sys
import filelock
from arcface_cli.cli.app import run
kept, said, null = os.dup(1), os.dup(2), os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1), os.dup2(null, 2)
warm = os.environ["WARM"]
assert run(["enroll", "-q", "--name", "Ada", "ada.jpg", "-g", warm + "/gallery"]) == 0
assert run(["align", "-q", "ada.jpg", "-o", warm + "/crops"]) == 0
assert run(["embed", "-q", "ada.jpg", "-o", warm + "/out.jsonl"]) == 0
for words in (["list"], ["check"], ["stats"], ["remove", "Ada", "-n"]):
    run(["gallery", *words, "-g", warm + "/gallery"])
assert run(["models", "list"]) == 0
os.dup2(kept, 1), os.dup2(said, 2)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def open_place(installed_models: Path, album: Path) -> Iterator[Path]:
    """A folder that everybody may enter, with weights, photographs and a place to write."""
    place = Path(tempfile.mkdtemp(prefix="arcface-test-"))
    shutil.copytree(installed_models, place / "models")
    shutil.copytree(album, place / "album")
    (place / "warm").mkdir()
    subprocess.run(["chmod", "-R", "a+rwX", str(place)], check=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def arcface(place: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A command line in the album, as nobody."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_POWERS, *map(str, words)],
        env=environment(
            ARCFACE_MODELS_DIR=str(place / "models"),
            ARCFACE_GALLERY=str(place / "none"),
            ARCFACE_CONFIG=os.devnull,
            XDG_CACHE_HOME=str(place / "warm" / "cache"),
            WARM=str(place / "warm"),
        ),
        cwd=place / "album",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_unreadable_photograph_is_told_by_name_and_costs_itself_only(open_place: Path) -> None:
    (open_place / "album" / "bob.jpg").chmod(0)
    alone = arcface(open_place, "embed", "bob.jpg")
    assert alone.returncode == 3
    assert '"code": "permission_denied"' in alone.stdout
    assert alone.stderr.count("\n") == 1
    assert arcface(open_place, "verify", "ada.jpg", "bob.jpg").returncode == 3


def test_output_where_this_user_may_not_write_is_7(open_place: Path) -> None:
    (open_place / "album").chmod(0o555)
    for words in (
        ("embed", "ada.jpg", "-o", "out.jsonl"),
        ("align", "ada.jpg", "-o", "crops"),
        ("enroll", "--name", "Ada", "ada.jpg", "-g", "gallery"),
    ):
        refused = arcface(open_place, *words)
        assert refused.returncode == 7, words
        assert refused.stderr.count("\n") == 1
        assert "Traceback" not in refused.stderr


def test_an_unreadable_folder_is_told_and_its_neighbours_are_done(open_place: Path) -> None:
    closed = open_place / "album" / "closed"
    closed.mkdir()
    closed.chmod(0)
    ran = arcface(open_place, "embed", "-r", ".")
    assert ran.returncode == 3
    assert "closed can't be listed: permission denied" in ran.stderr
    assert ran.stdout.count('"done"') == 4


def test_weights_that_this_user_may_not_read_are_5(open_place: Path) -> None:
    for closed in (open_place / "models" / "state.json", open_place / "models"):
        closed.chmod(0)
        refused = arcface(open_place, "verify", "ada.jpg", "bob.jpg")
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (5, "", 1)
        assert "Permission denied" in refused.stderr
        assert "ARCFACE_MODELS_DIR" in refused.stderr
        closed.chmod(0o755)


def test_a_models_folder_that_cannot_be_written_serves_and_takes_nothing_new(open_place: Path) -> None:
    subprocess.run(["chmod", "-R", "a-w", str(open_place / "models")], check=True)
    assert arcface(open_place, "verify", "ada.jpg", "ada2.jpg").returncode == 0
    refused = arcface(open_place, "models", "use", "mobilefacenet_192")
    assert (refused.returncode, refused.stderr.count("\n")) == (7, 1)
    assert "make it writable" in refused.stderr


def test_a_gallery_that_this_user_may_not_read_is_6_and_one_not_to_be_written_is_7(open_place: Path) -> None:
    gallery = open_place / "warm" / "gallery"
    arcface(open_place, "gallery", "list", "-g", gallery)
    (gallery / "gallery.sqlite3").chmod(0o644)
    gallery.chmod(0o555)
    for words in (("list",), ("stats",), ("remove", "Ada", "-n")):
        assert arcface(open_place, "gallery", *words, "-g", gallery).returncode == 0, words
    written = arcface(open_place, "gallery", "rename", "Ada", "Eve", "-g", gallery)
    assert (written.returncode, written.stderr.count("\n")) == (7, 1)
    gallery.chmod(0)
    for verb in ("list", "check", "stats"):
        refused = arcface(open_place, "gallery", verb, "-g", gallery)
        assert (refused.returncode, refused.stderr.count("\n")) == (6, 1), verb
