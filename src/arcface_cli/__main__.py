"""python -m arcface_cli."""

from arcface_cli.cli.entry import main

main()
