"""Galleries, templates and processes for the suites that need some; made up, seeded, and small."""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from arcface_cli.faces import BoundingBox, DetectedFace, FivePoints, ModelFingerprint, TemplateBatch
from arcface_cli.gallery.entries import NewTemplate, Refusal, Snapshot
from arcface_cli.gallery.vectors import StoredVectors

DIMENSION = 32
FINGERPRINT = ModelFingerprint("ab" * 32, "rgb,(x-127.5)/127.5", "umeyama-1", DIMENSION)
OTHER_FINGERPRINT = ModelFingerprint("cd" * 32, "rgb,(x-127.5)/127.5", "umeyama-1", DIMENSION)
NOBODY = 65534


def units(seed: int, count: int, dimension: int = DIMENSION) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def face(left: float = 10.0, index: int = 0) -> DetectedFace:
    points = np.array([[30, 40], [60, 40], [45, 55], [33, 70], [57, 70]], dtype=np.float32)
    return DetectedFace(BoundingBox(left, 20.0, left + 80.0, 120.0), FivePoints(points), 0.875, index)


def entry(
    subject: str = "ada",
    content: str = "photo-1",
    *,
    feature: NDArray[np.float32] | None = None,
    seen: DetectedFace | None = None,
    source_path: bytes = b"people/ada/1.jpg",
    crop: bytes | None = None,
) -> NewTemplate:
    digest = hashlib.sha256(content.encode())
    return NewTemplate(
        subject=subject,
        feature=units(int(digest.hexdigest()[:8], 16), 1)[0] if feature is None else feature,
        source_path=source_path,
        content_sha256=digest.hexdigest(),
        face=face() if seen is None else seen,
        detector="scrfd_500m",
        image_width=640,
        image_height=480,
        crop=crop,
    )


def refusal(
    subject: str = "ada",
    content: str = "landscape",
    *,
    source_path: bytes = b"people/ada/landscape.jpg",
    reason: str = "no_face",
    decided_by: str = "ef" * 32,
) -> Refusal:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Refusal(subject, source_path, digest, reason, decided_by)


def batch(features: NDArray[np.float32]) -> TemplateBatch:
    return TemplateBatch(features, FINGERPRINT)


def snapshot_of(features: NDArray[np.float32], subject_rows: Sequence[int]) -> Snapshot:
    """Templates 11, 12, ...; subjects s0, s1, ..."""
    return Snapshot(
        template_ids=np.arange(11, 11 + len(features)),
        vectors=StoredVectors(features),
        subject_rows=np.array(subject_rows, dtype=np.int64),
        subjects=tuple(f"s{i}" for i in range(max(subject_rows, default=-1) + 1)),
        fingerprint=FINGERPRINT,
        generation=1,
    )


def as_nobody(task: Callable[[], None]) -> None:
    """Run `task` in a child process without root's power over permissions; its failure fails the test."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            task()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, result = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(result) == 0, "the task failed in the child process: see stderr"
