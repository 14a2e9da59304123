"""Lists of pairs to compare: LFW's pairs.txt and CSV. What is wrong with one is said before any work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arcface_cli.errors import InvalidList
from arcface_cli.inputs.names import printable
from arcface_cli.inputs.tables import cell, existing, read_table, read_text

FIRST = ("file_a", "file_x", "file1", "a")
SECOND = ("file_b", "file_y", "file2", "b")
SAME = ("same", "decision", "genuine", "label")
FOLD = "fold"
YES = frozenset({"1", "yes", "true", "same", "genuine"})
NO = frozenset({"0", "no", "false", "different", "impostor"})
SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".webp", ".bmp", ".tif")


@dataclass(frozen=True, slots=True)
class PairList:
    """Pairs of items, by number.

    items: what is compared, each once: paths, or names of crops.  people: who is on each; numbered groups
    where the list names nobody (items that genuine pairs connect).  first, second, same: of each pair.
    fold: of each pair, or None.
    """

    items: tuple[Path, ...]
    people: tuple[str, ...]
    first: tuple[int, ...]
    second: tuple[int, ...]
    same: tuple[bool, ...]
    fold: tuple[int, ...] | None = None


@dataclass(slots=True)
class PairCollector:
    """Puts a PairList together, pair by pair, and refuses labels that contradict. name: of the list."""

    name: str
    items: dict[Path, int] = field(default_factory=dict)
    pairs: list[tuple[int, int, bool, int | None]] = field(default_factory=list)
    _seen: dict[tuple[int, int], tuple[bool, str]] = field(default_factory=dict)
    _places: list[str] = field(default_factory=list)

    def add(self, first: Path, second: Path, same: bool, fold: int | None, at: str) -> None:
        """One pair; `at` says where it stands. Raises InvalidList."""
        a, b = (self.items.setdefault(each, len(self.items)) for each in (first, second))
        if a == b and not same:
            raise InvalidList(f"{at}: calls one photograph two people: {printable(str(first))}")
        known, where = self._seen.setdefault((min(a, b), max(a, b)), (same, at))
        if known != same:
            raise InvalidList(f"{at}: contradicts {where}, which says the other of the same pair")
        self.pairs.append((a, b, same, fold))
        self._places.append(at)

    def finished(self, people: Sequence[str] | None = None) -> PairList:
        """The list. people: who is on each item, if the list says so. Raises InvalidList."""
        if not self.pairs:
            raise InvalidList(f"{self.name} lists no pair")
        who = tuple(people) if people is not None else tuple(self._linked())
        folds = [fold for _, _, _, fold in self.pairs if fold is not None]
        return PairList(
            tuple(self.items),
            who,
            tuple(a for a, _, _, _ in self.pairs),
            tuple(b for _, b, _, _ in self.pairs),
            tuple(same for _, _, same, _ in self.pairs),
            tuple(folds) if len(folds) == len(self.pairs) else None,
        )

    def _linked(self) -> Iterator[str]:
        """Name of each item's group: whoever genuine pairs connect is one person."""
        parent = list(range(len(self.items)))

        def root(item: int) -> int:
            while parent[item] != item:
                parent[item] = parent[parent[item]]
                item = parent[item]
            return item

        for a, b, same, _ in self.pairs:
            if same:
                parent[root(a)] = root(b)
        for (a, b, same, _), at in zip(self.pairs, self._places, strict=True):
            if not same and root(a) == root(b):
                raise InvalidList(
                    f"{at}: says two people, but other pairs make them one", hint="mend the labels"
                )
        return (f"#{root(item)}" for item in range(len(self.items)))


def read_pairs(path: Path, folder: Path) -> PairList:
    """Pairs of photographs under `folder`: a CSV when the name ends in .csv or .tsv, else LFW's pairs.txt.

    CSV: a column of `FIRST`, of `SECOND`, of `SAME` (yes or no in some words), and perhaps `FOLD`.
    Raises InvalidList naming the line, and what opening a file raises.
    """
    return _csv_pairs(path, folder) if path.suffix.lower() in (".csv", ".tsv") else _lfw_pairs(path, folder)


def _csv_pairs(path: Path, folder: Path) -> PairList:
    shown = printable(str(path))
    collector = PairCollector(shown)
    for number, row in read_table(path, (FIRST, SECOND, SAME)):
        at = f"{shown}, line {number}"
        first, second = (existing(folder / cell(row, names), at) for names in (FIRST, SECOND))
        fold = _whole(row[FOLD], at, "fold") if row.get(FOLD) else None
        collector.add(first, second, _is_same(cell(row, SAME), at), fold, at)
    return collector.finished()


def _is_same(text: str, at: str) -> bool:
    word = text.casefold()
    if word not in YES | NO:
        raise InvalidList(f"{at}: {printable(text)!r} is neither yes nor no", hint="write 1 or 0")
    return word in YES


def _lfw_pairs(path: Path, folder: Path) -> PairList:
    """http://vis-www.cs.umass.edu/lfw/README.txt: folds and pairs a fold, then their pairs, genuine first."""
    shown = printable(str(path))
    lines = [(number, line.split()) for number, line in enumerate(read_text(path).splitlines(), 1)]
    folds, each, body = _lfw_header(lines, shown)
    if len(body) != folds * each * 2:
        raise InvalidList(f"{shown}: promises {folds * each * 2} pairs and has {len(body)}")
    collector, people = PairCollector(shown), dict[Path, str]()
    for place, (number, words) in enumerate(body):
        at = f"{shown}, line {number}"
        if len(words) not in (3, 4):
            raise InvalidList(f"{at}: needs 'NAME N N' or 'NAME N NAME N'")
        one, other = (words[0], words[1]), (words[-2] if len(words) == 4 else words[0], words[-1])
        if len(words) == 4 and one[0] == other[0]:
            raise InvalidList(f"{at}: names two people, and they are the same")
        first, second = (_lfw_photo(folder, *each_one, at) for each_one in (one, other))
        people |= {first: one[0], second: other[0]}
        collector.add(first, second, len(words) == 3, place // (each * 2) + 1, at)
    return collector.finished([people[item] for item in collector.items])


def _lfw_header(
    lines: list[tuple[int, list[str]]], shown: str
) -> tuple[int, int, list[tuple[int, list[str]]]]:
    filled = [(number, words) for number, words in lines if words]
    numbers = [_whole(word, f"{shown}, line 1", "count") for word in filled[0][1]] if filled else []
    if len(numbers) not in (1, 2) or min(numbers) < 1:
        raise InvalidList(f"{shown}: the first line must say how many folds and pairs, as '10 300'")
    folds, each = numbers if len(numbers) == 2 else (1, numbers[0])
    return folds, each, filled[1:]


def _lfw_photo(folder: Path, name: str, number: str, at: str) -> Path:
    if "/" in name or name in ("", ".", ".."):
        raise InvalidList(f"{at}: {printable(name)!r} is no person's folder")
    stem = f"{name}_{_whole(number, at, 'number'):04d}"
    paths = (folder / name / (stem + suffix) for suffix in SUFFIXES)
    found = next((path for path in paths if path.is_file()), None)
    return existing(folder / name / (stem + SUFFIXES[0]), at) if found is None else found


def _whole(text: str, at: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidList(f"{at}: {printable(text)[:40]!r} is no {what}")
    return int(text)
