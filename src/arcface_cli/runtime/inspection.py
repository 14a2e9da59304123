"""What is wrong with the runtime here: packages, driver, libraries, providers. One finding a line.

Whatever loads a native library happens in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arcface_cli.diagnosis.apart import Answer
from arcface_cli.diagnosis.findings import Fact, Finding, Level, fine, warning, wrong
from arcface_cli.diagnosis.packages import RUNTIME, Installer, Owner, examine_owners
from arcface_cli.diagnosis.surroundings import Surroundings
from arcface_cli.errors import DeviceUnavailable, UsageError
from arcface_cli.runtime import cards, libraries, selftest
from arcface_cli.runtime.cards import DRIVER_LIBRARY
from arcface_cli.runtime.devices import (
    TENSORRT_PROVIDER,
    choose_device,
    cuda_major,
    gpu_seen,
    preload_cuda_libraries,
    provider_file,
    read_device,
    this_machine,
)
from arcface_cli.runtime.sessions import CPU_PROVIDER, CUDA_PROVIDER

CPU_RUNTIME, GPU_RUNTIME = ("onnxruntime", "faiss-cpu"), ("onnxruntime-gpu[cuda,cudnn]", "faiss-gpu")
"""What the extras [cpu] and [gpu] bring."""

REMOTE = frozenset({"AzureExecutionProvider"})
"""Providers that send pictures to somebody else's machine: never used, never tried."""

_DRIVER = "NVIDIA driver"
DRIVER_HINT = "install NVIDIA's driver, or start the container with its GPUs: nvidia-smi then lists the card"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the runtime says of itself. cuda: the version it was built for, "" for a build without CUDA."""

    version: str
    providers: tuple[str, ...]
    folder: str
    cuda: str

    @property
    def for_cuda(self) -> bool:
        """Whether it was built with CUDA."""
        return CUDA_PROVIDER in self.providers


def survey_runtime(_: object) -> dict[str, Any]:
    """In a child: import the runtime and return the fields of `Runtime`. Raises RuntimeMissing."""
    ort = this_machine().onnxruntime()
    return {
        "version": ort.__version__,
        "providers": ort.get_available_providers(),
        "folder": str(Path(ort.__file__).parent),
        "cuda": str(getattr(ort, "cuda_version", "") or ""),
    }


def survey_driver(_: object) -> dict[str, Any]:
    """In a child: the driver's library and version, and the cards it offers, or why it offers none."""
    library = libraries.locate(DRIVER_LIBRARY)
    found: list[cards.Card] = []
    if library.problem is None:
        try:
            found = cards.cards()
        except DeviceUnavailable as error:
            library = replace(library, problem=error.message)
    told = [[card.name, card.memory] for card in found]
    return {**_as_dict(library), "driver": cards.driver_version(), "cards": told}


def survey_libraries(_: object) -> list[dict[str, Any]]:
    """In a child: every NVIDIA library that the CUDA provider needs but the driver's, in its order.

    Raises RuntimeMissing, and OSError or ValueError when the provider's file can't be read.
    """
    ort = this_machine().onnxruntime()
    preload_cuda_libraries(ort)
    names = libraries.nvidia_libraries(provider_file(ort, "cuda"), cuda_major(ort))
    return [_as_dict(libraries.locate(name)) for name in names if name != DRIVER_LIBRARY]


def _as_dict(library: libraries.Library) -> dict[str, Any]:
    return {
        "name": library.name,
        "path": library.path,
        "version": library.version,
        "problem": library.problem,
    }


def findings(
    here: Surroundings, gpu_seen: Callable[[], bool] = gpu_seen, *, tensorrt: bool = False
) -> Iterator[Finding]:
    """Packages, the runtime itself, the driver, CUDA's libraries, and every provider put to the test.

    gpu_seen: whether an NVIDIA card shows, usable or not.  tensorrt: whether the settings ask for it.
    """
    found = here.owners(RUNTIME)
    driver = here.ask(survey_driver, None)
    works = driver.failure is None and driver.value["problem"] is None
    card = gpu_seen() or (works and bool(driver.value["cards"]))
    packages = [examine_owners(RUNTIME, found, _preferred(card=card), here.installer)] if found else []
    yield from packages
    answer = here.ask(survey_runtime, None)
    if answer.failure is not None:
        yield _no_runtime(answer, packages, found, here.installer, card=card)
        return
    runtime = Runtime(**{**answer.value, "providers": tuple(answer.value["providers"])})
    yield _runtime(runtime)
    wanted = runtime.for_cuda or any(owner.name == "onnxruntime-gpu" for owner in found)
    cpu_instead = here.installer.replace(found, _requirement(CPU_RUNTIME[0], found))
    yield from _driver(driver, found, here.installer, wanted=wanted, card=card)
    if runtime.for_cuda:
        yield from _libraries(here, here.installer.install(GPU_RUNTIME[0]) if card else cpu_instead)
    wanted_providers = {CPU_PROVIDER, CUDA_PROVIDER, *([TENSORRT_PROVIDER] if tensorrt else [])}
    for provider in _tried(runtime, driver.value["cards"] if works else []):
        needed = provider.partition(":")[0] in wanted_providers
        yield _trial(provider, here, None if card else cpu_instead, needed=needed)


def _tried(runtime: Runtime, cards: Sequence[object]) -> Iterator[str]:
    """Every provider but the remote ones; CUDA on each card, of which the first needs no number."""
    for provider in runtime.providers:
        if provider not in REMOTE:
            yield provider
        if provider == CUDA_PROVIDER:
            yield from (f"{provider}:{number}" for number in range(1, len(cards)))


def _requirement(name: str, found: Sequence[Owner]) -> str:
    """`name` for pip, in the version that is here already if it is."""
    return next((owner.requirement for owner in found if owner.name == name), name)


def _preferred(*, card: bool) -> str:
    return "onnxruntime-gpu" if card else "onnxruntime"


def survey_device(request: Mapping[str, Any]) -> dict[str, Any]:
    """In a child: where networks run. request: device, tensorrt. Raises what `choose_device` raises."""
    choice = choose_device(request["device"], tensorrt=request["tensorrt"])
    return {"device": str(choice.device), "remark": choice.remark}


def device_findings(
    here: Surroundings, found: Sequence[Finding], wanted: str, *, tensorrt: bool
) -> Iterator[Finding]:
    """Whether the device that the settings ask for can serve: what every verb that runs networks would say.

    found: the findings so far; where the runtime itself is broken, they have said all there is to say.
    """
    what = "device"
    facts: dict[str, Fact] = {"asked": wanted, "tensorrt": tensorrt}
    try:
        read_device(wanted)
    except UsageError as error:
        yield wrong(what, error.message, error.hint, code=error.code, **facts)
        return
    if any(each.what == "runtime" and each.level is Level.ERROR for each in found):
        return
    answer = here.ask(survey_device, {"device": wanted, "tensorrt": tensorrt})
    if answer.failure is not None:
        yield wrong(what, answer.failure, answer.hint, **facts)
        return
    device, remark = answer.value["device"], answer.value["remark"]
    detail = f"{'auto' if wanted == 'auto' else f'--device {wanted}'}: networks run on {device}"
    detail += ", the recogniser through TensorRT" if tensorrt else ""
    if remark is None:
        yield fine(what, detail, device=device, **facts)
        return
    mend = next((each.mend for each in found if each.mend is not None), None)
    yield warning(what, f"{detail} ({remark.removeprefix('using the CPU: ')})", mend, device=device, **facts)


def serving_providers(found: Sequence[Finding]) -> list[str]:
    """The providers that passed their self-test, of these findings; each card of CUDA is one."""
    return [str(each.facts["provider"]) for each in found if "difference" in each.facts]


def _no_runtime(
    answer: Answer, packages: Sequence[Finding], found: Sequence[Owner], installer: Installer, *, card: bool
) -> Finding:
    told = next((finding.mend for finding in packages if finding.mend is not None), None)
    if not found:
        told = installer.install(*(GPU_RUNTIME if card else CPU_RUNTIME))
    mend = told if told is not None else installer.install(found[0].requirement, again=True)
    return wrong("runtime", f"{answer.failure}", mend)


def _runtime(runtime: Runtime) -> Finding:
    built = f"built for CUDA {runtime.cuda}".rstrip() if runtime.for_cuda else "built for the CPU"
    return fine(
        "runtime",
        f"onnxruntime {runtime.version}, {built}, {runtime.folder}",
        version=runtime.version,
        cuda=runtime.cuda or None,
        path=runtime.folder,
    )


def _driver(
    answer: Answer, found: Sequence[Owner], installer: Installer, *, wanted: bool, card: bool
) -> Iterator[Finding]:
    """wanted: a runtime for CUDA is installed.  card: an NVIDIA card shows."""
    problem = answer.failure if answer.failure is not None else answer.value["problem"]
    if problem is not None:
        cpu_instead = installer.replace(found, _requirement(CPU_RUNTIME[0], found))
        yield _no_driver(problem, cpu_instead, wanted=wanted, card=card)
        return
    told = answer.value
    version = "" if told["driver"] is None else f"{told['driver']}, "
    facts = {"version": told["driver"], "cuda": told["version"], "path": told["path"]}
    yield fine(_DRIVER, f"{version}for CUDA up to {told['version']}, {told['path']}", **facts)
    for number, (name, memory) in enumerate(told["cards"]):
        what, detail = f"GPU {number}", f"{name}, {memory / 2**30:.0f} GiB"
        if wanted:
            yield fine(what, detail, name=name, bytes=memory)
        else:
            mend = installer.replace(found, GPU_RUNTIME[0])
            yield warning(what, f"{detail}, which this runtime can't use", mend, name=name, bytes=memory)
    if wanted and not told["cards"]:
        yield wrong("GPU", "the driver sees no CUDA device", "see nvidia-smi and CUDA_VISIBLE_DEVICES")


def _no_driver(problem: str, cpu_instead: str, *, wanted: bool, card: bool) -> Finding:
    if card:
        return wrong(_DRIVER, f"a card shows, but {problem}", DRIVER_HINT)
    if wanted:
        return wrong(_DRIVER, f"missing, though the runtime is for CUDA: {problem}", cpu_instead)
    return fine(_DRIVER, "none, and no NVIDIA card shows: networks run on the CPU")


def _libraries(here: Surroundings, mend: str) -> Iterator[Finding]:
    answer = here.ask(survey_libraries, None)
    if answer.failure is not None:
        yield wrong("CUDA libraries", answer.failure, mend)
        return
    for told in answer.value:
        if told["problem"] is not None:
            yield wrong(told["name"], f"missing: {told['problem']}", mend)
        else:
            version = "" if told["version"] is None else f"{told['version']}, "
            yield fine(told["name"], f"{version}{told['path']}", version=told["version"], path=told["path"])


def _trial(provider: str, here: Surroundings, cpu_instead: str | None, *, needed: bool) -> Finding:
    """Embed the built-in picture with the built-in network, and compare with the stored feature.

    cpu_instead: what to do where CUDA can't be had because no card shows.  needed: whether it is in use.
    """
    what = f"self-test {_short(provider)}"
    answer = here.ask(selftest.small_trial, provider)
    if answer.failure is not None:
        if not needed:
            use = "only --tensorrt needs it" if provider == TENSORRT_PROVIDER else "arcface doesn't use it"
            return fine(what, f"doesn't load ({answer.failure}); {use}", provider=provider)
        mend = cpu_instead if provider == CUDA_PROVIDER and cpu_instead is not None else answer.hint
        return wrong(what, answer.failure, mend, provider=provider)
    difference, taken = answer.value["difference"], answer.value["milliseconds"]
    facts: Mapping[str, Any] = {
        "provider": provider,
        "tolerance": selftest.TOLERANCE,
        "milliseconds": round(taken, 3),
    }
    if not difference <= selftest.TOLERANCE:
        return wrong(
            what,
            f"computes wrongly: a component is off by {difference:.1e}, more than {selftest.TOLERANCE:g}",
            "use --device cpu, and report it"
            if provider != CPU_PROVIDER
            else "install another version of the runtime",
            error=difference,
            **facts,
        )
    return fine(
        what, f"right within {difference:.0e} (limit {selftest.TOLERANCE:g})", difference=difference, **facts
    )


def _short(provider: str) -> str:
    """CUDAExecutionProvider:1 -> CUDA 1"""
    return provider.replace("ExecutionProvider", "").replace(":", " ").replace("Tensorrt", "TensorRT")


def recogniser_findings(
    name: str, request: Mapping[str, Any], providers: Sequence[str], here: Surroundings
) -> Iterator[Finding]:
    """Embed the picture with an installed recogniser on the CPU, and on every other provider beside it but
    TensorRT.

    request: what `selftest.recogniser_trial` takes, without the provider.  providers: those that serve.
    """
    features: dict[str, Sequence[float]] = {}
    for provider in sorted(providers, key=lambda each: each != CPU_PROVIDER):
        if provider == TENSORRT_PROVIDER:
            continue  # to build its engine takes minutes
        what = f"{name} on {_short(provider)}" + (" in fp16" if request.get("precision") == "fp16" else "")
        answer = here.ask(selftest.recogniser_trial, {**request, "provider": provider})
        if answer.failure is not None:
            yield wrong(what, answer.failure, answer.hint or "arcface models verify", provider=provider)
            continue
        features[provider] = answer.value["feature"]
        yield _beside_the_cpu(what, provider, features, answer.value["milliseconds"])


def _beside_the_cpu(
    what: str, provider: str, features: Mapping[str, Sequence[float]], taken: float
) -> Finding:
    facts: dict[str, Any] = {"provider": provider, "milliseconds": round(taken, 3)}
    detail = f"a feature of {len(features[provider])} numbers in {taken:.1f} ms"
    reference = features.get(CPU_PROVIDER)
    if provider == CPU_PROVIDER or reference is None:
        return fine(what, detail, **facts)
    similarity = sum(a * b for a, b in zip(features[provider], reference, strict=True))
    facts["similarity"] = similarity
    told = f"{detail}; similarity {similarity:.6f} with the CPU's"
    if similarity < selftest.SIMILARITY:
        return wrong(
            what, f"{told}, less than {selftest.SIMILARITY:g}", "use --device cpu, and report it", **facts
        )
    return fine(what, told, **facts)
