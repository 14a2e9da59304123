"""A pytest plugin for machines that have the photographs and weights: a test marked `real` must not skip."""

from __future__ import annotations

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember a skip of such a test; a browser alone may be missing, as no photograph brings one."""
    wants_browser = "no browser" in str(report.longrepr)
    if report.skipped and "real" in report.keywords and not (wants_browser or hasattr(report, "wasxfail")):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that passed all else has failed then."""
    if _skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them where pytest sums up."""
    for nodeid in _skipped:
        terminalreporter.write_line(f"MUST NOT SKIP with ../shared beside the checkout: {nodeid}")
