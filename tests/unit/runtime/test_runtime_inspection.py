"""What is said of runtime, driver, libraries and providers; on machines that don't exist."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arcface_cli.diagnosis.apart import Answer
from arcface_cli.diagnosis.findings import Finding, Level
from arcface_cli.diagnosis.surroundings import Surroundings
from arcface_cli.runtime.inspection import findings, recogniser_findings, serving_providers
from fake_machines import (
    CPU,
    CUDA_PROVIDERS,
    GPU,
    H100,
    NO_DRIVER,
    RIGHT,
    driver,
    gpu_machine,
    library,
    machine,
    runtime,
)

CPU_INSTEAD = (
    "/env/bin/python -m pip uninstall -y onnxruntime-gpu && /env/bin/python -m pip install onnxruntime"
)
CUDA_WHEELS = "/env/bin/python -m pip install 'onnxruntime-gpu[cuda,cudnn]'"


def examined(here: Surroundings, *, gpu_seen: bool = False, tensorrt: bool = False) -> dict[str, Finding]:
    found = list(findings(here, lambda: gpu_seen, tensorrt=tensorrt))
    named = {finding.what: finding for finding in found}
    assert len(named) == len(found)
    return named


def errors(found: dict[str, Finding]) -> list[str]:
    return [what for what, finding in found.items() if finding.level is Level.ERROR]


def test_a_sound_cpu_installation_has_nothing_to_mend() -> None:
    found = examined(machine())
    assert list(found) == ["onnxruntime package", "runtime", "NVIDIA driver", "self-test CPU"]
    assert {finding.level for finding in found.values()} == {Level.OK}
    assert all(finding.mend is None for finding in found.values())
    assert "networks run on the CPU" in found["NVIDIA driver"].detail


def test_a_sound_gpu_installation_names_card_and_libraries_with_path_and_version() -> None:
    found = examined(gpu_machine(), gpu_seen=True)
    assert errors(found) == []
    assert found["GPU 0"].detail == "NVIDIA H100, 80 GiB"
    assert found["GPU 0"].facts == {"name": "NVIDIA H100", "bytes": 80 * 2**30}
    assert found["NVIDIA driver"].facts == {"version": "580.1", "cuda": "13.0", "path": "/cuda/libcuda.so.1"}
    assert found["libcudnn.so.9"].facts == {"version": "13.0", "path": "/cuda/libcudnn.so.9"}
    assert found["runtime"].facts["cuda"] == "13.0"
    assert serving_providers(list(found.values())) == CUDA_PROVIDERS


def test_a_runtime_for_cuda_without_driver_and_card_is_an_error_mended_by_the_cpus() -> None:
    here = gpu_machine(
        survey_driver=driver(problem=NO_DRIVER),
        survey_libraries=Answer([library("libcudnn.so.9", "not found")]),
        small_trial={
            "CUDAExecutionProvider": Answer(failure="no driver"),
            "CPUExecutionProvider": Answer(RIGHT),
        },
    )
    found = examined(here)
    assert errors(found) == ["NVIDIA driver", "libcudnn.so.9", "self-test CUDA"]
    assert NO_DRIVER in found["NVIDIA driver"].detail
    assert {found[what].mend for what in errors(found)} == {CPU_INSTEAD}
    assert found["self-test CPU"].level is Level.OK


def test_a_card_without_driver_asks_for_the_driver_and_keeps_the_runtime() -> None:
    found = examined(gpu_machine(survey_driver=driver(problem=NO_DRIVER)), gpu_seen=True)
    assert errors(found) == ["NVIDIA driver"]
    assert "nvidia-smi" in str(found["NVIDIA driver"].mend)


def test_a_missing_library_beside_a_card_is_mended_by_the_wheels() -> None:
    here = gpu_machine(survey_libraries=Answer([library("libcudnn.so.9", "cannot open")]))
    assert examined(here)["libcudnn.so.9"].mend == CUDA_WHEELS


def test_a_provider_file_that_cant_be_read_is_told_of() -> None:
    found = examined(gpu_machine(survey_libraries=Answer(failure="OSError: gone")))
    assert found["CUDA libraries"].detail == "OSError: gone"


def test_a_driver_without_a_card_is_an_error_for_a_runtime_for_cuda() -> None:
    assert errors(examined(gpu_machine(survey_driver=driver()))) == ["GPU"]


def test_a_card_that_the_cpus_runtime_cant_use_is_a_warning_with_the_command() -> None:
    found = examined(machine(survey_driver=driver(H100)))
    assert found["GPU 0"].level is Level.WARNING
    assert found["GPU 0"].mend == (
        "/env/bin/python -m pip uninstall -y onnxruntime && "
        "/env/bin/python -m pip install 'onnxruntime-gpu[cuda,cudnn]'"
    )


@pytest.mark.parametrize(
    ("seen", "kept"), [(False, "onnxruntime==1.32.0"), (True, "onnxruntime-gpu[cuda,cudnn]")]
)
def test_a_clash_keeps_the_runtime_that_fits_the_machine(seen: bool, kept: str) -> None:
    found = examined(machine(CPU, GPU), gpu_seen=seen)
    clash = found["onnxruntime package"]
    assert clash.level is Level.ERROR
    assert "uninstall -y onnxruntime onnxruntime-gpu && " in str(clash.mend)
    assert kept in str(clash.mend)
    assert found["NVIDIA driver"].level is Level.ERROR


def test_without_a_card_one_command_mends_all_that_a_clash_does() -> None:
    found = examined(machine(CPU, GPU))
    assert len({found[what].mend for what in errors(found)}) == 1


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [(False, "install onnxruntime faiss-cpu"), (True, "install 'onnxruntime-gpu[cuda,cudnn]' faiss-gpu")],
)
def test_no_runtime_at_all_names_what_to_install(seen: bool, wanted: str) -> None:
    bare = replace(
        machine(survey_runtime=Answer(failure="onnxruntime is not installed")), owners=lambda _: []
    )
    found = examined(bare, gpu_seen=seen)
    assert list(found) == ["runtime"]
    assert str(found["runtime"].mend).endswith(wanted)


def test_a_runtime_that_crashes_is_installed_again() -> None:
    found = examined(machine(survey_runtime=Answer(failure="the process was ended by SIGILL")))
    assert errors(found) == ["runtime"]
    assert "SIGILL" in found["runtime"].detail
    assert found["runtime"].mend == (
        "/env/bin/python -m pip install --force-reinstall --no-deps onnxruntime==1.32.0"
    )


def test_a_runtime_broken_by_a_clash_has_the_clashs_command() -> None:
    found = examined(machine(CPU, GPU, survey_runtime=Answer(failure="incomplete")))
    assert found["runtime"].mend == found["onnxruntime package"].mend


def test_a_driver_that_crashes_the_child_is_an_error_beside_a_card() -> None:
    found = examined(gpu_machine(survey_driver=Answer(failure="ended by SIGSEGV")), gpu_seen=True)
    assert "SIGSEGV" in found["NVIDIA driver"].detail


@pytest.mark.parametrize("difference", [0.2, float("nan")])
def test_a_provider_that_computes_wrongly_is_an_error_and_does_not_serve(difference: float) -> None:
    wrongly = Answer({"difference": difference, "milliseconds": 1.0})
    here = gpu_machine(small_trial={"CUDAExecutionProvider": wrongly, "CPUExecutionProvider": Answer(RIGHT)})
    found = examined(here)
    assert errors(found) == ["self-test CUDA"]
    assert "computes wrongly" in found["self-test CUDA"].detail
    assert serving_providers(list(found.values())) == ["CPUExecutionProvider"]


def test_a_provider_that_we_dont_use_may_be_missing() -> None:
    trials = {"DmlExecutionProvider": Answer(failure="no such card"), "CPUExecutionProvider": Answer(RIGHT)}
    here = machine(survey_runtime=runtime(list(trials)), small_trial=trials)
    finding = examined(here)["self-test Dml"]
    assert finding.level is Level.OK
    assert finding.detail == "doesn't load (no such card); arcface doesn't use it"


WITH_TENSORRT = ["TensorrtExecutionProvider", *CUDA_PROVIDERS]
NO_LIBNVINFER = Answer(
    failure="TensorRT can't be loaded (libnvinfer.so.10: cannot open)",
    hint="install TensorRT: pip install '.[gpu,tensorrt]', or leave --tensorrt out",
)


@pytest.mark.parametrize(("asked_for", "level"), [(False, Level.OK), (True, Level.ERROR)])
def test_tensorrt_may_be_missing_unless_the_settings_ask_for_it(asked_for: bool, level: Level) -> None:
    trials = {**dict.fromkeys(CUDA_PROVIDERS, Answer(RIGHT)), "TensorrtExecutionProvider": NO_LIBNVINFER}
    here = gpu_machine(survey_runtime=runtime(WITH_TENSORRT, "13.0"), small_trial=trials)
    finding = examined(here, gpu_seen=True, tensorrt=asked_for)["self-test TensorRT"]
    assert finding.level is level
    assert "libnvinfer.so.10" in finding.detail
    assert ("only --tensorrt needs it" in finding.detail) is not asked_for
    assert finding.mend == (NO_LIBNVINFER.hint if asked_for else None)


def test_every_card_computes_a_known_answer() -> None:
    here = gpu_machine(survey_driver=driver(H100, H100, H100))
    found = examined(here, gpu_seen=True)
    tests = [what for what in found if what.startswith("self-test")]
    assert tests == ["self-test CUDA", "self-test CUDA 1", "self-test CUDA 2", "self-test CPU"]
    assert errors(found) == []
    assert serving_providers(list(found.values()))[1] == "CUDAExecutionProvider:1"


def test_a_card_that_computes_wrongly_is_named() -> None:
    wrongly = Answer({"difference": 0.2, "milliseconds": 1.0})
    trials = {**dict.fromkeys(CUDA_PROVIDERS, Answer(RIGHT)), "CUDAExecutionProvider:1": wrongly}
    here = gpu_machine(survey_driver=driver(H100, H100), small_trial=trials)
    assert errors(examined(here, gpu_seen=True)) == ["self-test CUDA 1"]


def test_a_recogniser_is_not_tried_through_tensorrt_which_would_take_minutes() -> None:
    here = machine(recogniser_trial=answer(1.0, 0.0))
    providers = [*WITH_TENSORRT, "CUDAExecutionProvider:1"]
    told = [finding.what for finding in recogniser_findings("r100", REQUEST, providers, here)]
    assert told == ["r100 on CPU", "r100 on CUDA", "r100 on CUDA 1"]


def test_a_provider_that_sends_pictures_away_is_never_tried() -> None:
    assert "self-test Azure" not in examined(machine())


REQUEST = {"path": "x.onnx", "rgb": True, "mean": 127.5, "scale": 127.5}


def answer(*feature: float) -> Answer:
    return Answer({"feature": list(feature), "milliseconds": 4.0})


@pytest.mark.parametrize(
    ("cuda", "level", "told"),
    [
        (answer(1.0, 0.0), Level.OK, "similarity 1.000000 with the CPU's"),
        (answer(0.8, 0.6), Level.ERROR, "less than 0.999"),
        (Answer(failure="out of memory"), Level.ERROR, "out of memory"),
    ],
)
def test_a_recogniser_on_a_gpu_is_held_to_the_cpu(cuda: Answer, level: Level, told: str) -> None:
    here = machine(recogniser_trial={"CUDAExecutionProvider": cuda, "CPUExecutionProvider": answer(1.0, 0.0)})
    cpu, gpu = recogniser_findings("r100", REQUEST, CUDA_PROVIDERS, here)
    assert (cpu.what, cpu.level) == ("r100 on CPU", Level.OK)
    assert (gpu.what, gpu.level) == ("r100 on CUDA", level)
    assert told in gpu.detail
