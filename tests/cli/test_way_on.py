"""After an interruption, what is advised can be done."""

from __future__ import annotations

import pytest
from command_line import Arcface

from arcface_cli.cli.app import PANELS, way_on


@pytest.mark.parametrize("verb", PANELS)
def test_only_what_can_be_resumed_is_said_to_go_on_with_resume(arcface: Arcface, verb: str) -> None:
    resumable = "--resume" in arcface(verb, "--help").out
    words = ["--pairs", "pairs.csv"] if verb == "verify" else ["a.jpg"]
    assert ("--resume" in way_on([verb, *words])) is resumable


def test_a_run_that_can_be_continued_is_begun_again_as_it_was() -> None:
    assert way_on(["embed", "a.jpg", "-o", "x.jsonl", "--resume"]).startswith("what was written stays")
    assert way_on(["enroll", "people"]).startswith("what was enrolled stays")
    assert way_on(["verify", "b.jpg", "a.jpg"]) == "run it again"


def test_standard_input_is_not_there_twice_but_a_list_can_be() -> None:
    assert way_on(["embed", "a.jpg", "-"]) == "run it again"
    assert "-o FILE.jsonl and --resume" in way_on(["embed", "--files-from", "-"])
