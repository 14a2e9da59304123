"""`verify --pairs`: a record a pair, in order, and a status that sums them up."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Arcface, arcface_process

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("weights")]

GENUINE, IMPOSTOR = ("ada.jpg", "ada2.jpg"), ("ada.jpg", "bob.jpg")


def listed(album: Path, *pairs: tuple[str, str]) -> Path:
    path = album / "pairs.csv"
    path.write_text("file_a,file_b\n" + "".join(f"{first},{second}\n" for first, second in pairs))
    return path


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ([GENUINE, GENUINE], 0),
        ([GENUINE, IMPOSTOR], 1),
        ([GENUINE, ("ada.jpg", "missing.jpg"), IMPOSTOR], 3),
        ([GENUINE, ("coffee.png", "ada.jpg")], 3),
    ],
)
def test_every_pair_has_its_record_and_the_status_sums_them_up(
    arcface: Arcface, album: Path, pairs: list[tuple[str, str]], status: int
) -> None:
    answer = arcface("verify", "--pairs", listed(album, *pairs))
    assert answer.status == status
    told = [tuple(Path(name).name for name in record["inputs"]) for record in answer.records]
    assert told == pairs
    for pair, record in zip(pairs, answer.records, strict=True):
        assert record.get("same_person") == {GENUINE: True, IMPOSTOR: False}.get(pair)


def test_a_single_pair_and_a_table_of_it_agree(arcface: Arcface, album: Path) -> None:
    (alone,) = arcface("verify", *(album / name for name in GENUINE)).records
    (tabled,) = arcface("verify", "--pairs", listed(album, GENUINE)).records
    assert tabled["similarity"] == alone["similarity"]


def test_pairs_and_photographs_together_are_wrong_usage(arcface: Arcface, album: Path) -> None:
    assert arcface("verify", "a.jpg", "b.jpg", "--pairs", listed(album, GENUINE)).status == 2
    assert arcface("verify").status == 2
    assert arcface("verify", album / "ada.jpg").status == 2


def test_a_table_that_is_none_ends_with_one_line(arcface: Arcface, album: Path) -> None:
    answer = arcface("verify", "--pairs", album / "coffee.png")
    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.count("\n") == 1


def test_a_table_without_a_pair_answers_nothing(arcface: Arcface, album: Path) -> None:
    answer = arcface("verify", "-q", "--pairs", listed(album))
    assert answer.status == 2
    assert "lists no pairs" in answer.err


def test_a_row_without_two_files_costs_its_own_record(arcface: Arcface, album: Path) -> None:
    answer = arcface("verify", "--pairs", listed(album, GENUINE, ("ada.jpg", ""), GENUINE))
    assert answer.status == 3
    assert [record["status"] for record in answer.records] == ["done", "failed", "done"]
    assert answer.records[1]["error"]["code"] == "invalid_list"
    assert "line 3" in answer.err


def test_the_first_pair_that_fails_ends_the_run_if_that_is_asked(arcface: Arcface, album: Path) -> None:
    table = listed(album, GENUINE, ("ada.jpg", "missing.jpg"), GENUINE)
    answer = arcface("verify", "--fail-fast", "--pairs", table)
    assert answer.status == 3
    assert len(answer.records) == 2


def test_pairs_come_through_standard_input_named_from_here(
    album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(album)
    answer = arcface_process("verify", "-q", "--pairs", "-", input="file_a,file_b\nada.jpg,ada2.jpg\n")
    assert (answer.returncode, answer.stderr) == (0, "")
