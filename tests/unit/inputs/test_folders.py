from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arcface_cli.errors import ArcfaceError, InvalidSubjectName, MissingFile, NoInputs, UsageError
from arcface_cli.inputs.folders import flat_folder, people, photos
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.photo import Photo
from arcface_cli.inputs.walking import SUFFIXES


def plant(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def found(root: Path, *, recursive: bool = False) -> list[str]:
    return [str(photo.path.relative_to(root)) for photo in photos([root], recursive=recursive) if photo.path]


def subjects(root: Path) -> list[tuple[str, str | None]]:
    return [(str(photo.path.relative_to(root)), photo.subject) for photo in people([root]) if photo.path]


def failure(photo: Photo) -> ArcfaceError:
    with pytest.raises(ArcfaceError) as caught:
        photo.read()
    return caught.value


def test_a_named_file_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    plant(tmp_path, "portrait.bin")
    (photo,) = photos([tmp_path / "portrait.bin"])
    assert photo.named
    assert photo.read() == b"x"


def test_a_folder_stands_for_its_photographs_in_natural_order(tmp_path: Path) -> None:
    plant(tmp_path, "p10.jpg", "p9.JPG", "notes.txt", ".hidden.jpg", "p1.HeIc", "sub/deep.jpg", "jpg")
    assert found(tmp_path) == ["p1.HeIc", "p9.JPG", "p10.jpg"]
    assert not any(photo.named for photo in photos([tmp_path]))


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_known_suffix_counts_in_any_case(tmp_path: Path, suffix: str) -> None:
    plant(tmp_path, f"a{suffix}", f"b{suffix.upper()}")
    assert found(tmp_path) == [f"a{suffix}", f"b{suffix.upper()}"]


def test_recursion_goes_through_sub_folders_after_the_folders_own_files(tmp_path: Path) -> None:
    plant(tmp_path, "z.jpg", "a2/x.jpg", "a10/x.jpg", "a2/deeper/y.jpg", ".git/no.jpg")
    assert found(tmp_path, recursive=True) == ["z.jpg", "a2/x.jpg", "a2/deeper/y.jpg", "a10/x.jpg"]


def test_a_folder_whose_name_looks_like_a_photograph_is_still_a_folder(tmp_path: Path) -> None:
    plant(tmp_path, "album.jpg/a.jpg")
    assert found(tmp_path, recursive=True) == ["album.jpg/a.jpg"]


def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    plant(tmp_path, "real/a.jpg")
    plant(tmp_path / "real", "b/c.jpg")
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "real" / "self").symlink_to(".")
    (tmp_path / "zlink").symlink_to("real")
    assert found(tmp_path, recursive=True) == ["real/a.jpg", "real/b/c.jpg"]


def test_a_broken_link_in_a_folder_costs_one_record(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").symlink_to("gone.jpg")
    _, broken = photos([tmp_path])
    assert isinstance(failure(broken), MissingFile)


def test_a_missing_path_costs_one_record_and_not_the_run(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    missing, there = photos([tmp_path / "gone.jpg", tmp_path / "a.jpg"])
    assert isinstance(failure(missing), MissingFile)
    assert missing.named
    assert there.read() == b"x"


def test_a_folder_without_photographs_says_so(tmp_path: Path) -> None:
    plant(tmp_path, "notes.txt")
    (photo,) = photos([tmp_path], recursive=True)
    error = failure(photo)
    assert isinstance(error, NoInputs)
    assert "holds no photographs" in error.message
    assert error.hint is not None and ".jpg" in error.hint


def test_photographs_in_sub_folders_are_hinted_at(tmp_path: Path) -> None:
    plant(tmp_path, "sub/sub/a.jpg")
    (photo,) = photos([tmp_path])
    assert failure(photo).hint == "its sub-folders hold some: add -r"


def test_a_dash_is_standard_input_once(tmp_path: Path) -> None:
    (photo,) = photos(["-"], stdin=io.BytesIO(b"jpeg"))
    assert photo.path is None
    assert photo.read() == b"jpeg"
    with pytest.raises(UsageError, match="only once"):
        photos(["-", "-"], stdin=io.BytesIO(b""))


def test_a_folder_that_may_not_be_listed_costs_one_record(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "locked/2.jpg", "z/3.jpg")
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    (tmp_path / "locked").chmod(0)
    code = (
        "import os, sys; from arcface_cli.inputs.folders import photos\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "for photo in photos([sys.argv[1]], recursive=True):\n"
        "    print(photo.path.name, photo.failure.code if photo.failure else 'fine')"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["1.jpg fine", "locked permission_denied", "3.jpg fine"]


def test_a_folder_that_vanishes_during_the_walk_is_missing_as_a_photograph_would_be(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg")
    walked = photos([tmp_path], recursive=True)
    next(walked)
    shutil.rmtree(tmp_path / "b")
    vanished, last = walked
    assert isinstance(failure(vanished), MissingFile)
    assert (vanished.path, last.path) == (tmp_path / "b", tmp_path / "c" / "3.jpg")


def test_a_tree_deeper_than_pythons_stack_is_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("a.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    depths = [path.count("d/") for path in found(tmp_path, recursive=True)]
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # pytest's own clean-up recurses
    assert depths == [1500]


def test_photographs_are_listed_only_as_they_are_asked_for(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "b/2.jpg")
    stream = photos([tmp_path], recursive=True)
    assert next(stream).display.endswith("1.jpg")
    plant(tmp_path, "b/3.jpg")
    assert [photo.path.name for photo in stream if photo.path] == ["2.jpg", "3.jpg"]


def test_photographs_with_names_of_any_bytes_are_found(tmp_path: Path) -> None:
    name = b"caf\xe9\n.jpg"
    with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:  # noqa: PTH118, PTH123 - bytes
        file.write(b"x")
    (photo,) = photos([tmp_path])
    assert photo.raw.endswith(name)
    assert photo.display.endswith(r"caf\xe9\n.jpg")
    assert photo.base64_if_escaped is not None
    assert photo.read() == b"x"


def test_each_sub_folder_is_a_person_with_all_that_lies_below(tmp_path: Path) -> None:
    plant(tmp_path, "bob/2020/b.jpg", "bob/a.jpg", "Alice/1.jpg")
    assert subjects(tmp_path) == [("Alice/1.jpg", "Alice"), ("bob/a.jpg", "bob"), ("bob/2020/b.jpg", "bob")]


def test_photographs_beside_the_people_belong_to_nobody(tmp_path: Path) -> None:
    plant(tmp_path, "group.jpg", "alice/1.jpg")
    assert subjects(tmp_path) == [("group.jpg", None), ("alice/1.jpg", "alice")]


def test_a_folder_of_photographs_is_one_person(tmp_path: Path) -> None:
    plant(tmp_path, "alice/1.jpg", "alice/2.jpg", "alice/notes/readme.txt")
    assert subjects(tmp_path / "alice") == [("1.jpg", "alice"), ("2.jpg", "alice")]


def test_a_folder_that_links_to_itself_is_still_one_person(tmp_path: Path) -> None:
    plant(tmp_path, "alice/1.jpg")
    (tmp_path / "alice" / "loop").symlink_to(".")
    assert subjects(tmp_path / "alice") == [("1.jpg", "alice")]


def test_the_current_folder_can_be_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "alice/1.jpg")
    monkeypatch.chdir(tmp_path / "alice")
    assert [photo.subject for photo in people([Path()])] == ["alice"]


def test_a_persons_name_is_in_nfc(tmp_path: Path) -> None:
    plant(tmp_path, "Rene\u0301/1.jpg")
    assert [photo.subject for photo in people([tmp_path])] == ["Ren\u00e9"]


@pytest.mark.parametrize("name", [b"b\xff", b"a\nb", b"ada\n", b"\x1b[31m"])
def test_nobody_is_named_after_a_folder_whose_name_only_escapes_can_show(tmp_path: Path, name: bytes) -> None:
    odd = tmp_path / os.fsdecode(name)
    plant(tmp_path, f"{os.fsdecode(name)}/1.jpg", f"{os.fsdecode(name)}/2.jpg")
    for typed in (tmp_path, odd):
        for photo in people([typed]):
            error = failure(photo)
            assert isinstance(error, InvalidSubjectName)
            assert printable(odd.name) in error.message
            assert error.hint is not None and "--name" in error.hint
    assert flat_folder([odd]) is None
    assert [photo.failure for photo in photos([odd])] == [None, None]  # with --name NAME


def test_a_folder_whose_name_looks_like_an_escape_is_a_person_of_that_name(tmp_path: Path) -> None:
    plant(tmp_path, r"b\xff/1.jpg", os.fsdecode(b"b\xff/2.jpg"))
    found = {photo.failure is None: photo.display for photo in people([tmp_path])}
    assert found[True].endswith("1.jpg")
    assert found[False].endswith("2.jpg")


def test_a_photograph_named_by_itself_has_no_subject_and_a_missing_folder_is_missing(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    alone, missing = people([tmp_path / "a.jpg", tmp_path / "gone"])
    assert alone.subject is None
    assert isinstance(failure(missing), MissingFile)


def test_people_without_any_photograph_is_one_failure(tmp_path: Path) -> None:
    plant(tmp_path, "alice/notes.txt")
    (photo,) = people([tmp_path])
    assert isinstance(failure(photo), NoInputs)


def test_an_empty_name_is_refused_and_never_means_the_current_folder() -> None:
    for inputs in (photos, people):
        with pytest.raises(UsageError, match="an empty name"):
            inputs(["a.jpg", ""])


def test_a_flat_folder_is_one_persons_and_can_be_told(tmp_path: Path) -> None:
    plant(tmp_path, "ada/1.jpg", "ada/2.jpg", "ada/notes.txt", "ada/empty/notes.txt")
    flat = flat_folder([str(tmp_path / "ada")])
    assert flat is not None
    assert (flat.photographs, flat.subject) == (2, "ada")
    assert {photo.subject for photo in people([str(tmp_path / "ada")])} == {"ada"}


@pytest.mark.parametrize(
    "named", [["people"], ["people/ada", "people/bob"], ["people/ada/1.jpg"], ["one"], ["gone"]]
)
def test_folders_of_people_several_folders_and_single_photographs_are_not_flat(
    tmp_path: Path, named: list[str]
) -> None:
    plant(
        tmp_path, "people/ada/1.jpg", "people/ada/2.jpg", "people/bob/1.jpg", "people/1.jpg", "people/2.jpg"
    )
    plant(tmp_path, "one/1.jpg")
    assert flat_folder([str(tmp_path / name) for name in named]) is None
