"""What the store remembers besides files: the default, accepted licences, imported models. One JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from arcface_cli.errors import ModelUnusable, WeightsDamaged
from arcface_cli.weights.catalogue import Additions, Licence, Strict
from arcface_cli.weights.files import reading, write_atomically


class Acceptance(Strict, frozen=True):
    """Who runs this accepted these terms. accepted_at: ISO 8601, UTC. The notice is kept as it was shown."""

    licence: str
    name: str
    notice: str
    url: str | None
    accepted_at: str


class StoreState(Strict, frozen=True):
    """default: name of the model used when none is named. chosen: by the user, so a pull doesn't move it."""

    version: Literal[1] = 1
    default: str | None = None
    chosen: bool = False
    accepted: tuple[Acceptance, ...] = ()
    imported: Additions = msgspec.field(default_factory=Additions)

    def has_accepted(self, licence: Licence) -> bool:
        """Whether these very terms were accepted; a changed notice must be accepted anew."""
        return any(each.licence == licence.id and each.notice == licence.notice for each in self.accepted)

    def with_acceptance(self, acceptance: Acceptance) -> StoreState:
        """The state with one more acceptance."""
        return replace(self, accepted=(*self.accepted, acceptance))


def read_state(path: Path) -> StoreState:
    """Read state.json; without one the state is empty. Raises WeightsDamaged and ModelUnusable."""
    try:
        with reading(path):
            content = path.read_bytes()
    except FileNotFoundError:
        return StoreState()
    except NotADirectoryError as error:
        raise ModelUnusable(
            f"{path.parent}: is no folder", hint="name a folder for the models with ARCFACE_MODELS_DIR"
        ) from error
    try:
        return msgspec.json.decode(content, type=StoreState)
    except msgspec.DecodeError as error:
        raise WeightsDamaged(
            f"{path}: can't be read ({error})",
            hint="move it away; then accept licences, import and choose a default again (the files stay)",
        ) from error


def write_state(path: Path, state: StoreState) -> None:
    """Replace state.json as a whole."""
    document = msgspec.json.format(msgspec.json.encode(state), indent=2)
    msgspec.json.decode(document, type=StoreState)  # what couldn't be read again is never written
    write_atomically(path, document + b"\n")
