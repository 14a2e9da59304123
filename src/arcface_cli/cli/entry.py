"""Where the process begins: signals are taken before anything slow is imported."""

from __future__ import annotations

import os

from arcface_cli.cli.console import say
from arcface_cli.cli.stopping import STOP
from arcface_cli.errors import INTERRUPTED_STATUS


def main() -> None:
    """Run the command line of this process; a Ctrl-C while it loads is no traceback either."""
    STOP.listen()
    try:
        from arcface_cli.cli import app

        app.main()
    except KeyboardInterrupt:
        say("interrupted; run it again")
        os._exit(STOP.status(INTERRUPTED_STATUS))
