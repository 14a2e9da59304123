"""Where the process begins: signals are taken before anything slow is imported."""

from __future__ import annotations

import contextlib
import os

from arcface_cli.cli.stopping import STOP


def main() -> None:
    """Run the command line of this process; a Ctrl-C while it loads is no traceback either."""
    STOP.listen()
    try:
        from arcface_cli.cli import app

        app.main()
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            os.write(2, b"arcface: interrupted; run it again\n")
        os._exit(STOP.status(0))
