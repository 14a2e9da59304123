"""The `arcface` command: its verbs, and the one place where errors become words and exit statuses."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from arcface_cli import __version__
from arcface_cli.cli.console import open_closed_streams, say, say_error
from arcface_cli.cli.once import Verbs
from arcface_cli.cli.stopping import STOP
from arcface_cli.errors import BUG_STATUS, INTERRUPTED_STATUS, ArcfaceError, OutOfMemory, OutputError

ClickException: type[Exception] = typer.BadParameter.__mro__[2]
"""Base of Typer's own complaints about the command line, wherever this Typer keeps it."""

EPILOG = (
    "Exit statuses: 0 yes, done; 1 no; 2 usage; 3 unusable inputs; 4 no face; 5 machine; 6 gallery; 7 output."
)

MULTIPLIERS = {"identify", "gallery", "evaluate", "calibrate", "bench"}
"""Commands that multiply matrices large enough for several threads."""
RESUMABLE = {"align", "embed", "identify", "verify"}
"""Commands that have --resume."""

VERBS, KEEP, SETUP = "Verbs", "Galleries and weights", "Around it"
PANELS = {
    "align": VERBS,
    "embed": VERBS,
    "enroll": VERBS,
    "identify": VERBS,
    "verify": VERBS,
    "calibrate": VERBS,
    "evaluate": VERBS,
    "gallery": KEEP,
    "models": KEEP,
    "demo": SETUP,
    "doctor": SETUP,
    "bench": SETUP,
    "config": SETUP,
    "schema": SETUP,
}
"""Every command, by its place in the help. `commands.NAME` holds a function NAME, or an `app` of its own."""


def build_app(names: Iterable[str] = PANELS) -> typer.Typer:
    """The command line with these commands.

    Typer reads the signature of every command it is given, which takes as long as comparing two faces: so
    a run gives it the command that was asked for, and only help, completion and mistakes see all.
    """
    app = Verbs(
        name="arcface",
        no_args_is_help=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True, epilog=EPILOG)(root)
    for name in names:
        module = import_module(f"arcface_cli.cli.commands.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, rich_help_panel=PANELS[name])
        else:
            app.command(name, rich_help_panel=PANELS[name])(getattr(module, name))
    return app


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"arcface {__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Face recognition from a shell: photographs in, names out, and an honest "unknown".

    Begin with: [bold]arcface demo[/bold]
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line of this process, and end it with the documented status."""
    open_closed_streams()
    # Most runs are short: looking for cycles while modules load, and taking the interpreter apart at the
    # end, would be a fifth of their time.
    gc.set_threshold(100_000)
    # OpenBLAS, at NumPy's import, starts a thread a core and lets them spin for work that mostly never comes.
    if not MULTIPLIERS & set(sys.argv[1:2]):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    status = STOP.status(run(sys.argv[1:]))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status. Whatever goes wrong is one line on stderr."""
    try:
        asked = [word for word in arguments[:1] if word in PANELS]
        status = build_app(asked or PANELS)(args=arguments, prog_name="arcface", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED_STATUS
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Typer ends with 1 then, which would read as "no"
            return _end_quietly()
        raise
    except Exception as error:
        if not STOP.is_asked:
            return _told(error, arguments)
        status = INTERRUPTED_STATUS  # a library that was loading made an error of its own of the signal
    if status == INTERRUPTED_STATUS:  # which is also what Typer makes of a KeyboardInterrupt
        say(f"interrupted; {way_on(arguments)}")
    return status if isinstance(status, int) else 0


def way_on(arguments: list[str]) -> str:
    """What to do after a command line that was interrupted."""
    if "--resume" in arguments:
        return "what was written stays: run the same command again to go on"
    if "enroll" in arguments[:1]:
        return "what was enrolled stays: run the same command again to go on"
    verb, *words = arguments or [""]
    once = any(word == "-" and before != "--files-from" for before, word in pairwise(arguments))
    if once or verb not in RESUMABLE or (verb == "verify" and "--pairs" not in words):
        return "run it again"  # a photograph on standard input isn't there twice
    way = "--resume" if verb == "align" else "-o FILE.jsonl and --resume"
    return f"run it again; with {way} it goes on where it stopped"


def _told(error: Exception, arguments: list[str]) -> int:
    """The exit status of an error, which is said in one line."""
    match error:
        case ArcfaceError():
            say_error(error)
            return error.exit_status
        case BrokenPipeError():
            return _end_quietly()
        case ClickException():
            return _say_usage(error, arguments)
    return _say_unforeseen(error, arguments)


def _say_usage(error: Exception, arguments: list[str]) -> int:
    """Typer's complaint, on one line."""
    message = getattr(error, "format_message", lambda: str(error))().strip() or "a command is missing"
    context = getattr(error, "ctx", None)
    path = "arcface" if context is None else context.command_path
    dashed = [word for word in arguments if word.startswith("-") and hasattr(error, "option_name")]
    files = [word for word in dashed if Path(word).exists()]
    meant = f"a file is named with ./ before it: ./{files[0]}; " if files else ""
    say(f"{' '.join(message.split()).rstrip('.')}; {meant}see {path} --help")
    return 2


def _end_quietly() -> int:
    """The reader of our output has gone (| head): nobody is left to tell, and nothing went wrong."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _say_unforeseen(error: Exception, arguments: list[str]) -> int:
    """What the machine refused, or else a bug."""
    if isinstance(error, MemoryError):
        say_error(OutOfMemory(f"there is too little memory ({error})" if str(error) else "out of memory"))
        return OutOfMemory.exit_status
    if isinstance(error, OSError) and error.errno is not None:
        say_error(OutputError(f"the operating system refused: {error}"))
        return OutputError.exit_status
    say(
        f"a bug of ours: {type(error).__name__}: {' '.join(str(error).split())}; nothing enrolled was lost; "
        "run it again with -vv and report what it prints"
    )
    if "-vv" in arguments or "-vvv" in arguments:
        import traceback

        traceback.print_exc()
    return BUG_STATUS
