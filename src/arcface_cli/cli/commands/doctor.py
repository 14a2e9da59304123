"""`arcface doctor`."""

from __future__ import annotations

from arcface_cli.cli import options


def doctor(
    gallery: options.Gallery = None,
    format: options.FormatOfList = None,
    json: options.AsJson = False,
    quiet: options.Quiet = None,
) -> int:
    """Look at everything that could keep this machine from working. Status 5 when something doesn't.

    One line each (ok, warning or error), with the command that mends it; each device computes a known answer.

    Example: [bold]arcface doctor[/bold]
    """
    from arcface_cli.cli.examining import examine_machine

    return examine_machine(locals())
