"""A process that enrols batches and says so: python enrolling.py GALLERY NAME BATCHES [FILE_SIZE_LIMIT].

With ARCFACE_CRASH_CACHE set it also brings the vector cache up to date after each batch. Prints "committed
NAME-I" once batch I is stored. With a limit in bytes files can't grow beyond it, as on a full disk; the error
then ends it with its exit status, its message on stderr.
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
from pathlib import Path

from arcface_cli.errors import ArcfaceError
from arcface_cli.gallery.store import Gallery
from gallery_samples import FINGERPRINT, entry

BATCH = 7


def main(directory: str, name: str, batches: str, limit: str | None = None) -> None:
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    numbers = itertools.count() if batches == "endless" else range(int(batches))
    with Gallery.open_or_create(Path(directory), FINGERPRINT) as gallery:
        for number in numbers:
            subject = f"{name}-{number}"
            gallery.add([entry(subject, f"{subject}-{i}") for i in range(BATCH)])
            print(f"committed {subject}", flush=True)  # noqa: T201
            if "ARCFACE_CRASH_CACHE" in os.environ:
                gallery.snapshot(cached_from=0)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ArcfaceError as error:
        sys.stderr.write(f"{error.message}\n")
        sys.exit(error.exit_status)
