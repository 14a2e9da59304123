"""Damage is refused by whatever would sum a row anew: after that nobody could find it any more."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from arcface_cli.errors import GalleryDamaged
from arcface_cli.gallery import schema
from arcface_cli.gallery.store import FILE_NAME, Gallery
from gallery_samples import FINGERPRINT, OTHER_FINGERPRINT, entry, units

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
PEOPLE = ("ada", "bob", "eve")
FIRST_OF_BOB = 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Gallery.create(tmp_path / "g", FINGERPRINT, keep_crops=True) as gallery:
        for name in PEOPLE:
            faces = [f"{name}-{i}" for i in range(6)]
            gallery.add([entry(name, each, crop=PNG, source_path=f"/p/{each}".encode()) for each in faces])
    return tmp_path / "g"


def sql(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database, database:
        database.execute(statement)


def codes(folder: Path) -> list[str]:
    with Gallery.open(folder) as gallery:
        return [each.code for each in gallery.findings()]


def reembed(gallery: Gallery) -> None:
    numbers = [each.template_id for each in gallery.templates()]
    features = dict(zip(numbers, units(5, len(numbers)), strict=True))
    gallery.reembed(features, OTHER_FINGERPRINT, "other", gallery.stats().generation)


def take_over(gallery: Gallery) -> None:
    with Gallery.create(gallery.directory.with_name("other"), FINGERPRINT) as other:
        other.add(list(gallery.entries()))


ANOTHER_NAME = "UPDATE subjects SET name = 'Mallory' WHERE name = 'bob'"
ANOTHER_BOX = f"UPDATE templates SET x_min = -5, detection_score = 0.1 WHERE id = {FIRST_OF_BOB}"
NUMBERS = [*range(1, 19)]

OF_A_SUBJECT: dict[str, Callable[[Gallery], object]] = {
    "rename": lambda gallery: gallery.rename("Mallory", "bob"),
    "merge": lambda gallery: gallery.merge(["Mallory"], "ada"),
    "merge into": lambda gallery: gallery.merge(["ada"], "Mallory"),
    "relabel": lambda gallery: gallery.relabel([(1, "Mallory")]),
    "add": lambda gallery: gallery.add([entry("Mallory", "new")]),
    "sync": lambda gallery: gallery.enrolled_below(Path("/p")),
    "list": lambda gallery: gallery.subjects(),
    "show": lambda gallery: gallery.templates_of("Mallory"),
    "identify": lambda gallery: gallery.snapshot(),
    "import": take_over,
    "reembed": reembed,
}

OF_A_TEMPLATE: dict[str, Callable[[Gallery], object]] = {
    "merge": lambda gallery: gallery.merge(["bob"], "ada"),
    "relabel": lambda gallery: gallery.relabel([(FIRST_OF_BOB, "ada")]),
    "move": lambda gallery: gallery.relabel([], [(FIRST_OF_BOB, b"/elsewhere")]),
    "add": lambda gallery: gallery.add([entry("bob", "bob-0")]),
    "sync": lambda gallery: gallery.enrolled_below(Path("/p")),
    "identify": lambda gallery: gallery.snapshot(),
    "import": take_over,
    "reembed": reembed,
}


@pytest.mark.parametrize("action", OF_A_SUBJECT)
def test_a_damaged_name_is_refused_and_stays_found(folder: Path, action: str) -> None:
    sql(folder, ANOTHER_NAME)
    with Gallery.open(folder, writable=True) as gallery:
        with pytest.raises(GalleryDamaged, match=r"subject 2 \('Mallory'\)") as caught:
            OF_A_SUBJECT[action](gallery)
        assert "arcface gallery check" in str(caught.value.hint)
        assert gallery.stats().generation == 3
    assert codes(folder) == ["subject"]


@pytest.mark.parametrize("action", OF_A_TEMPLATE)
def test_a_damaged_template_is_refused_and_stays_found(folder: Path, action: str) -> None:
    sql(folder, ANOTHER_BOX)
    with Gallery.open(folder, writable=True) as gallery:
        with pytest.raises(GalleryDamaged, match=f"template {FIRST_OF_BOB}") as caught:
            OF_A_TEMPLATE[action](gallery)
        assert "arcface gallery check" in str(caught.value.hint)
        assert gallery.stats().generation == 3
    assert codes(folder) == ["template"]


def test_a_damaged_description_is_not_summed_anew(folder: Path) -> None:
    with Gallery.open(folder, writable=True) as gallery:
        sql(folder, "UPDATE meta SET value = 'another' WHERE key = 'detector'")
        sql(folder, "INSERT INTO meta VALUES ('model', 'another')")
        with pytest.raises(GalleryDamaged, match="meta table differs"):
            gallery.set_operating_point("{}")
    with pytest.raises(GalleryDamaged, match="meta table differs"):
        Gallery.open(folder)


def test_a_damaged_name_is_mended_by_saying_the_right_one(folder: Path) -> None:
    with Gallery.open(folder) as gallery:
        before = gallery.subjects()
    sql(folder, "UPDATE subjects SET name = 'Mallory', created = '1999' WHERE name = 'bob'")
    with Gallery.open(folder, writable=True) as gallery:
        gallery.rename("Mallory", "bob", mend=True)
        assert gallery.subjects() == before
    sql(folder, "UPDATE subjects SET checksum = 7 WHERE name = 'bob'")
    with Gallery.open(folder, writable=True) as gallery:
        gallery.rename("bob", "bob", mend=True)
        assert (gallery.subjects(), list(gallery.findings())) == (before, [])


def test_check_names_who_somebody_was_where_a_folder_and_the_checksum_say_so(folder: Path) -> None:
    with Gallery.open(folder, writable=True) as gallery:
        gallery.add([entry("zoe", "z", source_path=b"/people/zoe/holidays/1.jpg")])
    sql(folder, "UPDATE subjects SET name = 'Mallory' WHERE name = 'zoe'")
    sql(folder, ANOTHER_NAME.replace("Mallory", "Trudy"))
    with Gallery.open(folder) as gallery:
        bob, zoe = gallery.findings()
    assert bob.mend.startswith("arcface gallery rename Trudy NEW --mend, ")
    assert bob.problem == "its name or time differs from its checksum (from '/p/bob-0')"
    assert zoe.mend.startswith("arcface gallery rename Mallory zoe --mend, ")


def test_a_bad_template_is_given_to_nobody_while_a_name_is_mended(folder: Path) -> None:
    sql(folder, ANOTHER_NAME)
    sql(folder, ANOTHER_BOX)
    with (
        Gallery.open(folder, writable=True) as gallery,
        pytest.raises(GalleryDamaged, match=f"template {FIRST_OF_BOB}"),
    ):
        gallery.rename("Mallory", "bob", mend=True)


# --- indexes: nothing is lost with them ----------------------------------------------------------


def index_pages(file: Path) -> list[int]:
    """Numbers, from 1, of the pages that indexes without a second level begin on."""
    with closing(sqlite3.connect(file)) as database:
        roots = database.execute("SELECT rootpage FROM sqlite_master WHERE type = 'index' AND rootpage > 0")
        return sorted(page for (page,) in roots)


def flip(file: Path, page: int, chance: random.Random, *, within: int) -> None:
    """Flip a bit in the entries of an index, the last bytes of its page."""
    with file.open("r+b") as opened:
        opened.seek(page * schema.PAGE_SIZE - 1 - chance.randrange(within))
        (byte,) = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([byte ^ 1 << chance.randrange(8)]))


def test_flipped_bits_in_indexes_are_found_as_such_and_mended_as_check_says(
    folder: Path, tmp_path: Path
) -> None:
    with Gallery.open(folder) as gallery:
        truth = repr((gallery.templates(), gallery.subjects()))
    chance = random.Random(7)
    found: list[str] = []
    beyond_mending = 0
    for number in range(60):
        broken = Path(shutil.copytree(folder, tmp_path / f"g{number}"))
        broken.chmod(0o700)
        flip(broken / FILE_NAME, chance.choice(index_pages(broken / FILE_NAME)[:4]), chance, within=120)
        found += codes_or_refusal(broken)
        try:
            with Gallery.open(broken, writable=True, mending=True) as gallery:
                gallery.compact()
        except GalleryDamaged:
            beyond_mending += 1  # the page itself is in disorder: it was told, and nothing was changed
            continue
        assert codes(broken) == []
        with Gallery.open(broken) as gallery:
            assert repr((gallery.templates(), gallery.subjects())) == truth
    assert set(found) <= {"index", "page", "refused"}
    assert found.count("index") > 30
    assert beyond_mending <= 5


def codes_or_refusal(folder: Path) -> list[str]:
    try:
        return sorted(set(codes(folder)))
    except GalleryDamaged as error:
        assert "arcface gallery check" in str(error.hint)
        return ["refused"]


def test_an_index_that_lost_somebody_is_no_reason_to_remove_them(folder: Path) -> None:
    page = index_pages(folder / FILE_NAME)[0]  # of subjects by name
    content = bytearray((folder / FILE_NAME).read_bytes())
    start = (page - 1) * schema.PAGE_SIZE
    place = content.index(b"bob", start, start + schema.PAGE_SIZE)
    content[place : place + 3] = b"bot"
    (folder / FILE_NAME).write_bytes(content)
    with Gallery.open(folder) as gallery:
        (finding,) = gallery.findings()
    assert (finding.code, finding.where) == ("index", "index sqlite_autoindex_subjects_1")
    assert finding.mend.startswith("arcface gallery compact")
    with Gallery.open(folder, writable=True, mending=True) as gallery:
        gallery.compact()
        gallery.rename("bob", "Bob")


def test_compact_changes_nothing_where_rows_are_lost(folder: Path) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'templates'").fetchone()
    content = bytearray((folder / FILE_NAME).read_bytes())
    content[(page - 1) * schema.PAGE_SIZE : page * schema.PAGE_SIZE] = bytes(schema.PAGE_SIZE)
    (folder / FILE_NAME).write_bytes(content)
    with Gallery.open(folder, writable=True, mending=True) as gallery, pytest.raises(GalleryDamaged):
        gallery.compact()
    assert (folder / FILE_NAME).read_bytes() == bytes(content)
