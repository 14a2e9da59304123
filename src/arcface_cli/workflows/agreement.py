"""Do the photographs that are enrolled as one person look like one? Asked of those of one run, in passing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import Done, Outcome
from arcface_cli.results import EnrolledPhoto

FAR_BELOW = 0.6
"""Share of the threshold under which two photographs plainly disagree. docs/enroll-and-identify.md says what
came of it on folders of one person and of several."""

LARGEST_SHARE = 2 / 3
"""A person's photographs are taken for several people's when no group that is alike holds more of them."""

KEPT_OF_ONE, KEPT_OF_ALL = 32, 20_000
"""Features held back of one person, and of all: 40 MiB of 512-d ones at most."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A person whose photographs look like several people's. alike: how many the largest group holds."""

    subject: str
    alike: int
    photographs: int


@dataclass(slots=True)
class Agreement:
    """Notes the features of what is enrolled, as it passes by."""

    _features: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)
    _kept: int = 0

    def note(self, outcome: Outcome[EnrolledPhoto]) -> None:
        """Hold back the feature of a photograph that was enrolled."""
        if isinstance(outcome, Done) and outcome.value.photo.templates is not None:
            self._keep(outcome.value.subject, outcome.value.photo.templates.features[0])

    def _keep(self, subject: str, feature: NDArray[np.float32]) -> None:
        of_subject = self._features.setdefault(subject, [])
        if len(of_subject) < KEPT_OF_ONE and self._kept < KEPT_OF_ALL:
            of_subject.append(feature)
            self._kept += 1

    def disagreements(self, threshold: float) -> list[Disagreement]:
        """People whose photographs disagree. threshold: similarity from which two faces match."""
        found = []
        for subject, features in self._features.items():
            alike = largest_group(np.array(features), FAR_BELOW * threshold) if len(features) > 1 else 1
            if alike <= LARGEST_SHARE * len(features) and len(features) > 1:
                found.append(Disagreement(subject, alike, len(features)))
        return found


def largest_group(features: NDArray[np.float32], similarity: float) -> int:
    """How many of (N, D) unit rows hang together, each so alike to one other of them (single linkage)."""
    group = np.arange(len(features))
    for first, second in np.argwhere(np.triu(features @ features.T >= similarity, 1)):
        group[group == group[second]] = group[first]
    return max(Counter(group.tolist()).values())
