"""`align`'s folder: a PNG a face, named after its photograph, and a manifest with a record a photograph."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import UsageError
from arcface_cli.imaging.geometry import encode_png
from arcface_cli.imaging.signature import signed
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo
from arcface_cli.output.files import make_folder, output_file, require_replaceable, telling_output
from arcface_cli.output.records import Record
from arcface_cli.output.resume import begins
from arcface_cli.output.sinks import to_json

MANIFEST = "manifest.jsonl"
_BEGINNING, _COMMAND = b'{"schema": ', b', "command": "align"'
"""How a record of `align` begins, before and behind the version."""


def file_stem(photo: Photo) -> str:
    """NAME-HASH: the photograph's name, and eight digits of the hash of its path, as two may have one name.

    A file name holds 255 bytes, so a long name is cut, between letters, to 150.
    """
    name = "stdin" if photo.path is None else Path(photo.display.replace("\\", "_")).stem
    short = name.encode()[:150].decode(errors="ignore")
    return f"{short}-{hashlib.sha256(photo.raw).hexdigest()[:8]}"


def require_own_manifest(folder: Path) -> None:
    """Raise UsageError where the folder holds a manifest.jsonl that no `align` wrote: nobody typed that name.

    A run that was killed may have left a beginning of its first record. Why a file can't be read is for its
    writer to tell.
    """
    path = folder / MANIFEST
    with contextlib.suppress(OSError), path.open("rb") as file:
        head, version = file.read(64), len(_BEGINNING)
        if not (begins(head, _BEGINNING) and begins(head[version:].lstrip(b"0123456789"), _COMMAND)):
            raise UsageError(
                f"{printable(str(path))} is not of arcface align, and would be replaced",
                hint="name another folder with -o, or move that file away",
            )


class CropFolder:
    """Saves crops as they come; the manifest appears under its name when the run ends well.

    A crop is called NAME-HASH-FACE.png: the photograph's name, eight digits of the hash of its path (two
    photographs may have one name) and the face's number. The same run writes the same names again.
    earlier: the manifest of an earlier run, where that is continued.
    """

    def __init__(
        self, folder: Path, earlier: contextlib.AbstractContextManager[BinaryIO] | None = None
    ) -> None:
        self._folder = folder
        self._earlier = earlier
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> CropFolder:
        make_folder(self._folder)
        self._manifest = self._closing.enter_context(output_file(self._folder / MANIFEST, self._earlier))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._closing.__exit__(kind, error, trace)

    def save(self, photo: Photo, crops: NDArray[np.uint8]) -> tuple[Path, ...]:
        """Save the crops (B, 112, 112, 3) uint8 BGR of one photograph. Raises OutputError.

        A file of the same name is replaced if arcface wrote it, else UsageError is raised.
        """
        stem = file_stem(photo)
        paths = tuple(self._folder / f"{stem}-{index}.png" for index in range(len(crops)))
        for path, crop in zip(paths, crops, strict=True):
            with telling_output(str(path)):
                require_replaceable(path, picture=True)
                path.write_bytes(signed(encode_png(crop)))
        return paths

    def noted(self, record: Record) -> Record:
        """Write a record into the manifest, and hand it on."""
        with telling_output(str(self._folder / MANIFEST)):
            self._manifest.write(to_json(record) + b"\n")
            self._manifest.flush()
        return record
