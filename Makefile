.PHONY: check test docs

check:  ## what CI runs
	ruff check
	ruff format --check
	mypy
	lint-imports
	pytest

test:
	pytest

docs:  ## write docs/cli.md and the help in README.md anew from the program
	python tests/docs/write_help.py
