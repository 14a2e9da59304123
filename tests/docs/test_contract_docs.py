"""The pages about records, statuses and errors hold every field, status and code that there is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from arcface_cli import errors
from arcface_cli.cli.app import EPILOG
from arcface_cli.cli.stopping import Stop
from arcface_cli.errors import ArcfaceError
from arcface_cli.output.rows import COLUMNS

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCHEMA: dict[str, Any] = json.loads(files("arcface_cli.output").joinpath("schema.json").read_text("utf-8"))


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def error_classes() -> list[type[ArcfaceError]]:
    found = (value for value in vars(errors).values() if isinstance(value, type))
    return [each for each in found if issubclass(each, ArcfaceError)]


def fields(schema: Any) -> Iterator[str]:
    """Every property that the schema names, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for inner in schema.values():
            yield from fields(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from fields(inner)


def told_errors() -> dict[str, tuple[int, str]]:
    """Code -> status and class, as docs/errors.md lists them."""
    told, status = {}, 0
    for line in page("errors.md").splitlines():
        if heading := re.match(r"## (\d+):", line):
            status = int(heading[1])
        if row := re.match(r"\| `(\w+)` \| (\w+) \| \S", line):
            told[row[1]] = (status, row[2])
    return told


def test_every_error_stands_in_its_page_with_its_class_and_status() -> None:
    assert told_errors() == {each.code: (each.exit_status, each.__name__) for each in error_classes()}


def test_no_two_errors_share_a_code() -> None:
    codes = [each.code for each in error_classes()]
    assert len(codes) == len(set(codes))


def test_the_tree_at_the_top_of_the_errors_names_every_class() -> None:
    tree = errors.__doc__ or ""
    assert [each.__name__ for each in error_classes() if each.__name__ not in tree] == []


def test_every_status_stands_in_its_page_and_no_other() -> None:
    told = {int(row[1]) for row in re.finditer(r"^\| (\d+) \|", page("exit-statuses.md"), re.MULTILINE)}
    real = {each.exit_status for each in error_classes()}
    stopped = {128 + number for number in Stop.SIGNALS}
    assert errors.INTERRUPTED_STATUS in stopped
    assert told == real | {0, 1, errors.BUG_STATUS} | stopped


def test_the_help_tells_the_statuses_that_a_script_meets() -> None:
    for status in range(8):
        assert re.search(rf"\b{status} ", EPILOG)


def test_every_field_of_the_schema_stands_in_the_page_of_records() -> None:
    told = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`\n]+)`", page("records.md")))))
    assert sorted(set(fields(SCHEMA)) - told) == []


def test_every_column_stands_in_the_page_of_records() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", page("records.md")))
    assert sorted({column for columns in COLUMNS.values() for column in columns} - told) == []


def examples() -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page("records.md"), re.DOTALL)]


def test_every_verb_has_an_example() -> None:
    done = {record["command"] for record in examples() if record["status"] == "done"}
    assert done == {"align", "embed", "enroll", "identify", "verify"}


@pytest.mark.parametrize("record", examples(), ids=lambda record: f"{record['command']}-{record['status']}")
def test_the_examples_are_records(record: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(SCHEMA).validate(record)


def test_every_example_of_an_error_has_a_code_that_there_is() -> None:
    codes = {each.code for each in error_classes()}
    assert {record["error"]["code"] for record in examples() if "error" in record} <= codes
