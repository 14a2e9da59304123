"""What the store remembers besides files: the default, accepted licences, imported models. One JSON file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from arcface_cli.errors import WeightsDamaged
from arcface_cli.weights.catalogue import Additions, Licence, Strict
from arcface_cli.weights.files import write_atomically


@dataclass(frozen=True, slots=True)
class Acceptance(Strict):
    """Who runs this accepted these terms. accepted_at: ISO 8601, UTC. The notice is kept as it was shown."""

    licence: str
    name: str
    notice: str
    url: str | None
    accepted_at: str


@dataclass(frozen=True, slots=True)
class StoreState(Strict):
    """default: name of the model used when none is named. chosen: by the user, so a pull doesn't move it."""

    version: Literal[1] = 1
    default: str | None = None
    chosen: bool = False
    accepted: tuple[Acceptance, ...] = ()
    imported: Additions = field(default_factory=Additions)

    def has_accepted(self, licence: Licence) -> bool:
        """Whether these very terms were accepted; a changed notice must be accepted anew."""
        return any(each.licence == licence.id and each.notice == licence.notice for each in self.accepted)

    def with_acceptance(self, acceptance: Acceptance) -> StoreState:
        """The state with one more acceptance."""
        return replace(self, accepted=(*self.accepted, acceptance))


@cache
def _adapter() -> TypeAdapter[StoreState]:
    return TypeAdapter(StoreState)


def read_state(path: Path) -> StoreState:
    """Read state.json; without one the state is empty. Raises WeightsDamaged when it can't be read."""
    try:
        document = path.read_bytes()
        usual = _without_imports(document)
        return _adapter().validate_json(document) if usual is None else usual
    except FileNotFoundError:
        return StoreState()
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.errors(include_url=False)[0]["msg"]
        raise WeightsDamaged(
            f"{path}: can't be read ({reason})",
            hint="move it away; then accept licences, import and choose a default again (the files stay)",
        ) from error


def _without_imports(document: bytes) -> StoreState | None:
    """The state if it is as `write_state` writes it and holds no imported model, else None.

    Spares most runs the strict reading, which takes as long as loading a network.
    """
    try:
        plain = json.loads(document)
        version, default, chosen = plain.pop("version"), plain.pop("default"), plain.pop("chosen")
        accepted, imported = plain.pop("accepted"), plain.pop("imported")
        acceptances = tuple(Acceptance(**each) for each in accepted)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    words = [
        word for each in acceptances for word in (each.licence, each.name, each.notice, each.accepted_at)
    ]
    links = [each.url for each in acceptances if each.url is not None]
    sound = (
        not plain
        and isinstance(imported, dict)
        and not any(imported.values())
        and version == 1
        and isinstance(default, str | None)
        and isinstance(chosen, bool)
        and all(isinstance(word, str) for word in [*words, *links])
    )
    return StoreState(default=default, chosen=chosen, accepted=acceptances) if sound else None


def write_state(path: Path, state: StoreState) -> None:
    """Replace state.json as a whole."""
    document = _adapter().dump_json(state, indent=2)
    _adapter().validate_json(document)  # what couldn't be read again is never written
    write_atomically(path, document + b"\n")
