"""`verify`: do two photographs show the same person?"""

from __future__ import annotations

import numpy as np

from arcface_cli.decision import OperatingPoint, clip_similarity
from arcface_cli.decision import verify as compare
from arcface_cli.faces import Done, Outcome
from arcface_cli.results import PhotoFaces, VerifiedPair


def verify(
    first: Outcome[PhotoFaces], second: Outcome[PhotoFaces], point: OperatingPoint
) -> Outcome[VerifiedPair]:
    """Compare the one face that was chosen in each photograph.

    The first photograph that has none decides the outcome: without two faces there is no answer, least
    of all "different".
    """
    if not isinstance(first, Done):
        return first
    if not isinstance(second, Done):
        return second
    similarity = clip_similarity(_similarity(first.value, second.value))
    answer = compare(similarity, point)
    return Done(VerifiedPair(first.value, second.value, similarity, answer.is_same_person))


def _similarity(first: PhotoFaces, second: PhotoFaces) -> float:
    """Cosine similarity of the first templates: the inner product of unit vectors."""
    if first.templates is None or second.templates is None:
        raise ValueError("verify needs templates: run the pipeline with a recogniser")
    return float(np.dot(first.templates.features[0], second.templates.features[0]))
