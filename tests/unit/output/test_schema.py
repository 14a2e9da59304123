"""The published schema and the records that are really made agree, in both directions."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from sample_records import every_record

from arcface_cli.decision import Verdict
from arcface_cli.output.records import SCHEMA_VERSION
from arcface_cli.output.sinks import to_json

jsonschema = pytest.importorskip("jsonschema")

SCHEMA: dict[str, Any] = json.loads(files("arcface_cli.output").joinpath("schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RECORDS = every_record()
FULL = ("align", "embed", "enroll", "identify, match", "verify, same")


def without(record: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


def fields_of(value: Any) -> Iterator[str]:
    """Every key of a record, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from fields_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields_of(inner)


def described(schema: Any) -> Iterator[str]:
    """Every property that a schema names, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for inner in schema.values():
            yield from described(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from described(inner)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == SCHEMA_VERSION


@pytest.mark.parametrize("name", list(RECORDS))
def test_every_record_is_valid_after_a_trip_through_json(name: str) -> None:
    VALIDATOR.validate(json.loads(to_json(RECORDS[name])))


def test_no_record_holds_a_field_that_the_schema_keeps_quiet_about() -> None:
    assert {field for record in RECORDS.values() for field in fields_of(record)} <= set(described(SCHEMA))


def test_the_schema_promises_no_field_that_no_record_holds() -> None:
    assert set(described(SCHEMA)) <= {field for record in RECORDS.values() for field in fields_of(record)}


def test_the_schema_knows_every_decision() -> None:
    decision = SCHEMA["$defs"]["identify_record"]["properties"]["faces"]["items"]["properties"]["decision"]
    assert decision["enum"] == [verdict.value for verdict in Verdict]


def test_fields_may_be_added_anywhere() -> None:
    record = copy.deepcopy(RECORDS["identify, match"])
    for place in (record, record["faces"][0], record["image"], record["threshold"], record["run"]):
        place["of a later version"] = 1
    VALIDATOR.validate(record)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (name, key)
        for name in ("align", "embed", "enroll", "identify, match", "verify, same")
        for key in RECORDS[name]
    ],
)
def test_no_field_of_a_done_record_can_be_left_out(name: str, key: str) -> None:
    assert not VALIDATOR.is_valid(without(RECORDS[name], key))


def test_a_failure_without_its_error_and_an_answer_without_two_faces_are_refused() -> None:
    assert not VALIDATOR.is_valid(without(RECORDS["embed, failed"], "error"))
    assert not VALIDATOR.is_valid({**RECORDS["verify, failed"], "same_person": False})
