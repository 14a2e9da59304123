"""`arcface evaluate` on the real lists: figures, claims, reports, and what bad lists are told."""

from __future__ import annotations

import json
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import Arcface

pytestmark = pytest.mark.real


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    """Templates are remembered from test to test, as they are from run to run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


def test_lfws_format_gives_ten_folds_and_a_table_that_stops_where_the_data_do(
    arcface: Arcface, shared_data: Path
) -> None:
    answer = arcface(
        "evaluate", "--pairs", shared_data / "lists/people_pairs.txt", shared_data / "people", "-q"
    )
    assert answer.status == 0
    told = json.loads(answer.out)
    assert told["comparisons"]["genuine"] == told["comparisons"]["impostor"] == 1500
    assert len(told["accuracy"]["accuracies"]) == 10
    assert 0.78 < told["accuracy"]["mean"] < 0.86
    supported = {row["fmr"]: row["supported"] for row in told["table"]}
    assert supported == {1e-1: True, 1e-2: True, 1e-3: False, 1e-4: False, 1e-5: False, 1e-6: False}
    assert told["table"][2]["comparisons_needed"] == 3000
    low, high = told["at_threshold"]["fnmr"]["low"], told["at_threshold"]["fnmr"]["high"]
    assert low < told["at_threshold"]["fnmr"]["rate"] < high


def test_the_second_run_embeds_nothing_and_6_000_pairs_take_under_two_seconds(
    arcface: Arcface, shared_data: Path, tmp_path: Path
) -> None:
    lines = (shared_data / "lists/people_pairs.txt").read_text().splitlines()
    pairs = [line.split() for line in lines[1:]]
    doubled = tmp_path / "pairs.txt"  # each pair once more, the other way round
    folds = [pairs[i : i + 150] for i in range(0, len(pairs), 150)]
    turned = [[[*p[:1], p[2], p[1]] if len(p) == 3 else [p[2], p[3], p[0], p[1]] for p in f] for f in folds]
    rows = [" ".join(p) for fold, other in zip(folds, turned, strict=True) for p in (*fold, *other)]
    doubled.write_text("10 300\n" + "\n".join(rows) + "\n")
    words = ("evaluate", "--pairs", doubled, shared_data / "people", "-q")
    assert arcface(*words).status == 0
    begun = time.monotonic()
    again = json.loads(arcface(*words).out)
    assert time.monotonic() - begun < 2.0
    assert again["inferences"] == 0
    assert again["comparisons"]["genuine"] + again["comparisons"]["impostor"] == 6000


def test_the_bin_and_the_csv_of_the_same_pairs_agree_as_far_as_two_detectors_do(
    arcface: Arcface, shared_data: Path, tmp_path: Path
) -> None:
    lists = shared_data / "lists"
    runs = [tmp_path / "csv.npz", tmp_path / "bin.npz"]
    csv = ("--pairs", lists / "people_front_profile_pairs.csv", shared_data / "people", "--save", runs[0])
    figures = [
        json.loads(arcface("evaluate", *words, "-q").out)
        for words in (csv, (lists / "people_front_profile_112.bin", "--save", runs[1]))
    ]
    means, spreads = zip(*((f["accuracy"]["mean"], f["accuracy"]["deviation"]) for f in figures), strict=True)
    assert abs(means[0] - means[1]) < spreads[0] + spreads[1]
    compared = arcface("evaluate", "--compare", *runs)
    assert compared.status == 0
    rows = {row["figure"]: row for row in json.loads(compared.out)["figures"]}
    assert rows["EER"]["first"] == pytest.approx(figures[0]["eer"]["rate"])
    assert rows["EER"]["low"] < rows["EER"]["difference"] < rows["EER"]["high"]
    assert not any(row["low"] > row["difference"] or row["high"] < row["difference"] for row in rows.values())


def test_press_photographs_are_all_told_apart(arcface: Arcface, shared_data: Path) -> None:
    told = json.loads(
        arcface("evaluate", "--pairs", shared_data / "lists/master.csv", shared_data / "wild", "-q").out
    )
    assert (told["comparisons"]["genuine"], told["comparisons"]["impostor"]) == (38, 262)
    assert told["eer"]["rate"] == 0.0
    assert 0 < told["at_threshold"]["fmr"]["high"] < 0.02  # 0 of 262 is not "never"
    assert told["eer"]["interval"] == [0.0, told["at_threshold"]["fnmr"]["high"]]  # nor is 0 of 38
    assert told["table"][0]["fnmr"] == 0.0 and told["table"][0]["interval"][1] > 0.05


def test_open_set_lists_with_strangers_groups_and_claims(arcface: Arcface, shared_data: Path) -> None:
    lists = shared_data / "lists"
    words = (
        "evaluate", "--gallery", lists / "people_gallery.csv", "--probes", lists / "people_probes.csv",
        shared_data / "people", "--strangers", shared_data / "strangers",
        "--attributes", lists / "people_attributes.csv", "--by", "gender", "-q",
    )  # fmt: skip
    answer = arcface(*words, "--assert", "RANK1>=0.7", "--assert", "FNIR@FPIR=0.05<=0.6")
    assert answer.status == 0
    told = json.loads(answer.out)
    assert (told["searches"]["enrolled"], told["searches"]["strangers"]) == (336, 160)
    assert [group["group"] for group in told["groups"]] == ["female", "male"]
    assert sum(group["strangers"] for group in told["groups"]) == 120  # of the 40 nothing is known
    broken = arcface(*words, "--assert", "RANK1>=0.99")
    assert broken.status == 1
    assert "does not hold: RANK1>=0.99" in broken.err
    refused = arcface(*words, "--assert", "FNIR@FPIR=0.001<=0.6")
    assert refused.status == 2
    assert "takes 3,000" in refused.err


def test_a_folder_with_distractors_is_searched_at_several_sizes(arcface: Arcface, shared_data: Path) -> None:
    answer = arcface(
        "evaluate", shared_data / "people", "--enroll", 2, "--distractors", shared_data / "strangers",
        "--sizes", "10,40", "-q",
    )  # fmt: skip
    told = json.loads(answer.out)
    assert [each["distractors"] for each in told["sizes"]] == [10, 40]
    assert [each["searches"]["subjects"] for each in told["sizes"]] == [70, 100]
    ranks = [told["rank1"]["rate"], *(each["rank1"]["rate"] for each in told["sizes"])]
    assert ranks == sorted(ranks, reverse=True)


def test_all_pairs_of_a_folder(arcface: Arcface, shared_data: Path) -> None:
    told = json.loads(arcface("evaluate", shared_data / "people", "-q").out)
    assert told["comparisons"]["genuine"] == 60 * 45
    assert told["comparisons"]["impostor"] == 177_000
    assert told["table"][3]["supported"] and not told["table"][5]["supported"]
    assert len(told["worst"]) == 12


# --- bad input ---------------------------------------------------------------------------------------


def refused(arcface: Arcface, status: int, reason: str, *words: object) -> None:
    answer = arcface("evaluate", *words)
    assert (answer.status, answer.out) == (status, "")
    assert reason in answer.err
    assert answer.err.count("\n") == 1


def test_what_is_wrong_is_one_line_and_the_right_status(
    arcface: Arcface, shared_data: Path, tmp_path: Path
) -> None:
    people = shared_data / "people"
    (tmp_path / "missing.csv").write_text("file_a,file_b,same\nL001/L001_0001.jpg,nobody.jpg,1\n")
    (tmp_path / "header.csv").write_text("left,right\na,b\n")
    (tmp_path / "folds.csv").write_text(
        "fold,file_a,file_b,same\n1,L001/L001_0001.jpg,L001/L001_0002.jpg,1\n"
        "2,L001/L001_0001.jpg,L002/L002_0001.jpg,0\n"
    )
    (tmp_path / "hostile.bin").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    shutil.copytree(people / "L001", tmp_path / "one" / "L001")
    refused(arcface, 2, "line 2: ", "--pairs", tmp_path / "missing.csv", people)
    refused(arcface, 2, "no column file_a", "--pairs", tmp_path / "header.csv", people)
    refused(arcface, 2, "fold 1 has no impostor pair", "--pairs", tmp_path / "folds.csv", people)
    refused(arcface, 3, "its pickle uses", tmp_path / "hostile.bin")
    assert not (tmp_path / "ran").exists()
    refused(arcface, 2, "show one person", tmp_path / "one")
    refused(arcface, 2, "nothing to evaluate was named")
    (tmp_path / "empty.csv").touch()
    refused(arcface, 2, "lists nothing", "--pairs", tmp_path / "empty.csv", people)
    refused(arcface, 2, "nowhere does not exist", tmp_path / "nowhere")
    refused(arcface, 2, "is no folder", tmp_path / "header.csv")
    refused(arcface, 2, "go together", "--gallery", tmp_path / "missing.csv", people)
    refused(arcface, 2, "is no claim", tmp_path / "one", "--assert", "all is well")
    refused(arcface, 2, "is no saved run", "--compare", tmp_path / "header.csv", tmp_path / "header.csv")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"similarity": np.full(6, 7.0)}, "no cosine similarity"),
        ({"similarity": np.array(["0.5"] * 6)}, "elements of type"),
        ({"similarity": np.array([0.5, np.inf, 0, 0, 0, 0])}, "no cosine similarity"),
        ({"genuine": np.zeros(3, dtype=bool)}, "differ in length"),
        ({"first": np.zeros(6)}, "elements of type float64"),
        ({"about": np.array("[]")}, "what it is of"),
    ],
)
def test_a_damaged_run_is_not_compared(
    arcface: Arcface, tmp_path: Path, damage: dict[str, np.ndarray], reason: str
) -> None:
    second = np.array([0, 0, 1, 1, 2, 3])
    first = np.array([0, 0, 1, 2, 3, 1])
    whole = {
        "about": np.array("{}"), "similarity": np.linspace(-1, 1, 6), "genuine": first == second,
        "first": first, "second": second,
    }  # fmt: skip
    np.savez(tmp_path / "run.npz", **(whole | damage))
    refused(arcface, 2, reason, "--compare", tmp_path / "run.npz", tmp_path / "run.npz")


def test_no_flag_is_passed_over_in_silence(arcface: Arcface, shared_data: Path) -> None:
    people, lists = shared_data / "people", shared_data / "lists"
    crops = lists / "people_front_profile_112.bin"
    refused(arcface, 2, "--strangers needs searches", people, "--strangers", shared_data / "strangers")
    refused(arcface, 2, "--distractors needs searches", people, "--distractors", shared_data / "strangers")
    refused(arcface, 2, "how many of --distractors", people, "--enroll", 2, "--sizes", "10")
    refused(
        arcface, 2, "two ways to evaluate", people, "--pairs", lists / "people_pairs.txt", "--enroll", 2
    )  # fmt: skip
    refused(arcface, 2, "lists its pairs itself", crops, "--enroll", 2)
    attributes = ("--attributes", lists / "people_attributes.csv", "--by", "gender")
    refused(arcface, 2, "names nobody", crops, *attributes)


def test_photographs_without_a_face_are_errors_and_not_left_out(
    arcface: Arcface, shared_data: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "people" / name).mkdir(parents=True)
    shutil.copy(shared_data / "people/L001/L001_0001.jpg", tmp_path / "people/a/1.jpg")
    shutil.copy(shared_data / "people/L002/L002_0001.jpg", tmp_path / "people/b/1.jpg")
    shutil.copy(shared_data / "people/L002/L002_0002.jpg", tmp_path / "people/b/2.jpg")
    shutil.copy(shared_data / "hard/no_face/coffee.png", tmp_path / "people/a/2.png")
    told = json.loads(arcface("evaluate", tmp_path / "people", "-q").out)
    assert told["comparisons"]["failed_genuine"] == 1
    assert told["comparisons"]["failed_impostor"] == 2
    assert told["at_threshold"]["fnmr"]["rate"] == 0.5


def test_a_crop_of_another_size_is_an_error_among_the_pairs(arcface: Arcface, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    raw = [random.integers(0, 256, 112 * 112 * 3, dtype=np.uint8).tobytes() for _ in range(3)]
    (tmp_path / "set.bin").write_bytes(pickle.dumps(([raw[0], raw[1], raw[0], raw[2], raw[0], b"no picture"],
                                                     [True, False, False])))  # fmt: skip
    told = json.loads(arcface("evaluate", tmp_path / "set.bin", "-q").out)
    assert told["comparisons"] == {
        "genuine": 1, "impostor": 2, "people": 3, "failed_genuine": 0, "failed_impostor": 1,
    }  # fmt: skip
