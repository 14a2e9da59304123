from __future__ import annotations

import re

import pytest

from arcface_cli.errors import UsageError, WeightsDamaged
from arcface_cli.weights.catalogue import (
    Additions,
    HttpsSource,
    PackEntry,
    model_card,
    parse_catalogue,
    shipped_catalogue,
)

LICENCE = '[[licence]]\nid = "mit"\nname = "MIT"\nrestricted = false\nnotice = "free"\n'
FILE = f'[[file]]\nid = "a"\nname = "a.onnx"\nsha256 = "{"0" * 64}"\nkind = "detector"\nlicence = "mit"\n'


def test_every_pack_that_the_command_line_promises_is_in_the_catalogue() -> None:
    packs = {pack.name for pack in shipped_catalogue().pack}
    assert packs == {
        "auraface", "antelopev2", "buffalo_l", "buffalo_s", "buffalo_sc", "compact", "compact-mirror",
    }  # fmt: skip
    detectors = {entry.name for entry in shipped_catalogue().detector}
    assert detectors >= {"scrfd_500m", "scrfd_2.5g", "scrfd_10g", "yunet", "centerface"}


def test_every_network_has_a_card_that_names_its_hash_and_licence() -> None:
    catalogue = shipped_catalogue()
    for file in catalogue.file:
        if file.kind == "sample":
            continue
        card = model_card(file)
        assert card is not None, file.id
        assert file.sha256 in card
        assert catalogue.licence_of(file).name.split(":")[0].split(" ")[0] in card


def test_preprocessing_is_one_canonical_line() -> None:
    catalogue = shipped_catalogue()
    lines = {entry.name: entry.preprocessing for entry in catalogue.models}
    assert lines["mobilefacenet_512"] == "rgb,(x-127.5)/127.5"
    assert lines["scrfd_10g"] == "rgb,(x-127.5)/128"
    assert lines["yunet"] == "bgr,(x-0)/1"
    assert lines["arcfaceresnet100"] == "rgb,in-graph"


def test_a_default_threshold_stands_on_measured_or_published_figures() -> None:
    catalogue = shipped_catalogue()
    compact = catalogue.find_recogniser("mobilefacenet_512")
    assert compact is not None and compact.default_threshold is not None
    assert (compact.default_threshold.similarity, compact.default_threshold.fmr) == (0.4220, 1e-4)
    assert compact.default_threshold.impostor_comparisons == 87_307_271
    unmeasured = catalogue.find_recogniser("glintr100")
    assert unmeasured is not None and unmeasured.default_threshold is None


def test_a_stricter_stated_threshold_never_matches_more_impostors() -> None:
    for entry in shipped_catalogue().recogniser:
        points = sorted(entry.stated_thresholds, key=lambda point: point.similarity)
        assert [point.fmr for point in points] == sorted((point.fmr for point in points), reverse=True)


def test_a_member_of_an_archive_is_always_pinned_by_the_archives_hash() -> None:
    with pytest.raises(ValueError, match="needs the archive's sha256"):
        HttpsSource("https://example.org/a.zip", member="a.onnx")
    for file in shipped_catalogue().file:
        for source in file.sources:
            assert (source.member is None) == (source.artifact_sha256 is None)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("version = 2", "version"),
        ("surprise = 1", "surprise"),
        (LICENCE + FILE.replace("0" * 64, "0" * 63), "sha256"),
        (LICENCE + FILE.replace('"a.onnx"', '"../a.onnx"'), "name"),
        (LICENCE + FILE + FILE, "two entries have the file 'a'"),
        (FILE, "no licence is called 'mit'"),
        ('[[pack]]\nname = "p"\ndetector = "d"\nrecogniser = "r"\n', "no detector is called 'd'"),
        (LICENCE + FILE + 'sources = [{ kind = "https", url = "http://plain" }]', "https"),
        (LICENCE + FILE + 'sources = [{ kind = "ftp", url = "ftp://x" }]', "ftp"),
        ("= no toml", "no TOML"),
    ],
)
def test_a_wrong_catalogue_is_refused_with_the_place(document: str, complaint: str) -> None:
    with pytest.raises(WeightsDamaged, match=re.escape(complaint)) as caught:
        parse_catalogue(document, "catalogue.toml")
    assert caught.value.message.startswith("catalogue.toml: ")


def test_an_unknown_name_tells_where_the_names_are() -> None:
    with pytest.raises(UsageError, match="no model is called 'nosuch'") as caught:
        shipped_catalogue().files_of_model("nosuch")
    assert caught.value.hint is not None and "arcface models list" in caught.value.hint


def test_imported_entries_may_refer_to_shipped_ones() -> None:
    pack = PackEntry("mine", "yunet", "w600k_r50")
    extended = shipped_catalogue().extended(Additions(pack=(pack,)))
    assert [file.id for file in extended.files_of_model("mine")] == ["yunet", "w600k_r50"]
    with pytest.raises(ValueError, match="no detector is called"):
        shipped_catalogue().extended(Additions(pack=(PackEntry("mine", "gone", "w600k_r50"),)))
