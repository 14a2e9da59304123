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


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        yield str(path.relative_to(SOURCES)), ast.parse(path.read_text("utf-8"))


def test_nothing_is_stored_as_a_pickle_and_one_room_reads_them_with_every_class_refused() -> None:
    importing = set()
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import) and "pickle" in {alias.name for alias in node.names}:
                importing.add(name)
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "pickle"
            ):
                assert node.attr not in ("load", "loads", "dump", "dumps"), name
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), name
                assert node.value.value is False, name
    assert importing <= {"arcface_cli/inputs/bins.py"}


def test_no_error_is_swallowed() -> None:
    for name, tree in trees():
        for handler in (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)):
            assert handler.type is not None, f"{name}: a bare except"
            broad = isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
            assert not (broad and all(isinstance(line, ast.Pass) for line in handler.body)), name
