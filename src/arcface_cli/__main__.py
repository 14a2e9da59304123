"""python -m arcface_cli."""

from arcface_cli.cli.app import main

main()
