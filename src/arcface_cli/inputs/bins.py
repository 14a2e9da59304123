"""InsightFace's .bin test sets (LFW, CFP-FP, AgeDB-30): pickles, read without trusting a byte of them.

A pickle is a program. This one may build bytes, lists, tuples, booleans and plain NumPy arrays of bytes, and
nothing else: first every instruction is looked at, then the few names it may call are answered by functions
of ours, so that not even NumPy's own unpickling runs. https://docs.python.org/3/library/pickle.html#restricting-globals
"""

from __future__ import annotations

import io
import pickle
import pickletools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arcface_cli.errors import UnsafePickle
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.pair_lists import PairCollector, PairList
from arcface_cli.inputs.photo import Photo

MAX_BIN_BYTES = 2 * 1024**3

_ALLOWED = frozenset(
    (
        *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"),
        *("GET", "BINGET", "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE"),
        *("INT", "BININT", "BININT1", "BININT2", "LONG1"),
        *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
    )
)
"""Instructions that a test set needs. No dictionaries or sets: hashing nested tuples can take for ever."""


@dataclass(frozen=True, slots=True)
class CropPairs:
    """A .bin file: encoded or raw 112 x 112 crops, already aligned, and the pairs to compare."""

    crops: tuple[bytes, ...]
    pairs: PairList


def read_bin(path: Path) -> CropPairs:
    """Read a test set: crops 2i and 2i + 1 are pair i, and a list says whether they are one person.

    Crops that are equal byte for byte count once. Raises UnsafePickle for anything else in the file,
    InvalidList for labels that contradict, and what opening a file raises.
    """
    shown = printable(str(path))
    data = Photo(path, named=True).read(MAX_BIN_BYTES)
    pictures, labels = _two_lists(load_restricted(data, shown), shown)
    if len(pictures) != 2 * len(labels) or not labels:
        raise UnsafePickle(
            f"{shown}: holds {len(pictures)} pictures and {len(labels)} labels: not two a pair"
        )
    crops: dict[bytes, int] = {}
    numbers = [crops.setdefault(_crop(each, shown), len(crops)) for each in pictures]
    names = [Path(f"{path.name}#{number}") for number in numbers]
    collector = PairCollector(shown)
    for pair, label in enumerate(labels):
        same = _label(label, shown)
        collector.add(names[2 * pair], names[2 * pair + 1], same, None, f"{shown}, pair {pair + 1}")
    listed = collector.finished()
    by_name = dict(zip(names, numbers, strict=True))
    held = tuple(crops)
    return CropPairs(tuple(held[by_name[item]] for item in listed.items), _with_folds(listed))


def _with_folds(pairs: PairList, folds: int = 10) -> PairList:
    """InsightFace's verification.py cuts the pairs, as they stand, into ten folds of equal size."""
    count = len(pairs.same)
    if count < folds * 2:
        return pairs
    fold = tuple(min(place * folds // count, folds - 1) + 1 for place in range(count))
    return PairList(pairs.items, pairs.people, pairs.first, pairs.second, pairs.same, fold)


def load_restricted(data: bytes, name: str) -> Any:
    """Unpickle bytes, lists, tuples, booleans and arrays of bytes. Raises UnsafePickle, runs nothing."""
    _check_instructions(data, name)
    try:
        return _Restricted(io.BytesIO(data), encoding="bytes", name=name).load()
    except UnsafePickle:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UnsafePickle(f"{name}: can't be read as a test set: {type(error).__name__}") from error


def _check_instructions(data: bytes, name: str) -> None:
    count = 0
    try:
        for instruction, argument, _ in pickletools.genops(data):
            count += 1
            if instruction.name not in _ALLOWED:
                raise UnsafePickle(f"{name}: its pickle uses {instruction.name}, which no test set needs")
            if instruction.name == "INT" and not isinstance(argument, bool):
                raise UnsafePickle(f"{name}: its pickle holds numbers where only booleans belong")
            # A memo number is an index: a huge one makes the unpickler allocate as much.
            if instruction.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > count:
                raise UnsafePickle(f"{name}: its pickle skips memo numbers, as only an attack does")
    except UnsafePickle:
        raise
    except Exception as error:  # what pickletools raises on garbage is not documented
        raise UnsafePickle(f"{name}: is no pickle, or ends early: {type(error).__name__}") from error


class _Restricted(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, *, encoding: str, name: str) -> None:
        super().__init__(file, encoding=encoding)
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        """Ours in place of the few names that a test set calls."""
        found = _STAND_INS.get((_text(module), _text(name)))
        if found is None:
            raise UnsafePickle(
                f"{self._name}: its pickle asks for {printable(f'{_text(module)}.{_text(name)}')[:80]}"
            )
        return found

    def persistent_load(self, pid: Any) -> Any:
        """Never: BINPERSID is not among the allowed instructions either."""
        raise UnsafePickle(f"{self._name}: its pickle refers to things outside it")


def _text(value: str | bytes) -> str:
    return value.decode("ascii", "backslashreplace") if isinstance(value, bytes) else value


class _PlainDtype:
    """Stands for numpy.dtype: one byte wide, or refused."""

    def __init__(self, code: object, *_: object) -> None:
        spoken = code.decode("ascii") if isinstance(code, bytes) else code
        if spoken not in ("u1", "b1", "|u1", "|b1"):
            raise UnsafePickle("its pickle holds an array that is not of bytes or booleans")

    def __setstate__(self, state: object) -> None:
        """Byte order and alignment mean nothing to single bytes."""


class _PlainArray:
    """Stands for numpy.ndarray: the bytes of an unsigned 8-bit or boolean array."""

    def __init__(self, *_: object) -> None:
        self.content = b""

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise UnsafePickle("its pickle holds an array of an unknown form")
        _, shape, dtype, _, content = state
        size = 1
        for side in shape if isinstance(shape, tuple) and len(shape) <= 4 else (-1,):
            size *= side if isinstance(side, int) and side >= 0 else -(1 << 40)
        if not isinstance(dtype, _PlainDtype) or not isinstance(content, bytes) or len(content) != size:
            raise UnsafePickle("its pickle holds an array whose shape and content differ")
        self.content = content


class _ArrayType:
    """What numpy.ndarray is to `_reconstruct`: a mark that can't be called."""


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """_codecs.encode, as Python 3 writes bytes for protocol 2."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1", "latin-1"):
        raise UnsafePickle("its pickle encodes something other than bytes")
    return text.encode("latin-1")


def _reconstruct(*_: object) -> _PlainArray:
    return _PlainArray()


def _empty_bytes(*arguments: object) -> bytes:
    if arguments:
        raise UnsafePickle("its pickle makes bytes out of something else")
    return b""


def _scalar(dtype: object, content: object) -> bool:
    """numpy.bool_, as labels taken out of an array are stored."""
    if not isinstance(dtype, _PlainDtype) or content not in (b"\0", b"\1"):
        raise UnsafePickle("its pickle holds a number that is no boolean")
    return content == b"\1"


_STAND_INS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty_bytes,
    ("builtins", "bytes"): _empty_bytes,
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _PlainDtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
}


def _two_lists(value: object, shown: str) -> tuple[list[object], list[object]]:
    if isinstance(value, list | tuple) and len(value) == 2:
        pictures, labels = value
        if isinstance(labels, _PlainArray):
            labels = [byte != 0 for byte in labels.content]
        if isinstance(pictures, list) and isinstance(labels, list):
            return pictures, labels
    raise UnsafePickle(f"{shown}: is no list of pictures and list of booleans")


def _crop(value: object, shown: str) -> bytes:
    content = value.content if isinstance(value, _PlainArray) else value
    if not isinstance(content, bytes) or not content:
        raise UnsafePickle(f"{shown}: holds a {type(value).__name__} where a picture belongs")
    return content


def _label(value: object, shown: str) -> bool:
    if not isinstance(value, bool):
        raise UnsafePickle(f"{shown}: holds a {type(value).__name__} where a boolean belongs")
    return value
