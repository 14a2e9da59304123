"""What became of the inputs of a run, and the exit status that says so."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from arcface_cli.errors import ArcfaceError, DuplicatePhoto
from arcface_cli.wording import counted

DONE, NO, UNFINISHED = 0, 1, 3


@dataclass(slots=True)
class Tally:
    """Counts of a run in progress."""

    done: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    earlier: int = 0
    matches: int = 0
    faces: int = 0
    missing_named: bool = False
    only: ArcfaceError | None = None

    def add_skipped(self, reason: ArcfaceError, *, named: bool) -> None:
        """A sound input without anything to do."""
        self.skipped[reason.code] += 1
        self._note(reason, named)

    def add_failed(self, error: ArcfaceError, *, named: bool) -> None:
        """An input that couldn't be worked through."""
        self.failed[error.code] += 1
        self._note(error, named)

    def add_earlier(self, status: str, code: str | None, *, matched: bool) -> None:
        """An input that an earlier run of a continued output worked through."""
        self.earlier += 1
        self.matches += matched
        match status:
            case "skipped":
                self.skipped[str(code)] += 1
            case "failed":
                self.failed[str(code)] += 1
            case _:
                self.done += 1

    def _note(self, error: ArcfaceError, named: bool) -> None:
        self.only = error
        self.missing_named |= named and error.exit_status == 2

    @property
    def total(self) -> int:
        """Inputs seen."""
        return self.done + self.skipped.total() + self.failed.total()

    @property
    def unfinished(self) -> int:
        """Inputs that were skipped or failed; one that is enrolled already is as good as done."""
        return self.skipped.total() + self.failed.total() - self.skipped[DuplicatePhoto.code]

    def status(self, *, exists: bool = False, every: bool = False) -> int:
        """The exit status.

        exists: the question is whether an enrolled person was found (-e).  every: whether all pairs match.
        """
        if exists and self.matches:
            return DONE
        if self.missing_named:
            return 2
        if self.unfinished and self.total == 1 and self.only is not None:
            return self.only.exit_status
        if self.unfinished:
            return UNFINISHED
        return NO if exists or (every and self.matches < self.done) else DONE

    def summary(self, command: str, seconds: float, what: str = "photograph") -> str:
        """One line: done, skipped by reason, failed by reason, seconds, photographs a second."""
        parts = [f"{self.done} done"]
        for word, counts in (("skipped", self.skipped), ("failed", self.failed)):
            if counts:
                reasons = ", ".join(f"{code} {count}" for code, count in sorted(counts.items()))
                parts.append(f"{counts.total()} {word} ({reasons})")
        if self.earlier:
            parts.append(f"{self.earlier} of them by an earlier run")
        rate = f"{(self.total - self.earlier) / seconds:.1f} a second" if seconds > 0 else "at once"
        return f"{command}: {counted(self.total, what)}: {', '.join(parts)}; {seconds:.1f} s, {rate}"
