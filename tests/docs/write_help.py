"""`make docs`: write docs/cli.md and README.md's help block anew from the program."""

from __future__ import annotations

import re

from help_pages import CLI_PAGE, README, cli_page, readme_block

if __name__ == "__main__":
    CLI_PAGE.write_text(cli_page(), encoding="utf-8")
    block = re.compile(r"```text\n Usage: arcface \[OPTIONS\] COMMAND.*?\n```", re.DOTALL)
    readme = README.read_text(encoding="utf-8")
    README.write_text(block.sub(lambda _: readme_block(), readme, count=1), encoding="utf-8")
