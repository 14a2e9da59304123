"""What was embedded once is not embedded again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from arcface_cli.errors import NoFace, UnreadableImage
from arcface_cli.faces import Done, Failed, Skipped
from arcface_cli.gallery.template_cache import TemplateCache
from arcface_cli.inputs.photo import Photo
from arcface_cli.pipeline import PhotoOutcome
from arcface_cli.workflows.templates import Templates, embed_photos
from fakes import face_at, seen_faces, unit

VIEW = "cd" * 32


class Networks:
    """Counts the photographs that it is shown; a photograph's first letter says what becomes of it."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def __call__(self, photos: Iterator[Photo]) -> Iterable[PhotoOutcome]:
        for photo in photos:
            name = Path(str(photo.path)).name
            self.shown.append(name)
            if name.startswith("empty"):
                yield photo, Skipped(NoFace(f"{name}: no face"))
            elif name.startswith("broken"):
                yield photo, Failed(UnreadableImage(f"{name}: broken"))
            else:
                yield photo, Done(seen_faces([face_at()], unit(1, 2, 3, len(self.shown))))


def embedded(folder: Path, names: list[str], networks: Networks) -> Templates:
    with TemplateCache(folder / "cache", 4) as cache:
        return embed_photos(
            [folder / name for name in names], cache, VIEW, 4, networks, lambda done, total: None
        )


def photographs(folder: Path, *names: str) -> list[str]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return list(names)


def test_ten_thousand_cached_photographs_cost_no_inference(tmp_path: Path) -> None:
    names = photographs(tmp_path, *(f"{number}.jpg" for number in range(10_000)))
    first, second = Networks(), Networks()
    before = embedded(tmp_path, names, first)
    after = embedded(tmp_path, names, second)
    assert (before.inferences, len(first.shown)) == (10_000, 10_000)
    assert (after.inferences, second.shown) == (0, [])
    np.testing.assert_array_equal(before.features, after.features)


def test_equal_content_under_two_names_is_embedded_once(tmp_path: Path) -> None:
    photographs(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "copy.jpg").write_bytes(b"a.jpg")
    networks = Networks()
    found = embedded(tmp_path, ["a.jpg", "b.jpg", "copy.jpg"], networks)
    assert networks.shown == ["a.jpg", "b.jpg"]
    np.testing.assert_array_equal(found.features[0], found.features[2])


def test_a_photograph_without_a_face_is_remembered_and_an_unreadable_one_is_tried_again(
    tmp_path: Path,
) -> None:
    names = photographs(tmp_path, "a.jpg", "empty.jpg", "broken.jpg")
    embedded(tmp_path, names, Networks())
    networks = Networks()
    found = embedded(tmp_path, [*names, "missing.jpg"], networks)
    assert networks.shown == ["broken.jpg"]
    assert found.reasons == (None, "no_face", "unreadable_image", "missing_file")
    assert found.failed.tolist() == [False, True, True, True]
    assert not found.features[1:].any()
