"""The aligned face behind a template: the crop that was kept, or the photograph cut anew by its landmarks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arcface_cli.alignment import similarity_to_template
from arcface_cli.errors import ArcfaceError, InputError, UnreadableImage, UsageError
from arcface_cli.faces import CROP_SIDE
from arcface_cli.gallery.entries import StoredTemplate
from arcface_cli.imaging.decode import MAX_PIXELS, decode
from arcface_cli.imaging.geometry import warp
from arcface_cli.inputs.photo import Photo

Kept = Callable[[int], bytes | None]
"""Template id -> the crop that a gallery keeps, if it does."""


def crop_of(template: StoredTemplate, kept: Kept) -> NDArray[np.uint8]:
    """(112, 112, 3) uint8 BGR.

    Raises InputError or UsageError when there is no crop, and the photograph is gone or is another one now.
    """
    png = kept(template.template_id)
    if png is not None:
        return _checked(
            decode(png, name=f"the crop of template {template.template_id}", max_pixels=MAX_PIXELS)
        )
    photo = Photo(Path(os.fsdecode(template.source_path)))
    data = photo.read()
    if hashlib.sha256(data).hexdigest() != template.content_sha256:
        raise UnreadableImage(
            f"{photo.display}: is another photograph than the one that was enrolled",
            hint="enroll it again: arcface enroll ./people/ --sync",
        )
    image = decode(data, name=photo.display, max_pixels=MAX_PIXELS)
    transform = similarity_to_template(template.face.points.array[np.newaxis])
    crop: NDArray[np.uint8] = warp(image, transform)[0]
    return crop


def crop_or_reason(template: StoredTemplate, kept: Kept) -> NDArray[np.uint8] | ArcfaceError:
    """The crop, or why there is none."""
    try:
        return crop_of(template, kept)
    except (InputError, UsageError) as reason:
        return reason


def _checked(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if crop.shape != (CROP_SIDE, CROP_SIDE, 3):
        raise UnreadableImage(f"a kept crop is {crop.shape}, not {CROP_SIDE} pixels wide and high")
    return crop
