"""Whether galleries can be searched here, and whether this one is sound."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from arcface_cli.diagnosis.findings import Finding, Level, fine, refusal, warning, wrong
from arcface_cli.diagnosis.packages import SEARCH, Installer, Owner, examine_owners
from arcface_cli.diagnosis.surroundings import Surroundings
from arcface_cli.errors import GalleryError
from arcface_cli.gallery import check
from arcface_cli.gallery.store import FILE_NAME, Gallery
from arcface_cli.wording import command, counted

HARMLESS = frozenset({"readable_by_others", "leftover", "network", "cache"})
"""Codes of `check` that lose nothing."""

TOLD = 5
"""Findings of one gallery that are told of one by one."""


def survey_search(_: object) -> dict[str, Any]:
    """In a child: the version of FAISS, whether it is a build for GPUs, and how many it sees."""
    import faiss

    gpu = hasattr(faiss, "StandardGpuResources")
    return {"version": faiss.__version__, "gpu": gpu, "gpus": faiss.get_num_gpus() if gpu else 0}


def search_findings(here: Surroundings, *, gpus: bool) -> Iterator[Finding]:
    """FAISS. gpus: whether networks run on a GPU here, so that searches should."""
    pip = here.installer
    wanted = "faiss-gpu" if gpus else "faiss-cpu"
    found = here.owners(SEARCH)
    if len(found) > 1 or any(owner.damaged is not None for owner in found):
        yield examine_owners(SEARCH, found, wanted, pip)
    answer = here.ask(survey_search, None)
    if answer.failure is not None:
        yield _no_search(answer.failure, found, pip, wanted, gpus=gpus)
        return
    told = answer.value
    seen = f"sees {counted(told['gpus'], 'GPU')}" if told["gpu"] else "for the CPU"
    detail = f"FAISS {told['version']}, {seen}"
    if gpus and not told["gpus"]:
        yield warning("search", f"{detail}: --device cuda can't search", pip.replace(found, wanted), **told)
    else:
        yield fine("search", detail, **told)


def _no_search(
    failure: str, found: Sequence[Owner], installer: Installer, wanted: str, *, gpus: bool
) -> Finding:
    if found:
        return wrong("search", failure, installer.install(found[0].requirement, again=True))
    if gpus:
        return warning("search", "FAISS is not installed, which searches on GPUs", installer.install(wanted))
    return fine("search", "exact search with NumPy (FAISS is not installed, which only GPUs need)")


def gallery_findings(
    directory: Path, models: Collection[str], in_force: str | None = None
) -> Iterator[Finding]:
    """Everything `gallery check` finds, as lines, and whether its model is at hand.

    models: SHA-256 of the recognisers that are installed.  in_force: of the one that is used unless another
    is named, None if none is.
    """
    what = "gallery"
    if not (directory / FILE_NAME).exists():
        yield fine(what, f"none yet in {directory}", path=str(directory))
        return
    yield from _told(what, check.folder_findings(directory, FILE_NAME))
    try:
        with Gallery.open(directory) as gallery:
            damage = list(_told(what, gallery.findings()))
            stats, sha256 = gallery.stats(), gallery.fingerprint.recogniser_sha256
    except GalleryError as error:
        yield refusal(what, error)
        return
    yield from damage
    if all(finding.level is not Level.ERROR for finding in damage):
        holds = f"{counted(stats.subjects, 'subject')}, {counted(stats.templates, 'template')}"
        yield fine(
            what,
            f"{holds}, made with {stats.model}, {directory}",
            path=str(directory),
            templates=stats.templates,
        )
    name = "NAME" if stats.model is None else stats.model
    if sha256 not in models:
        yield warning(what, f"{name}, which made it, is not installed", command("arcface models pull", name))
    elif in_force not in (None, sha256):
        yield warning(
            what, f"made with {name}, but another model is in force", command("arcface models use", name)
        )


def _told(what: str, found: Iterator[check.Finding]) -> Iterator[Finding]:
    for each in islice(found, TOLD):
        make = warning if each.code in HARMLESS else wrong
        yield make(what, f"{each.where}: {each.problem}", each.mend, code=each.code)
    if (rest := sum(1 for _ in found)) > 0:
        yield wrong(what, counted(rest, "more finding"), "arcface gallery check")
