"""Lists on a narrow terminal: no number, time, code or heading is broken, and nothing is lost."""

from __future__ import annotations

import pytest

from arcface_cli.cli.listing import show_rows
from arcface_cli.settings import Settings

TIME = "2026-11-24T21:03:23.123Z"
SOURCE = "/home/me/photographs/people/Ada_Lovelace/IMG_20190714_183355.jpg"
SHOW = {
    **{"template": 1234, "source": SOURCE, "detection_score": 0.94991, "detector": "scrfd_500m"},
    **{"crop": True, "created": TIME, "refused": "enrolled_as_another"},
}
LIST = {"subject": "Ada Lovelace", "templates": 1234, "first_enrolled": TIME, "last_enrolled": TIME}
AUDIT = {
    **{"kind": "duplicate_subjects", "templates": [12, 345], "subjects": ["Ada", "Augusta Ada King"]},
    **{"similarity": 0.87651, "own": 0.7123, "reason": "two people who look the same by all their templates"},
}


def table(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], columns: int, *rows: dict[str, object]
) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("arcface_cli.cli.listing.is_terminal", lambda: True)
    show_rows(rows, Settings(format="table"), list((rows or (LIST,))[0]))
    return capfd.readouterr().out


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 160])
@pytest.mark.parametrize("row", [SHOW, LIST, AUDIT])
def test_no_width_breaks_a_number_a_time_or_a_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], columns: int, row: dict[str, object]
) -> None:
    out = table(monkeypatch, capfd, columns, row)
    words = out.replace(",", "").replace(":\n", "\n").split()
    told = [
        each for each in (TIME, "1234", "enrolled_as_another", "duplicate_subjects") if each in row.values()
    ]
    told += [f"{row['similarity']:.4f}", f"{row['own']:.4f}", "345"] if row is AUDIT else []
    told += [each for name in row if name != "detection_score" for each in name.split("_")]
    assert set(told) <= {word.rstrip(":") for word in words}


def test_a_long_path_is_folded_and_all_of_it_is_there(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = table(monkeypatch, capfd, 60, {"template": 7, "source": SOURCE, "created": TIME}).splitlines()
    start, end = lines[0].index("source"), lines[0].index("created")
    assert len(lines) > 2
    assert "".join(line[start:end].strip() for line in lines[1:]) == SOURCE


def test_where_no_table_fits_each_field_has_a_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert table(monkeypatch, capfd, 40, LIST).splitlines() == [
        *("subject: Ada Lovelace", "templates: 1234", f"first enrolled: {TIME}", f"last enrolled: {TIME}", "")
    ]


def test_an_empty_list_is_headed_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    headings = table(monkeypatch, capfd, 40).split()
    assert headings == ["first", "last", "subject", "templates", "enrolled", "enrolled"]
