"""How the machine is asked; tests give answers of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from arcface_cli.diagnosis.apart import Ask, ask
from arcface_cli.diagnosis.packages import Installer, Owner, owners, this_installer


@dataclass(frozen=True, slots=True)
class Surroundings:
    """ask: a question in a child.  owners: of an imported package.  installer: the commands of pip or uv."""

    ask: Ask = ask
    owners: Callable[[str], Sequence[Owner]] = owners
    installer: Installer = field(default_factory=this_installer)
