# Two commands: `make demo` shows what recurra does, `make test` runs every check.
# Both make their own environment in .venv, so a machine needs Python 3.11 or later and make, nothing else.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check install clean
.DELETE_ON_ERROR:

demo: .venv/base
	$(BIN)/recurra demo

test: .venv/dev check
	$(BIN)/pytest -n auto --dist worksteal

check: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

install: .venv/base

.venv/base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("recurra needs Python 3.11 or later; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/dev: .venv/base
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
