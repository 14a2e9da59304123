"""A table on a narrow terminal: whole names, decisions and similarities; paths by their ends."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text
from sample_records import every_record

from arcface_cli.output.rows import SHOWN, rows_of
from arcface_cli.output.table import TableSink, ending, widths_of

PATH = "photographs/the summer of 2019 by the sea/IMG_20190714_183355.jpg"
NAME = "Augusta Ada King, Countess of Lovelace"


def record(path: str, name: str) -> dict[str, Any]:
    face = {
        **{"box": [1.0, 2.0, 3.0, 4.0], "detection_score": 0.9, "decision": "match", "subject": name},
        **{"similarity": 0.71234, "distance": 0.76, "margin": 0.5, "candidates": [{"subject": name}]},
    }
    return {"command": "identify", "input": path, "status": "done", "faces": [face], "run": {}}


def table(
    monkeypatch: pytest.MonkeyPatch, terminal: int, *records: dict[str, Any], command: str = "identify"
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(terminal))
    stream = io.BytesIO()
    sink = TableSink(stream, command, None, color=False)
    for each in records:
        sink.write(each)
    sink.close()
    return stream.getvalue().decode().splitlines()


@pytest.mark.parametrize("terminal", [70, 80, 100, 120])
def test_a_narrow_terminal_shows_the_end_of_a_path_on_one_line(
    monkeypatch: pytest.MonkeyPatch, terminal: int
) -> None:
    header, *rows = table(monkeypatch, terminal, record(PATH, "Bob"), record("a.jpg", "Ada"))
    assert len(rows) == 2
    assert rows[0].startswith("…")
    assert "183355.jpg" in rows[0]
    assert all(word in header for word in ("input", "decision", "subject", "similarity"))
    assert "match     Bob" in rows[0]
    assert "0.7123" in rows[0]
    assert rows[1].startswith("a.jpg ")


@pytest.mark.parametrize("terminal", [70, 80, 120])
def test_a_long_name_is_folded_and_every_word_of_it_is_there(
    monkeypatch: pytest.MonkeyPatch, terminal: int
) -> None:
    lines = table(monkeypatch, terminal, record(PATH, NAME))
    start = lines[0].index("subject")
    told = " ".join(line[start : lines[0].index("similarity")].strip() for line in lines[1:])
    assert all(word in told.split() for word in NAME.split())
    assert all(len(line) <= terminal for line in lines)


def test_where_there_is_room_nothing_is_shortened_or_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    header, row = table(monkeypatch, 220, record(PATH, NAME))
    assert row.startswith(PATH)
    assert row.count(NAME) == 2
    assert all(word in header for word in ("distance", "margin", "nearest"))


def test_a_table_in_a_file_keeps_every_column() -> None:
    stream = io.BytesIO()
    sink = TableSink(stream, "identify", 160, color=False)
    sink.write(record("p/" * 100, NAME))
    sink.close()
    assert all(word in stream.getvalue().decode() for word in ("distance", "margin", "nearest"))


@given(st.text(st.characters(exclude_categories=("C",)), max_size=60), st.integers(4, 40))
def test_an_ending_fits_and_is_an_ending(path: str, width: int) -> None:
    shown = ending(Text(path), width).plain
    assert cell_len(shown) <= max(width, 0)
    assert path.endswith(shown.removeprefix("…")) or shown == path


@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=4),
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.integers(1, 200),
)
def test_a_table_has_decision_similarity_and_subject_and_fits_or_there_is_none(
    paths: list[int], names: list[int], room: int
) -> None:
    cells = {
        "input": [Text("p" * length) for length in paths],
        "decision": [Text("match")],
        "subject": [Text("n" * length) for length in names],
        "similarity": [Text("0.7123")],
        "distance": [Text("0.7601")],
        "nearest": [Text("n" * length) for length in names],
    }
    widths = widths_of(cells, room)
    if widths is None:
        assert room < 20 + 2 + 12 + 2 + 12 + 2 + 10
        return
    assert {"input", "decision", "subject", "similarity"} <= set(widths)
    if None not in widths.values():
        assert sum(2 + (width or 0) for width in widths.values()) - 2 <= room


@pytest.mark.parametrize("command", sorted(SHOWN))
@pytest.mark.parametrize("terminal", [10, 25, 40, 50, 60, 70, 80, 120])
def test_no_width_breaks_a_reason_a_decision_or_a_number(
    monkeypatch: pytest.MonkeyPatch, command: str, terminal: int
) -> None:
    records = [each for each in every_record().values() if each["command"] == command]
    words = " ".join(table(monkeypatch, terminal, *records, command=command)).split()
    rows = [row for each in records for row in rows_of(each)]
    told = [str(row[name]) for row in rows for name in ("refused", "code", "decision") if name in row]
    told += [f"{row['similarity']:.4f}" for row in rows if "similarity" in row]
    assert set(told) <= set(words)


def test_where_no_table_fits_each_field_has_a_line_and_what_is_empty_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = table(monkeypatch, 40, record("a.jpg", "Ada"), identify_failed("gone.jpg"))
    assert lines == [
        *("input: a.jpg", "face: 0", "decision: match", "subject: Ada", "similarity: 0.7123"),
        *("distance: 0.7600", "margin: 0.5000", "nearest: Ada", ""),
        *("input: gone.jpg", "code: missing_file", ""),
    ]


def identify_failed(path: str) -> dict[str, Any]:
    error = {"code": "missing_file", "message": f"{path} does not exist"}
    return {"command": "identify", "input": path, "status": "failed", "error": error, "run": {}}
