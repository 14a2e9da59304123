"""Licences that restrict use are shown, and must be accepted, before their files are used."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from arcface_cli.cli.console import say
from arcface_cli.weights.catalogue import Licence


def acceptance(accepted: bool) -> Callable[[Licence], bool]:
    """Shows a licence and answers whether it is accepted: by the flag, or at a prompt on a terminal."""

    def accept(licence: Licence) -> bool:
        where = "" if licence.url is None else f" ({licence.url})"
        say(f"licence: {licence.name}: {licence.notice}{where}")
        if accepted:
            say("accepted with --accept-license; this is recorded")
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        return typer.confirm("Do you accept these terms?", err=True)

    return accept
