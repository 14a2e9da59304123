"""Who may be enrolled wrongly? Every template against the centre of its subject and of everybody else.

The class-centre rule is that of the ArcFace paper's data cleaning (Deng et al. 2019): images far from the
centre of their identity are noise. Nothing here changes a gallery; it proposes commands.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from arcface_cli.gallery.entries import Snapshot, StoredTemplate
from arcface_cli.wording import command

DUPLICATE_FROM = 0.985
"""Similarity from which two photographs of one subject say the same whatever they look like. Different ones
reach 0.977 at most among 380 studio portraits of 60 people."""

COPY_FROM = 0.95
COPY_SHIFT = 0.005
"""So much will do when all five landmarks lie where they lay, but for this share of the image's width: a
smaller or re-encoded copy. On those portraits 0.001 to 0.004 between a copy and its original (similarities of
0.982 to 0.997), and 0.0097 or more between different photographs."""

SAME_SIZE = 0.05
"""Share by which the faces of a photograph and its copy may differ and still be of one size: a detector's box
moves by a few pixels when a picture is encoded anew."""

MISLABEL_LEAD = 0.1
"""Lead of another subject's centre over the own one that a mislabel needs."""

SPLIT_QUANTILE = 0.1
"""Two subjects may be one person when their centres are as alike as all templates but this share, the least
typical ones, are to the centre of their own subject."""

SPLIT_ABOVE_THRESHOLD = 0.2
"""Where no subject has two templates there is nothing to learn that from: this much over the threshold."""

HUB_DEVIATIONS = 6.0
FEWEST_ATTRACTED = 6
"""A template is a hub when it is the nearest stranger of at least so many subjects, and of so many standard
deviations more than the average template is."""

_ROWS_AT_ONCE = 1024


class Kind(StrEnum):
    """What may be wrong."""

    MISLABEL = "mislabel"
    SPLIT = "split"
    DUPLICATE = "duplicate"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One finding.

    templates: those it is about, the suspect first.  subjects: their subjects, or the two that may be one.
    similarity: to the other centre, between the two centres or templates, or the mean to those attracted.
    own: similarity to the own subject's centre, for a mislabel.  commands: what would mend it, if it is so.
    """

    kind: Kind
    templates: tuple[int, ...]
    subjects: tuple[str, ...]
    similarity: float
    own: float | None
    reason: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Typicality:
    """How a template lies. own: to the centre of its subject's other templates, None if it has none.

    nearest: the most alike other subject, None if there is none.  attracts: subjects whose nearest stranger
    it is.
    """

    template_id: int
    subject: str
    own: float | None
    nearest: str | None
    nearest_similarity: float | None
    attracts: int


@dataclass(frozen=True, slots=True)
class Audit:
    """Suspicions, the strongest of each kind first, and how every template lies, in id order."""

    suspicions: tuple[Suspicion, ...]
    templates: tuple[Typicality, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Geometry:
    """Of N templates and S subjects: own (N,), centre_similarities (S, S), nearest (N,) subject rows and
    nearest_similarities (N,), stranger (N,) places, twins (P, 2) places and twin_similarities (P,)."""

    own: NDArray[np.float64]
    centre_similarities: NDArray[np.float64]
    nearest: NDArray[np.int64]
    nearest_similarities: NDArray[np.float64]
    stranger: NDArray[np.int64]
    stranger_similarities: NDArray[np.float64]
    twins: NDArray[np.int64]
    twin_similarities: NDArray[np.float64]


FileSize = Callable[[StoredTemplate], int | None]
"""Bytes of a template's photograph; None where it is gone."""


def unknown_size(template: StoredTemplate) -> int | None:
    """Where no photograph can be asked."""
    return None


def audit(
    snapshot: Snapshot,
    threshold: float,
    provenance: Mapping[int, StoredTemplate],
    file_size: FileSize = unknown_size,
) -> Audit:
    """Examine every template. threshold: similarity from which two faces match. provenance: by template id.

    file_size: asked of two copies whose faces are of one size. Compares all templates with each other:
    N x N x D multiplications.
    """
    if len(snapshot) == 0:
        return Audit((), ())
    members = np.bincount(snapshot.subject_rows, minlength=len(snapshot.subjects))
    centres = _centres(snapshot)
    joined = centres @ centres.T
    np.fill_diagonal(joined, -1.0)
    joined[members == 0], joined[:, members == 0] = -1.0, -1.0
    own = _own(snapshot, members)
    splits = _split_pairs(joined, own, threshold)
    geometry = _geometry(snapshot, centres, own, joined, splits)
    found = [
        *_mislabels(snapshot, geometry, threshold, provenance),
        *_splits(snapshot, joined, splits, members),
        *_duplicates(snapshot, geometry, provenance, file_size),
        *_hubs(snapshot, geometry),
    ]
    return Audit(tuple(found), tuple(_typicalities(snapshot, geometry)))


def _sums(snapshot: Snapshot) -> NDArray[np.float64]:
    sums = np.zeros((len(snapshot.subjects), snapshot.fingerprint.dimension))
    np.add.at(sums, snapshot.subject_rows, snapshot.features)
    return sums


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float64] = rows / np.where(norms > 1e-9, norms, 1.0)
    return unit


def _centres(snapshot: Snapshot) -> NDArray[np.float64]:
    return _unit(_sums(snapshot))


def _own(snapshot: Snapshot, members: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N,) similarity of each template to the centre of its subject's others; NaN where there are none."""
    others = _unit(_sums(snapshot)[snapshot.subject_rows] - snapshot.features)
    own: NDArray[np.float64] = np.einsum("nd,nd->n", others, snapshot.features.astype(np.float64))
    own[members[snapshot.subject_rows] < 2] = np.nan
    return own


def _split_pairs(
    joined: NDArray[np.float64], own: NDArray[np.float64], threshold: float
) -> list[tuple[int, int]]:
    """Pairs of subject rows whose centres are as alike as templates of one subject are, most alike first."""
    known = own[~np.isnan(own)]
    typical = np.quantile(known, SPLIT_QUANTILE) if len(known) else threshold + SPLIT_ABOVE_THRESHOLD
    first, second = np.nonzero(np.triu(joined, 1) >= max(threshold, float(typical)))
    order = np.argsort(-joined[first, second], kind="stable")
    return [(int(first[i]), int(second[i])) for i in order]


def _geometry(
    snapshot: Snapshot,
    centres: NDArray[np.float64],
    own: NDArray[np.float64],
    joined: NDArray[np.float64],
    splits: Sequence[tuple[int, int]],
) -> _Geometry:
    same = np.eye(len(snapshot.subjects), dtype=np.bool_)
    for first, second in splits:  # one person under two names is no stranger to himself
        same[first, second] = same[second, first] = True
    rows, count = snapshot.subject_rows, len(snapshot)
    nearest, stranger = np.zeros(count, np.int64), np.zeros(count, np.int64)
    nearest_similarities, stranger_similarities = np.full(count, -1.0), np.full(count, -1.0)
    twins, twin_similarities = [], []
    empty = np.bincount(rows, minlength=len(snapshot.subjects)) == 0
    features = snapshot.features
    for start in range(0, count, _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, count))
        to_centres = features[part].astype(np.float64) @ centres.T
        to_centres[same[rows[part]] | empty] = -1.0
        nearest[part], nearest_similarities[part] = to_centres.argmax(axis=1), to_centres.max(axis=1)
        between = features[part] @ features.T
        alike = same[rows[part]][:, rows]
        places, others = np.nonzero((between >= COPY_FROM) & (rows[part, np.newaxis] == rows))
        later = others > places + start
        twins.append(np.stack([places[later] + start, others[later]], axis=1))
        twin_similarities.append(between[places[later], others[later]])
        between[alike] = -1.0
        stranger[part], stranger_similarities[part] = between.argmax(axis=1), between.max(axis=1)
    return _Geometry(
        own,
        joined,
        nearest,
        nearest_similarities,
        stranger,
        stranger_similarities,
        np.concatenate(twins),
        np.concatenate(twin_similarities).astype(np.float64),
    )


def _mislabels(
    snapshot: Snapshot, geometry: _Geometry, threshold: float, provenance: Mapping[int, StoredTemplate]
) -> Iterator[Suspicion]:
    own = np.where(np.isnan(geometry.own), np.inf, geometry.own)  # alone, a template has nothing to be unlike
    suspects = (geometry.nearest_similarities >= threshold) & (
        geometry.nearest_similarities >= own + MISLABEL_LEAD
    )
    lead = geometry.nearest_similarities - own
    for place in sorted(np.flatnonzero(suspects), key=lambda i: -lead[i]):
        template_id, subject = int(snapshot.template_ids[place]), _subject(snapshot, place)
        other = snapshot.subjects[geometry.nearest[place]]
        photograph = os.fsdecode(provenance[template_id].source_path)
        yield Suspicion(
            Kind.MISLABEL,
            (template_id,),
            (subject, other),
            float(geometry.nearest_similarities[place]),
            float(geometry.own[place]),
            f"enrolled as {subject}, but more like {other}",
            (
                _remove(template_id),
                command("arcface enroll", photograph, name=other),
            ),
        )


def _splits(
    snapshot: Snapshot,
    joined: NDArray[np.float64],
    pairs: Sequence[tuple[int, int]],
    members: NDArray[np.int64],
) -> Iterator[Suspicion]:
    for pair in pairs:
        smaller, larger = sorted(pair, key=lambda row: (members[row], -row))
        names = (snapshot.subjects[smaller], snapshot.subjects[larger])
        firsts = tuple(
            int(snapshot.template_ids[np.flatnonzero(snapshot.subject_rows == row)[0]])
            for row in (smaller, larger)
        )
        yield Suspicion(
            Kind.SPLIT,
            firsts,
            names,
            float(joined[pair]),
            None,
            f"{names[0]} and {names[1]} may be one person",
            (command("arcface gallery merge", names[0], into=names[1]),),
        )


def _duplicates(
    snapshot: Snapshot,
    geometry: _Geometry,
    provenance: Mapping[int, StoredTemplate],
    file_size: FileSize,
) -> Iterator[Suspicion]:
    """Each template beside a better one that it repeats, the most alike first."""
    told: set[int] = set()
    order = np.argsort(-geometry.twin_similarities, kind="stable")
    for first, second in geometry.twins[order].tolist():
        pair = [int(snapshot.template_ids[place]) for place in (first, second)]
        similarity = float(snapshot.features[first].astype(np.float64) @ snapshot.features[second])
        shift = _shift(provenance[pair[0]], provenance[pair[1]])
        if told.issuperset(pair) or (similarity < DUPLICATE_FROM and shift > COPY_SHIFT):
            continue
        kept, spare = sorted(pair, key=lambda each: _rank(provenance[each], file_size))
        if spare in told:
            continue
        told.add(spare)
        subject = _subject(snapshot, first)
        yield Suspicion(
            Kind.DUPLICATE,
            (spare, kept),
            (subject,),
            similarity,
            None,
            f"says of {subject} what template {kept} says already",
            (_remove(spare),),
        )


def _rank(template: StoredTemplate, file_size: FileSize) -> tuple[int, int, int]:
    """What says the same, the one to keep first: with the larger face, in steps of SAME_SIZE, else from the
    larger file, else the one that was enrolled first.

    Sharpness doesn't tell: what JPEG makes of a picture the second time has edges of its own.
    """
    known = file_size(template)
    return -_size(template), 1 if known is None else -known, template.template_id


def _size(template: StoredTemplate) -> int:
    """Shorter side of a face in steps of SAME_SIZE."""
    box = template.face.box
    return round(math.log(max(min(box.width, box.height), 1.0)) / math.log1p(SAME_SIZE))


def _shift(a: StoredTemplate, b: StoredTemplate) -> float:
    """Largest difference of a landmark's place, in widths of the image."""
    places = [each.face.points.array / np.float32(each.image_width) for each in (a, b)]
    return float(np.abs(places[0] - places[1]).max())


def _attracted(snapshot: Snapshot, geometry: _Geometry) -> NDArray[np.int64]:
    """(N,) of how many subjects each template is the nearest stranger of one template or more."""
    pairs = np.stack([geometry.stranger, snapshot.subject_rows], axis=1)[
        geometry.stranger_similarities > -1.0
    ]
    return np.bincount(np.unique(pairs, axis=0)[:, 0], minlength=len(snapshot)).astype(np.int64)


def _hubs(snapshot: Snapshot, geometry: _Geometry) -> Iterator[Suspicion]:
    attracted = _attracted(snapshot, geometry)
    limit = max(FEWEST_ATTRACTED, attracted.mean() + HUB_DEVIATIONS * attracted.std())
    for place in sorted(np.flatnonzero(attracted >= limit), key=lambda i: -attracted[i]):
        template_id, subject = int(snapshot.template_ids[place]), _subject(snapshot, place)
        mine = geometry.stranger == place
        yield Suspicion(
            Kind.HUB,
            (template_id,),
            (subject,),
            float(geometry.stranger_similarities[mine].mean()),
            None if np.isnan(geometry.own[place]) else float(geometry.own[place]),
            f"is the nearest stranger of {attracted[place]} subjects: a poor photograph is like everybody",
            (_remove(template_id),),
        )


def _typicalities(snapshot: Snapshot, geometry: _Geometry) -> Iterator[Typicality]:
    attracted = _attracted(snapshot, geometry)
    for place, template_id in enumerate(snapshot.template_ids.tolist()):
        similarity = float(geometry.nearest_similarities[place])
        alone = similarity <= -1.0
        yield Typicality(
            template_id,
            _subject(snapshot, place),
            None if np.isnan(geometry.own[place]) else float(geometry.own[place]),
            None if alone else snapshot.subjects[geometry.nearest[place]],
            None if alone else similarity,
            int(attracted[place]),
        )


def _subject(snapshot: Snapshot, place: int | np.int64) -> str:
    return snapshot.subjects[int(snapshot.subject_rows[place])]


def _remove(template_id: int) -> str:
    return command("arcface gallery remove", template=str(template_id))
