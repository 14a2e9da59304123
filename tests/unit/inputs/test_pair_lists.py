"""Lists of pairs and people: what is wrong with one is said with its line, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcface_cli.errors import ArcfaceError, InvalidList
from arcface_cli.inputs.open_set import check_enrolled, read_attributes, read_people
from arcface_cli.inputs.pair_lists import PairList, read_pairs

LFW = "2\t1\nann 1 2\nann 1 bob 1\nbob 1 2\nann 2 bob 2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
        for number in (1, 2):
            (tmp_path / name / f"{name}_{number:04d}.jpg").write_bytes(b"x")
    return tmp_path


def read(folder: Path, text: str, name: str = "pairs.txt") -> PairList:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_pairs(path, folder)


def test_lfws_format_is_read_with_its_folds_and_names(folder: Path) -> None:
    found = read(folder, LFW)
    assert [item.name for item in found.items] == [
        "ann_0001.jpg", "ann_0002.jpg", "bob_0001.jpg", "bob_0002.jpg",
    ]  # fmt: skip
    assert found.people == ("ann", "ann", "bob", "bob")
    assert found.same == (True, False, True, False)
    assert found.fold == (1, 1, 2, 2)


CSV = "file_a,file_b,same\nann/ann_0001.jpg,ann/ann_0002.jpg,1\nann/ann_0001.jpg,bob/bob_0001.jpg,0\n"


def test_a_csv_without_names_has_the_people_that_genuine_pairs_connect(folder: Path) -> None:
    found = read(folder, CSV, "pairs.csv")
    assert found.people[0] == found.people[1] != found.people[2]
    assert found.fold is None


def test_other_headers_and_words_of_the_field_are_understood(folder: Path) -> None:
    text = CSV.replace("file_a,file_b,same", "file_x;file_y;Decision").replace(",", ";")
    assert read(folder, text.replace(";1", ";Yes").replace(";0", ";No"), "pairs.csv").same == (True, False)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("pairs.txt", "", "first line must say"),
        ("pairs.txt", "ten\t1\n", "is no count"),
        ("pairs.txt", "1\t3\nann 1 2\n", "promises 6 pairs and has 1"),
        ("pairs.txt", "1\t1\nann 1 2\nann 1\n", "line 3: needs"),
        ("pairs.txt", "1\t1\nann 1 7\nann 1 bob 1\n", r"line 2: .*ann_0007.jpg does not exist"),
        ("pairs.txt", "1\t1\nann 1 2\nann 1 ann 2\n", "line 3: names two people, and they are the same"),
        ("pairs.txt", "1\t1\n../x 1 2\nann 1 bob 1\n", "no person's folder"),
        ("pairs.csv", "left,right,same\na,b,1\n", "has no column file_a"),
        ("pairs.csv", CSV.replace(",same", ""), "has no column same"),
        ("pairs.csv", CSV.replace(",1\n", ",maybe\n"), "line 2: 'maybe' is neither"),
        ("pairs.csv", CSV + "bob/bob_0001.jpg,ann/ann_0001.jpg,1\n", "line 4: contradicts .* line 3"),
        ("pairs.csv", CSV + "ann/ann_0002.jpg,bob/bob_0001.jpg,1\n", "line 3: says two people"),
        ("pairs.csv", CSV + "ann/ann_0002.jpg,ann/ann_0002.jpg,0\n", "calls one photograph two people"),
        ("pairs.csv", CSV + "ann/ann_0002.jpg\n", "line 4: has 1 cells"),
        ("pairs.csv", "file_a,file_b,same\n", "nothing below"),
    ],
)
def test_a_bad_list_is_refused_with_its_line(folder: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(ArcfaceError, match=reason) as refusal:
        if not text:
            text = "\n"
        read(folder, text, name)
    assert refusal.value.exit_status == 2


def test_a_probe_that_contradicts_the_gallery_is_refused(folder: Path) -> None:
    gallery, probes = folder / "gallery.csv", folder / "probes.csv"
    gallery.write_text("file,person\nann/ann_0001.jpg,ann\n")
    for row, reason in (
        ("bob/bob_0001.jpg,bob,1", "is not in the gallery"),
        ("ann/ann_0002.jpg,ann,0", "is in the gallery"),
        ("ann/ann_0001.jpg,ann,1", "same photograph"),
        ("ann/ann_0002.jpg,ann,perhaps", "neither yes nor no"),
    ):
        probes.write_text(f"file,person,enrolled\n{row}\n")
        with pytest.raises(InvalidList, match=reason):
            check_enrolled(read_people(gallery, folder), read_people(probes, folder))
    probes.write_text("file,person\nbob/bob_0001.jpg,bob\n")
    check_enrolled(read_people(gallery, folder), read_people(probes, folder))


def test_attributes_are_read_by_person(folder: Path) -> None:
    path = folder / "attributes.csv"
    path.write_text("person,Gender\nann,female\nbob,male\n")
    assert read_attributes(path, "gender") == {"ann": "female", "bob": "male"}
    with pytest.raises(InvalidList, match="no column age"):
        read_attributes(path, "age")
    path.write_text("person,gender\nann,female\nann,male\n")
    with pytest.raises(InvalidList, match="contradicts"):
        read_attributes(path, "gender")
