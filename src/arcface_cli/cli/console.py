"""The two streams: stdout carries data and nothing else; everything said to people goes to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from arcface_cli.cli.pasting import PASTED
from arcface_cli.cli.sources import SOURCES
from arcface_cli.errors import ArcfaceError
from arcface_cli.inputs.names import printable

if TYPE_CHECKING:
    from rich.console import Console

STDOUT, STDERR = 1, 2


def open_closed_streams() -> None:
    """Let file descriptors 0 to 2, where the caller closed them (>&-), lead to nowhere.

    Else the next file to be opened, a gallery perhaps, got such a number, and what is printed went into it.
    Reading stdin and writing to stdout fail, as when they are closed: results must not vanish unsaid.
    """
    for number, mode in ((0, os.O_WRONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(STDOUT, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(STDERR, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115


@contextlib.contextmanager
def data_stream() -> Iterator[BinaryIO]:
    """Our own way to stdout, while file descriptor 1 leads to stderr: native libraries print there.

    Where stdout is no file (in a test that captures it), it is used as it is.
    """
    sys.stdout.flush()
    if not _is_real_stdout():
        yield sys.stdout.buffer
        return
    saved = os.dup(STDOUT)
    os.dup2(STDERR, STDOUT)
    stream = os.fdopen(os.dup(saved), "wb")
    try:
        yield stream
        stream.flush()
    finally:
        with contextlib.suppress(OSError):  # whoever wrote has been told: closing would only say it again
            stream.close()
        sys.stdout.flush()
        os.dup2(saved, STDOUT)
        os.close(saved)


def _is_real_stdout() -> bool:
    try:
        return sys.stdout.fileno() == STDOUT
    except (OSError, ValueError, AttributeError):
        return False


def say(text: str) -> None:
    """One line to people, without a character that a terminal obeys, whoever's name or path holds it.

    What can't be written there is nothing we could tell anybody.
    """
    with contextlib.suppress(OSError, ValueError):
        print(f"arcface: {printable(text.strip())}", file=sys.stderr, flush=True)  # noqa: T201


def say_error(error: ArcfaceError) -> None:
    """What, why and the next step, on one line."""
    message = SOURCES.message(error.message)
    say(message if error.hint is None else f"{message}; {PASTED(SOURCES.hint(error.hint))}")


def stderr_console() -> Console:
    """Rich on stderr, for progress."""
    from rich.console import Console

    return Console(stderr=True)


def is_terminal() -> bool:
    """Whether people read what goes to stdout. Inside `data_stream`, ask its stream instead."""
    try:
        return sys.stdout.isatty()
    except ValueError:
        return False


def wants_color() -> bool:
    """Whether a terminal takes colour: not with NO_COLOR (no-color.org) or TERM=dumb."""
    from rich.console import Console

    console = Console(force_terminal=True)
    return not console.no_color and console.color_system is not None
