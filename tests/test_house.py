"""What holds for every source file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "src"
LONGEST = 60


def functions() -> Iterator[tuple[str, int]]:
    """Name and length in lines of every function and method."""
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield f"{path.relative_to(SOURCES)}:{node.name}", node.end_lineno - node.lineno + 1


def test_no_function_is_longer_than_sixty_lines() -> None:
    lengths = dict(functions())
    assert len(lengths) > 200
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_nothing_is_pickled_and_no_error_is_swallowed() -> None:
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert "pickle" not in {alias.name for alias in node.names}, path
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                raise AssertionError(f"{path}: a bare except")
            if isinstance(node, ast.ExceptHandler):
                broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
                passes = all(isinstance(line, ast.Pass) for line in node.body)
                assert not (broad and passes), path
