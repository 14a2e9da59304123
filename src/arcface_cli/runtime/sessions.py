"""One ONNX Runtime session behind a small face: arrays in, arrays out, on the device that was promised."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arcface_cli.errors import DeviceUnavailable, ModelUnusable, OutOfMemory
from arcface_cli.faces import Fed
from arcface_cli.runtime.devices import (
    CPU,
    TENSORRT_PROVIDER,
    Device,
    import_onnxruntime,
    preload_cuda_libraries,
)

if TYPE_CHECKING:
    from arcface_cli.runtime.engines import Engine, Engines

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
_FATAL_ONLY, _EVERYTHING = 4, 1
_SHORT_OF_MEMORY = ("Failed to allocate memory", "smaller than requested bytes", "out of memory", "bad_alloc")
"""What the runtime says of its arenas, CUDA of a card, and C++ of the rest; there is no class for it."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Where and how a network runs.

    threads: of one run, on the CPU; 0 leaves it to the runtime.  varied: whether inputs come in many shapes.
    exact: on CUDA, factors keep their 24 bits; else float32 products are TF32's, of 11.  engines: of
    TensorRT, which then goes before CUDA (`networks.open_network`); None: CUDA alone.  memory: GiB of a card
    that CUDA may take for the network; None: what there is.
    """

    device: Device = CPU
    threads: int = 0
    varied: bool = False
    exact: bool = False
    chatty: bool = False
    engines: Engines | None = None
    memory: float | None = None


class Session:
    """A loaded network. Safe to run from several threads at once.

    takes_pixels: whether it is fed (N, H, W, 3) uint8 BGR, and not a scaled (N, 3, H, W) float32.
    """

    def __init__(self, session: Any, name: str, device: Device) -> None:
        self._session = session
        self.name = name
        self.device = device
        self.input_name: str = session.get_inputs()[0].name
        self.takes_pixels: bool = session.get_inputs()[0].type == "tensor(uint8)"
        self.input_shape: tuple[int | str | None, ...] = tuple(session.get_inputs()[0].shape)
        self.output_names: tuple[str, ...] = tuple(output.name for output in session.get_outputs())
        self.output_shapes: tuple[tuple[int | str | None, ...], ...] = tuple(
            tuple(output.shape) for output in session.get_outputs()
        )

    def resident(self, fed: NDArray[Any]) -> Callable[[], None]:
        """A run to be repeated on what lies on the device already, answers left there: it ends when they are.

        So the device is measured without the bus. fed: as for `run`, or float16 where the graph takes it.
        """
        ort = import_onnxruntime()
        index = self.device.cuda_index
        place = ("cpu", 0) if index is None else ("cuda", index)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self.input_name, ort.OrtValue.ortvalue_from_numpy(fed, *place))
        for name in self.output_names:
            binding.bind_output(name, *place)

        def once() -> None:
            self._session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        return once

    def run(self, blob: Fed) -> list[NDArray[np.float32]]:
        """Feed the first input; return every output, in graph order.

        Raises MemoryError on the CPU and OutOfMemory on a card where there is too little, else ModelUnusable.
        """
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(None, {self.input_name: blob})
        except Exception as error:  # the runtime's own exceptions share no base class
            raise self._failure(blob.shape, error) from error
        return outputs

    def _failure(self, shape: tuple[int, ...], error: Exception) -> Exception:
        if not any(words in str(error) for words in _SHORT_OF_MEMORY):
            return ModelUnusable(
                f"{self.name}: the network failed on input {shape} ({_first_line(error)})",
                hint="verify the weights with: arcface models verify",
            )
        short = f"{self.name}: {self.device} has too little memory for input {shape}"
        if self.device == CPU:  # which costs the photograph and not the run
            return MemoryError(short)
        return OutOfMemory(
            short, hint="use a smaller --batch, raise ARCFACE_GPU_MEMORY if it is set, or free the card"
        )


def open_session(
    model: Path | bytes, name: str, options: SessionOptions, engine: Engine | None = None
) -> Session:
    """Load a network from a file or from bytes and make sure that the promised device serves it.

    options: for one card at most.  engine: of TensorRT, built if it isn't there. Raises ModelUnusable for
    what is no ONNX graph, DeviceUnavailable when the device or TensorRT doesn't serve.
    """
    ort: Any = import_onnxruntime()
    ort.set_default_logger_severity(_EVERYTHING if options.chatty else _FATAL_ONLY)
    source = str(model) if isinstance(model, Path) else model
    native, providers = _native_options(ort, options), _providers(ort, options, engine)
    hint = "verify the weights with: arcface models verify"
    if engine is not None and engine.built:
        hint = f"remove what TensorRT may have left damaged: {engine.folder}"
    with contextlib.nullcontext() if engine is None else engine.building():
        try:  # a failure must be one: by itself the runtime would go on on the CPU
            session = ort.InferenceSession(source, native, providers=providers, enable_fallback=0)
        except Exception as error:  # as above
            raise ModelUnusable(
                f"{name}: ONNX Runtime can't load it ({_first_line(error)})", hint=hint
            ) from error
        wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
        check_serving(session.get_providers(), wanted, options.device, name)
    return Session(session, name, options.device)


def _native_options(ort: Any, options: SessionOptions) -> Any:
    native = ort.SessionOptions()
    native.intra_op_num_threads = options.threads
    native.inter_op_num_threads = 1
    native.log_severity_level = _EVERYTHING if options.chatty else _FATAL_ONLY
    # Two networks take turns on the same cores; a pool that spins while it waits steals from the other.
    native.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return native


def _providers(
    ort: Any, options: SessionOptions, engine: Engine | None
) -> Sequence[str | tuple[str, Mapping[str, str]]]:
    """The one that shall serve first. What TensorRT leaves is CUDA's, what that leaves the CPU's."""
    card = options.device.cuda_index
    if card is None:
        return [CPU_PROVIDER]
    preload_cuda_libraries(ort)
    cuda = (CUDA_PROVIDER, cuda_options(options))
    first = [] if engine is None else [(TENSORRT_PROVIDER, engine.options(card))]
    return [*first, cuda, CPU_PROVIDER]


def cuda_options(options: SessionOptions) -> dict[str, str]:
    """What the CUDA provider is told.

    Memory is taken as it is needed, not doubled each time, so that a long run leaves room for the search
    index; `options.memory` limits it. cuDNN tries every algorithm for a new shape, which takes seconds: not
    where shapes vary.
    """
    return {
        "device_id": str(options.device.cuda_index),
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC" if options.varied else "EXHAUSTIVE",
        "use_tf32": "0" if options.exact else "1",
        **({} if options.memory is None else {"gpu_mem_limit": str(int(options.memory * 2**30))}),
    }


def check_serving(serving: Sequence[str], wanted: str, device: Device, name: str) -> None:
    """Raise DeviceUnavailable unless `wanted` comes first among the providers that serve a session.

    ONNX Runtime leaves out what can't be had in silence; we don't.
    """
    if not serving or serving[0] != wanted:
        through, without = "", "use --device cpu"
        if wanted == TENSORRT_PROVIDER:
            through, without = " through TensorRT", "leave --tensorrt out"
        raise DeviceUnavailable(
            f"{name}: asked for {device}{through}, "
            f"but ONNX Runtime serves it with {', '.join(serving) or 'nothing'}",
            hint=f"see what is missing with: arcface doctor; or {without}",
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
