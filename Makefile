# Everything a developer does, in a virtual environment of its own.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: up workshop-demo test lint tests unit wheel bench clean

## Kratos on SQLite, ready to use, from nothing but Python and a package manager
up: $(VENV)/runs
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/first-up

## a class of ten seats from beginning to end: people sign in, a seat dies and is healed, one is reset, all go down
workshop-demo: $(VENV)/runs
	PATH="$(CURDIR)/$(BIN):$$PATH" scripts/workshop-demo

## what has to pass: linters, types, every test, the wheel
test: lint tests wheel

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

tests: $(VENV)/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest --numprocesses 4 --dist worksteal $(PYTEST)

## the tests that need no Docker engine
unit: $(VENV)/installed
	$(BIN)/pytest -m "not engine" $(PYTEST)

## build the wheel, install it into an empty environment, try it
wheel: $(VENV)/installed
	BIN=$(BIN) scripts/try-wheel

## the tables of times: against Ory's quickstart and a plain loop, of kratosctl as people install it
bench:
	$(PYTHON) -m venv build/bench
	build/bench/bin/pip install --quiet --force-reinstall --no-deps . && build/bench/bin/pip install --quiet .
	build/bench/bin/python bench/run.py $(BENCH)
	build/bench/bin/python bench/testing.py $(BENCH)
	build/bench/bin/python bench/seed.py $(BENCH)
	build/bench/bin/python bench/workshop.py $(BENCH)
	build/bench/bin/python bench/board.py $(BENCH)
	build/bench/bin/python bench/neighbours.py $(BENCH)

$(VENV)/runs: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/installed: $(VENV)/runs
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
