"""Commands that take an option's value once: of two, the first would be dropped without a word."""

from __future__ import annotations

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
    """A Typer whose commands are `OnceCommand`s."""

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:
        """As Typer's own."""
        return super().command(name, cls=OnceCommand, **options)
