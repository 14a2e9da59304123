"""What is said of FAISS, and of a gallery."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcface_cli.diagnosis.apart import Answer
from arcface_cli.diagnosis.findings import Finding, Level
from arcface_cli.diagnosis.packages import Owner
from arcface_cli.gallery.inspection import gallery_findings, search_findings
from arcface_cli.gallery.store import FILE_NAME, Gallery
from fake_machines import CPU, OPENCV, gpu_machine, machine
from gallery_samples import FINGERPRINT, entry

MODEL = FINGERPRINT.recogniser_sha256
ABSENT = Answer(failure="ModuleNotFoundError: No module named 'faiss'")


def one(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_faiss_is_told_with_its_version_and_gpus() -> None:
    assert one(list(search_findings(machine(), gpus=False))).detail == "FAISS 1.15.1, for the CPU"
    assert one(list(search_findings(gpu_machine(), gpus=True))).detail == "FAISS 1.15.1, sees 1 GPU"


def test_on_a_cpu_faiss_may_be_absent() -> None:
    finding = one(list(search_findings(machine(CPU, OPENCV, survey_search=ABSENT), gpus=False)))
    assert (finding.level, finding.mend) == (Level.OK, None)


def test_beside_a_gpu_that_works_faiss_is_wanted() -> None:
    finding = one(list(search_findings(machine(CPU, OPENCV, survey_search=ABSENT), gpus=True)))
    assert (finding.level, finding.mend) == (Level.WARNING, "/env/bin/python -m pip install faiss-gpu")


def test_a_faiss_that_sees_no_gpu_beside_one_that_works_is_replaced() -> None:
    finding = one(list(search_findings(machine(), gpus=True)))
    assert finding.level is Level.WARNING
    assert finding.mend == (
        "/env/bin/python -m pip uninstall -y faiss-cpu && /env/bin/python -m pip install faiss-gpu"
    )


def test_a_faiss_that_crashes_is_installed_again() -> None:
    here = machine(survey_search=Answer(failure="the process was ended by SIGILL"))
    finding = one(list(search_findings(here, gpus=False)))
    assert finding.level is Level.ERROR
    assert str(finding.mend).endswith("--force-reinstall --no-deps faiss-cpu==1.15.1")


def test_two_builds_of_faiss_clash() -> None:
    both = machine(CPU, OPENCV, Owner("faiss-cpu", "1.15", "faiss/x.so"), Owner("faiss-gpu", "1.14"))
    clash, _ = search_findings(both, gpus=False)
    assert clash.level is Level.ERROR
    assert str(clash.mend).endswith("install faiss-cpu==1.15")


@pytest.fixture
def enrolled(tmp_path: Path) -> Path:
    folder = tmp_path / "gallery"
    with Gallery.create(folder, FINGERPRINT, model="compact") as gallery:
        gallery.add([entry("ada", "1"), entry("bob", "2")])
    return folder


def test_no_gallery_yet_is_nothing_wrong(tmp_path: Path) -> None:
    finding = one(list(gallery_findings(tmp_path / "none", {MODEL})))
    assert finding.level is Level.OK
    assert "none yet" in finding.detail


def test_a_sound_gallery_is_counted(enrolled: Path) -> None:
    finding = one(list(gallery_findings(enrolled, {MODEL})))
    assert finding.level is Level.OK
    assert finding.detail.startswith("2 subjects, 2 templates, made with compact")


def test_a_gallery_whose_model_is_gone_says_what_to_pull(enrolled: Path) -> None:
    *_, finding = gallery_findings(enrolled, set())
    assert (finding.level, finding.mend) == (Level.WARNING, "arcface models pull compact")


def test_a_gallery_of_another_model_than_the_one_in_force_says_which_to_use(enrolled: Path) -> None:
    *_, finding = gallery_findings(enrolled, {MODEL, "ef" * 32}, "ef" * 32)
    assert (finding.level, finding.mend) == (Level.WARNING, "arcface models use compact")
    assert len(list(gallery_findings(enrolled, {MODEL}, MODEL))) == 1


def test_a_gallery_that_others_may_read_is_a_warning(enrolled: Path) -> None:
    (enrolled / FILE_NAME).chmod(0o644)
    finding, *_ = gallery_findings(enrolled, {MODEL})
    assert (finding.level, finding.facts["code"]) == (Level.WARNING, "readable_by_others")
    assert finding.mend == f"chmod go= {enrolled / FILE_NAME}"


def test_a_file_that_is_no_gallery_is_an_error(enrolled: Path) -> None:
    (enrolled / FILE_NAME).write_bytes(b"no database at all" * 100)
    finding = list(gallery_findings(enrolled, {MODEL}))[-1]
    assert finding.level is Level.ERROR
    assert finding.mend


def test_much_damage_is_told_of_in_short(enrolled: Path) -> None:
    import sqlite3

    with Gallery.open(enrolled, writable=True) as gallery:
        gallery.add([entry(f"p{number}", f"photo {number}") for number in range(20)])
    with sqlite3.connect(enrolled / FILE_NAME) as connection:
        connection.execute("UPDATE features SET checksum = checksum + 1")
    found = list(gallery_findings(enrolled, {MODEL}))
    assert [finding.level for finding in found] == [Level.ERROR] * len(found)
    assert 2 < len(found) < 10
    assert found[-1].mend == "arcface gallery check"
