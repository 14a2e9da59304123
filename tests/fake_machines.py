"""Machines that don't exist, for `arcface doctor`: what is installed there, and what a child would answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arcface_cli.diagnosis.apart import Answer, Question
from arcface_cli.diagnosis.packages import Installer, Owner
from arcface_cli.diagnosis.surroundings import Surroundings

PIP = Installer("/env/bin/python")
CPU, GPU = Owner("onnxruntime", "1.32.0"), Owner("onnxruntime-gpu", "1.31.1")
OPENCV, FAISS = Owner("opencv-python", "5.0"), Owner("faiss-cpu", "1.15.1")

NO_DRIVER = "libcuda.so.1: cannot open shared object file"
CPU_PROVIDERS = ["AzureExecutionProvider", "CPUExecutionProvider"]
CUDA_PROVIDERS = ["CUDAExecutionProvider", "CPUExecutionProvider"]
RIGHT = {"difference": 1e-7, "milliseconds": 0.1}
H100 = ["NVIDIA H100", 80 * 2**30]


def library(name: str, problem: str | None = None) -> dict[str, Any]:
    if problem is not None:
        return {"name": name, "path": None, "version": None, "problem": problem}
    return {"name": name, "path": f"/cuda/{name}", "version": "13.0", "problem": None}


def driver(*cards: Sequence[Any], problem: str | None = None) -> Answer:
    told = library("libcuda.so.1", problem)
    return Answer({**told, "driver": None if problem else "580.1", "cards": list(cards)})


def runtime(providers: Sequence[str], cuda: str = "") -> Answer:
    return Answer(
        {"version": "1.32.0", "providers": list(providers), "folder": "/env/onnxruntime", "cuda": cuda}
    )


SOUND: Mapping[str, Answer] = {
    "survey_driver": driver(problem=NO_DRIVER),
    "survey_runtime": runtime(CPU_PROVIDERS),
    "survey_libraries": Answer([]),
    "survey_pixels": Answer({"opencv": "5.0.0", "pillow": "13.0.0"}),
    "survey_search": Answer({"version": "1.15.1", "gpu": False, "gpus": 0}),
    "survey_device": Answer({"device": "cpu", "remark": None}),
    "small_trial": Answer(RIGHT),
    "recogniser_trial": Answer({"feature": [1.0, 0.0], "milliseconds": 5.0}),
}
"""What a CPU installation answers on which nothing is wrong."""


def machine(*owners: Owner, **answers: Any) -> Surroundings:
    """A machine with these distributions. answers: by the name of the question; {argument: answer} if it
    depends on that."""
    told = {**SOUND, **answers}
    installed = owners or (CPU, OPENCV, FAISS)

    def ask(question: Question, argument: Any = None) -> Answer:
        answer = told[question.__name__]
        if isinstance(answer, Mapping):
            answer = answer[argument["provider"] if isinstance(argument, Mapping) else argument]
        assert isinstance(answer, Answer)
        return answer

    def owners_of(package: str) -> list[Owner]:
        prefix = "opencv" if package == "cv2" else package
        return [owner for owner in installed if owner.name.startswith(prefix)]

    return Surroundings(ask, owners_of, PIP)


def gpu_machine(**answers: Any) -> Surroundings:
    """A machine with a card that works; `answers` say what doesn't."""
    works: dict[str, Any] = {
        "survey_driver": driver(H100),
        "survey_runtime": runtime(CUDA_PROVIDERS, "13.0"),
        "survey_libraries": Answer([library("libcublas.so.13"), library("libcudnn.so.9")]),
        "survey_search": Answer({"version": "1.15.1", "gpu": True, "gpus": 1}),
        "survey_device": Answer({"device": "cuda:0", "remark": None}),
    }
    return machine(GPU, OPENCV, Owner("faiss-gpu", "1.15.1"), **{**works, **answers})
