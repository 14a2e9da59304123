"""`--assert 'FNIR@FPIR=0.01<=0.05'`: a figure of a run, and what it must keep to."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from arcface_cli.errors import UnsupportedRate, UsageError
from arcface_cli.evaluation import rates
from arcface_cli.evaluation.folds import fold_accuracy
from arcface_cli.evaluation.histogram import ScoreCounts
from arcface_cli.evaluation.identification import Searches, cmc, fnir, fpir
from arcface_cli.evaluation.scores import PairScores
from arcface_cli.evaluation.summary import threshold_at_fpir

Run = PairScores | ScoreCounts | Searches

_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_FORM = re.compile(
    rf"\s*(?P<figure>[A-Za-z]+[0-9]*)\s*(?:@\s*(?P<at>[A-Za-z]+)\s*=\s*(?P<level>{_NUMBER})\s*)?"
    rf"(?P<sign><=|>=|<|>)\s*(?P<limit>{_NUMBER})\s*"
)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
EXAMPLES = (
    "FNIR@FPIR=0.01<=0.05, FNMR@FMR=1e-3<=0.02, FMR@T=0.42<=1e-3, EER<0.01, ACCURACY>=0.99, RANK1>=0.95"
)


@dataclass(frozen=True, slots=True)
class Assertion:
    """One claim. figure, at: upper case; level: None without `@`."""

    text: str
    figure: str
    at: str | None
    level: float | None
    sign: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether a value keeps to it; NaN never does."""
        return _SIGNS[self.sign](value, self.limit)


def parse(text: str) -> Assertion:
    """Raises UsageError for what is no claim."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise UsageError(f"--assert {text!r} is no claim", hint=f"for example: {EXAMPLES}")
    level = match["level"]
    return Assertion(
        text.strip(),
        match["figure"].upper(),
        None if match["at"] is None else match["at"].upper(),
        None if level is None else float(level),
        match["sign"],
        float(match["limit"]),
    )


def value_of(claim: Assertion, run: Run) -> float:
    """The figure that a claim is about.

    Raises UsageError when the run has no such figure, UnsupportedRate and NothingToCount when its data don't
    allow it.
    """
    if claim.at in ("FMR", "FPIR") and not 0 < (claim.level or 0) <= 1:
        raise UsageError(f"--assert {claim.text!r}: a rate lies between 0 and 1")
    match run:
        case PairScores():
            return _of_pairs(claim, run)
        case ScoreCounts():
            return _of_counts(claim, run)
        case Searches():
            return _of_searches(claim, run)


def _of_pairs(claim: Assertion, run: PairScores) -> float:
    genuine, impostor = run.genuine_similarity, run.impostor_similarity
    match claim.figure, claim.at, claim.level:
        case "ACCURACY", None, None:
            return fold_accuracy(run).mean
        case "EER", None, None:
            return rates.equal_error_rate(rates.error_curve(genuine, impostor))[0]
        case ("FNMR" | "TAR") as figure, "FMR", float(level):
            accepted, _ = rates.true_accept_rate(genuine, impostor, level)
            return accepted if figure == "TAR" else 1.0 - accepted
        case "FMR", "T", float(level):
            value = rates.fmr(impostor, level)
            _require_support(claim, value, len(impostor), "impostor comparisons")
            return value
        case "FNMR", "T", float(level):
            return rates.fnmr(genuine, level)
    raise _no_such(claim)


def _of_counts(claim: Assertion, run: ScoreCounts) -> float:
    match claim.figure, claim.at, claim.level:
        case ("FNMR" | "TAR") as figure, "FMR", float(level):
            share = run.fnmr(run.threshold_at_fmr(level))
            return 1.0 - share if figure == "TAR" else share
        case "FMR", "T", float(level):
            value = run.fmr(level)
            _require_support(claim, value, run.impostors, "impostor comparisons")
            return value
        case "FNMR", "T", float(level):
            return run.fnmr(level)
    raise _no_such(claim)


def _of_searches(claim: Assertion, run: Searches) -> float:
    match claim.figure, claim.at, claim.level:
        case "FNIR", "FPIR", float(level):
            return fnir(run, threshold_at_fpir(run, level))
        case "FNIR", "T", float(level):
            return fnir(run, level)
        case "FPIR", "T", float(level):
            value = fpir(run, level)
            _require_support(claim, value, len(run.stranger_best), "searches")
            return value
        case str(figure), None, None if re.fullmatch(r"RANK[1-9][0-9]?", figure):
            rank = int(figure.removeprefix("RANK"))
            return float(cmc(run, rank)[rank - 1])
    raise _no_such(claim)


def _require_support(claim: Assertion, value: float, total: int, what: str) -> None:
    """No event among too few is no proof that a rate keeps under a limit."""
    if claim.sign in ("<", "<=") and claim.holds(value) and claim.limit > 0:
        try:
            rates.require_support(claim.limit, total, what)
        except UnsupportedRate as error:
            raise UnsupportedRate(f"--assert {claim.text!r}: {error.message}", hint=error.hint) from error


def _no_such(claim: Assertion) -> UsageError:
    return UsageError(
        f"--assert {claim.text!r}: this run has no such figure", hint=f"for example: {EXAMPLES}"
    )
