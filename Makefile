.PHONY: check test docs crash

check:  ## what CI runs
	ruff check
	ruff format --check
	mypy
	lint-imports
	pytest

test:
	pytest

crash:  ## 200 killed writers, 50 failing calls, a minute of two writers and four readers
	ARCFACE_CRASH_ROUNDS=200 ARCFACE_CRASH_FAILURES=50 ARCFACE_CRASH_SECONDS=60 pytest tests/crash

docs:  ## write docs/cli.md and the help in README.md anew from the program
	python tests/docs/write_help.py
