"""`gallery reembed`: the same faces through another model, and whose answers that changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import ArcfaceError, FaceError
from arcface_cli.faces import AlignedFaces, TemplateBatch
from arcface_cli.gallery.entries import StoredTemplate
from arcface_cli.workflows.crops import Kept, crop_or_reason

Embed = Callable[[AlignedFaces, str], TemplateBatch]
"""What a recogniser does."""


@dataclass(frozen=True, slots=True, eq=False)
class Reembedded:
    """features: (D,) float32 of each template that could be made anew.  lost: why the others could not."""

    features: dict[int, NDArray[np.float32]]
    lost: dict[int, ArcfaceError]


def reembed(templates: Iterable[StoredTemplate], kept: Kept, embed: Embed) -> Reembedded:
    """Make every template anew from its kept crop, or from the photograph it came from."""
    features: dict[int, NDArray[np.float32]] = {}
    lost: dict[int, ArcfaceError] = {}
    for template in templates:
        _embed_one(template, kept, embed, features, lost)
    return Reembedded(features, lost)


def _embed_one(
    template: StoredTemplate,
    kept: Kept,
    embed: Embed,
    features: dict[int, NDArray[np.float32]],
    lost: dict[int, ArcfaceError],
) -> None:
    number = template.template_id
    crop = crop_or_reason(template, kept)
    if isinstance(crop, ArcfaceError):
        lost[number] = crop
        return
    try:
        made = embed(AlignedFaces(crop[np.newaxis], np.zeros((1, 2, 3))), f"template {number}")
        features[number] = made.features[0]
    except FaceError as reason:
        lost[number] = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """Who the gallery without this template says that it is. subject None: unknown."""

    subject: str | None
    similarity: float


@dataclass(frozen=True, slots=True)
class Flip:
    """A template whose answer the new model changes."""

    template_id: int
    subject: str
    before: Answer
    after: Answer


def flips(
    templates: Sequence[StoredTemplate],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    thresholds: tuple[float, float],
) -> list[Flip]:
    """Search the gallery with each of its own templates, left out meanwhile, by the old and the new model.

    before, after: (N, D) and (N, D'), row by row with `templates`.  thresholds: of the old and the new model.
    """
    old, new = (
        _answers(templates, features, threshold)
        for features, threshold in zip((before, after), thresholds, strict=True)
    )
    return [
        Flip(template.template_id, template.subject, was, now)
        for template, was, now in zip(templates, old, new, strict=True)
        if was.subject != now.subject
    ]


def _answers(
    templates: Sequence[StoredTemplate], features: NDArray[np.float32], threshold: float
) -> list[Answer]:
    answers: list[Answer] = []
    for start in range(0, len(templates), 1024):
        similarities = features[start : start + 1024] @ features.T
        rows = np.arange(len(similarities))
        similarities[rows, rows + start] = -1.0
        best = similarities.argmax(axis=1)
        for row, place in enumerate(best.tolist()):
            similarity = float(similarities[row, place])
            answers.append(Answer(templates[place].subject if similarity >= threshold else None, similarity))
    return answers
