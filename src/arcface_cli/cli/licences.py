"""Licences that restrict use are shown, and must be accepted, before their files are used."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer

from arcface_cli.cli.console import say
from arcface_cli.errors import LicenceNotAccepted
from arcface_cli.weights.catalogue import Licence


def acceptance(accepted: bool) -> Callable[[Licence], bool]:
    """Answers whether a licence is accepted: by the flag, or at a prompt on a terminal, where it is shown.

    Where nobody can be asked, the error says what there is to accept.
    """

    def accept(licence: Licence) -> bool:
        if accepted:
            say(f"licence: {licence.terms}")
            say("accepted with --accept-license; this is recorded")
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        say(f"licence: {licence.terms}")
        if typer.confirm("Do you accept these terms?", err=True):
            return True
        raise LicenceNotAccepted(f"{licence.name}: the terms were not accepted")

    return accept
