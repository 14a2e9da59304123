"""How commands are made: each option's value once, as of two the first would be dropped without a word."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from arcface_cli.errors import UsageError


class OnceCommand(TyperCommand):
    """A command that refuses `-g a -g b`. Switches may be repeated: the last one counts."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, unless an option that takes one value has two. Raises UsageError naming it."""
        if not ctx.resilient_parsing:  # which is how completion reads half a line
            _, _, given = self.make_parser(ctx).parse_args(args=list(args))
            _refuse_twice(given)
        return list(super().parse_args(ctx, args))


def _refuse_twice(given: Sequence[Any]) -> None:
    """given: the parameters of a command line in its order, each as often as it was said."""
    seen: set[str] = set()
    for each in given:
        if each.param_type_name != "option" or each.multiple or each.is_flag or each.count:
            continue
        if each.name in seen:
            raise UsageError(f"{max(each.opts, key=len)} is given twice", hint="give it once")
        seen.add(each.name)


class Verbs(typer.Typer):
    """A Typer whose commands are `OnceCommand`s, explained in whole paragraphs."""

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:
        """As Typer's own."""
        register = super().command

        def made(function: Callable[..., Any]) -> Callable[..., Any]:
            page = {"help": unfolded(function.__doc__ or ""), **options}
            return register(name, cls=OnceCommand, **page)(function)

        return made


def unfolded(text: str) -> str:
    """A docstring with its paragraphs on one line each, for terminals to fold where they end."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
