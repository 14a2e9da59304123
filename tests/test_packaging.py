"""What pip gives: a wheel with the catalogue and no weights, and a plain word where no runtime is."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
RUNTIMES = ("onnxruntime", "faiss", "insightface")
CORE_MODULES = ("numpy", "cv2", "typer", "rich", "requests", "msgspec", "simplejpeg")
WEIGHTS_AND_PICTURES = (".onnx", ".npz", ".npy", ".zip", ".jpg", ".png", ".sqlite3")
LARGEST_WHEEL = 1_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip builds it from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, CHECKOUT],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "hatchling" in built.stderr and "Could not find a version" in built.stderr:
        pytest.skip("pip can reach no package index to fetch the build backend from")
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_holds_the_catalogue_and_every_card_but_no_weights(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {
        f"arcface_cli/models/{path.name}" for path in (CHECKOUT / "models").iterdir() if path.is_file()
    }
    assert "arcface_cli/models/catalogue.toml" in shipped
    assert shipped <= names
    assert {"arcface_cli/py.typed", "arcface_cli/gallery/store.py"} <= names
    assert not [name for name in names if name.endswith(WEIGHTS_AND_PICTURES)]
    assert all(name.startswith(("arcface_cli/", "arcface_cli-")) for name in names)
    assert wheel.stat().st_size < LARGEST_WHEEL


@pytest.fixture(scope="module")
def without_runtime(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of the unpacked wheel and of all that is installed here but the runtimes."""
    unpacked, packages = tmp_path_factory.mktemp("unpacked"), tmp_path_factory.mktemp("packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    homes = {Path(__import__(name).__file__ or "").resolve().parents[1] for name in CORE_MODULES}
    for home in homes:
        for entry in home.iterdir():
            if not entry.name.startswith((*RUNTIMES, "arcface", "_arcface", "__")):
                (packages / entry.name).symlink_to(entry)
    return unpacked, packages


def _run(folders: tuple[Path, ...], tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        f"import sys; sys.path[:0] = {list(map(str, folders))}; import arcface_cli.cli.app as a; a.main()"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, *arguments],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("align", "a.jpg", "-o", "crops"),
        ("embed", "a.jpg"),
        ("enroll", "--name", "Ada", "a.jpg"),
        ("identify", "a.jpg"),
        ("verify", "a.jpg", "b.jpg"),
        ("demo",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_a_runtime_a_verb_says_in_one_line_which_extra_to_install(
    without_runtime: tuple[Path, Path], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ran = _run(without_runtime, tmp_path, *arguments)
    assert (ran.returncode, ran.stdout) == (5, ""), ran.stderr
    assert ran.stderr.count("\n") == 1
    assert "pip install '.[cpu]'" in ran.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("--help",), ("identify", "--help"), ("models", "list"), ("config", "show")]
)
def test_without_a_runtime_what_needs_none_works(
    without_runtime: tuple[Path, Path], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ran = _run(without_runtime, tmp_path, *arguments)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout
