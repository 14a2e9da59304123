"""What `gallery check` proposes mends what it found, when a shell runs it as it stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command_line import Arcface, words_of

from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import FINGERPRINT, entry

DAMAGE = {
    "a control character": "UPDATE subjects SET name = 'b' || char(27) || 'ob' WHERE name = 'bob'",
    "a name with a newline": "UPDATE subjects SET name = 'b' || char(10) || 'ob' WHERE name = 'bob'",
    "a name of bytes": "UPDATE subjects SET name = x'62ff' WHERE name = 'bob'",
    "another name": "UPDATE subjects SET name = '-g' WHERE name = 'bob'",
    "another path": "UPDATE templates SET source_path = x'2f780aff1b' WHERE id = 2",
    "no subject": "DELETE FROM subjects WHERE name = 'bob'",
    "no feature": "DELETE FROM features WHERE template_id = 2",
    "no template": "DELETE FROM templates WHERE id = 2",
}


@pytest.fixture(params=["-g", "it's $(id)", "\x1b[31m\n"])
def gallery(request: pytest.FixtureRequest, own_place: Path) -> Iterator[str]:
    """Three people with a template each, in a folder with any name."""
    name: str = request.param
    with Gallery.create(Path(name), FINGERPRINT, keep_crops=False) as made:
        made.add([entry(each, each, source_path=f"/p/{each}".encode()) for each in ("ada", "bob", "eve")])
    yield name


@pytest.mark.parametrize("damage", DAMAGE)
def test_every_command_that_check_proposes_mends(arcface: Arcface, gallery: str, damage: str) -> None:
    with closing(sqlite3.connect(Path(gallery, FILE_NAME))) as database, database:
        database.execute(DAMAGE[damage])
    found = arcface("gallery", "check", "-g", gallery)
    assert found.status == 1
    for each in found.records:
        words = words_of(each["mend"].partition(", ")[0])
        yes = ["-y"] if "remove" in words else []  # nobody sits there to be asked
        assert arcface(*words[:2], *yes, *words[2:]).status == 0, each
    assert arcface("gallery", "check", "-g", gallery).records == []


def test_names_that_were_swapped_are_given_back_by_way_of_free_ones(
    arcface: Arcface, own_place: Path
) -> None:
    with Gallery.create(Path("g"), FINGERPRINT) as made:
        made.add([entry(each, each, source_path=f"/p/{each}/1".encode()) for each in ("ada", "bob")])
        before = made.subjects()
    with closing(sqlite3.connect(Path("g", FILE_NAME))) as database, database:
        for old, new in (("ada", "?"), ("bob", "ada"), ("?", "bob")):
            database.execute("UPDATE subjects SET name = ? WHERE name = ?", (new, old))
    found = arcface("gallery", "check", "-g", "g").records
    proposed = [each["mend"].partition(", then, once nobody else is called so, ") for each in found]
    for mend in [first for first, _, _ in proposed] + [last.partition(", or ")[0] for _, _, last in proposed]:
        assert arcface(*words_of(mend)).status == 0, mend
    assert arcface("gallery", "check", "-g", "g").records == []
    with Gallery.open(Path("g")) as mended:
        assert mended.subjects() == before


def test_a_table_of_findings_folds_no_command(arcface: Arcface, own_place: Path) -> None:
    name = "a long name " * 20
    with Gallery.create(Path("g"), FINGERPRINT) as made:
        made.add([entry(name, "1"), entry("eve", "2", feature=entry(name, "1").feature)])
    table = arcface("gallery", "audit", "-g", "g", "--threshold", "0.4", "-f", "table").out.splitlines()
    proposed = table[-1].rpartition("if it is so: ")[2]
    assert words_of(proposed)[:4] == ["gallery", "merge", "-g", "g"]
    with closing(sqlite3.connect(Path("g", FILE_NAME))) as database, database:
        database.execute("UPDATE subjects SET checksum = 5")
    findings = arcface("gallery", "check", "-g", "g", "-f", "table").out.splitlines()
    mend = findings[1].partition("mend: ")[2].partition(", or ")[0]
    assert words_of(mend)[:2] == ["gallery", "rename"]
    assert words_of(mend)[-3:] == [name, "NEW", "--mend"]


@pytest.mark.parametrize("verb", ["list", "check", "stats"])
def test_a_link_that_leads_nowhere_is_no_place_to_make_a_gallery(
    arcface: Arcface, own_place: Path, verb: str
) -> None:
    Path("link").symlink_to("nowhere")
    answer = arcface("gallery", verb, "-g", "link")
    assert answer.status == 6
    assert answer.said == [
        "arcface: link: is a link that leads nowhere; mend the link, or name another folder with -g"
    ]
