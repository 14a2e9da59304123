"""Who brings an imported package, told from what pip leaves behind."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest

from arcface_cli.diagnosis.findings import Level
from arcface_cli.diagnosis.packages import RUNTIME, Installer, Owner, examine_owners, owners

PIP = Installer("/env/bin/python")
CPU, GPU = Owner("onnxruntime", "1.32.0"), Owner("onnxruntime-gpu", "1.31.1")


def install(site: Path, name: str, version: str, files: Mapping[str, str], installer: str = "pip") -> None:
    """Write a distribution as pip does: its files, and a RECORD with their sizes."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "INSTALLER").write_text(f"{installer}\n")
    (folder / "RECORD").write_text("".join(f"{path},,{len(text)}\n" for path, text in files.items()))
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)


def found_in(site: Path) -> list[Owner]:
    return owners(RUNTIME, lambda: metadata.distributions(path=[str(site)]))


def test_a_whole_distribution_is_found_with_its_version(tmp_path: Path) -> None:
    install(
        tmp_path, "onnxruntime", "1.32.0", {"onnxruntime/__init__.py": "a", "onnxruntime/capi/x.so": "bb"}
    )
    install(tmp_path, "numpy", "2.0", {"numpy/__init__.py": ""})
    assert found_in(tmp_path) == [CPU]


def test_a_name_alike_that_brings_another_package_is_no_owner(tmp_path: Path) -> None:
    install(tmp_path, "onnxruntime-genai", "0.5", {"onnxruntime_genai/__init__.py": ""})
    assert found_in(tmp_path) == []


def test_the_one_that_came_last_is_whole_and_the_other_is_not(tmp_path: Path) -> None:
    install(tmp_path, "onnxruntime", "1.32.0", {"onnxruntime/__init__.py": "first"})
    install(tmp_path, "onnxruntime-gpu", "1.31.1", {"onnxruntime/__init__.py": "second"})
    assert found_in(tmp_path) == [Owner("onnxruntime", "1.32.0", damaged="onnxruntime/__init__.py"), GPU]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    install(tmp_path, "onnxruntime", "1.32.0", {"onnxruntime/__init__.py": "", "onnxruntime/capi/x.so": "bb"})
    (tmp_path / "onnxruntime" / "capi" / "x.so").unlink()
    assert found_in(tmp_path)[0].damaged == "onnxruntime/capi/x.so"


def test_two_on_the_path_count_once_as_python_imports_the_first(tmp_path: Path) -> None:
    for folder, version in (("a", "1.0"), ("b", "2.0")):
        install(tmp_path / folder, "onnxruntime", version, {"onnxruntime/__init__.py": ""})
    both = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert owners(RUNTIME, lambda: metadata.distributions(path=both)) == [Owner("onnxruntime", "1.0")]


def test_one_whole_owner_is_fine() -> None:
    finding = examine_owners(RUNTIME, [CPU], "onnxruntime", PIP)
    assert (finding.level, finding.mend, finding.facts) == (Level.OK, None, {"onnxruntime": "1.32.0"})


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [("onnxruntime", "onnxruntime==1.32.0"), ("onnxruntime-gpu", "'onnxruntime-gpu[cuda,cudnn]==1.31.1'")],
)
def test_two_owners_are_removed_and_one_is_installed_again(kept: str, wanted: str) -> None:
    finding = examine_owners(RUNTIME, [Owner("onnxruntime", "1.32.0", "x.so"), GPU], kept, PIP)
    assert finding.level is Level.ERROR
    assert "onnxruntime 1.32.0 and onnxruntime-gpu 1.31.1 overwrite each other" in finding.detail
    assert "the files are those of onnxruntime-gpu" in finding.detail
    assert finding.mend == (
        "/env/bin/python -m pip uninstall -y onnxruntime onnxruntime-gpu && "
        f"/env/bin/python -m pip install {wanted}"
    )


def test_two_owners_that_are_both_incomplete_are_a_mixture() -> None:
    both = [Owner("onnxruntime", "1", "a.so"), Owner("onnxruntime-gpu", "2", "a.so")]
    assert "the files are a mixture" in examine_owners(RUNTIME, both, "onnxruntime", PIP).detail


def test_a_damaged_owner_is_installed_again_over_itself() -> None:
    finding = examine_owners(RUNTIME, [Owner("onnxruntime", "1.32.0", "capi/x.so")], "onnxruntime", PIP)
    assert finding.level is Level.ERROR
    assert "capi/x.so" in finding.detail
    assert finding.mend == "/env/bin/python -m pip install --force-reinstall --no-deps onnxruntime==1.32.0"


def test_a_local_version_is_on_no_index_and_not_asked_for() -> None:
    assert Owner("onnxruntime-gpu", "1.20.0+cu118").requirement == "onnxruntime-gpu[cuda,cudnn]"


def test_uv_is_named_where_there_is_no_pip() -> None:
    uv = Installer("/env/bin/python", pip=False)
    assert uv.replace([CPU, GPU], "onnxruntime") == (
        "uv pip uninstall --python /env/bin/python onnxruntime onnxruntime-gpu && "
        "uv pip install --python /env/bin/python onnxruntime"
    )
    assert "--reinstall --no-deps" in uv.install("onnxruntime", again=True)


def test_a_path_with_a_blank_is_quoted() -> None:
    command = Installer("/my env/bin/python").install("onnxruntime-gpu[cuda,cudnn]")
    assert shlex.split(command) == [
        "/my env/bin/python", "-m", "pip", "install", "onnxruntime-gpu[cuda,cudnn]",
    ]  # fmt: skip
