# make demo | test | test-all | lint | docs, each in its own virtual environment .venv, which is
# made on first use from setup.cfg and pinned by constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test test-all lint format docs benchmark clean

demo: .venv/bench
	$(BIN)/python benchmarks/magic.py --output demo-output
	$(BIN)/python benchmarks/images.py --output demo-output

test: .venv/dev
	$(BIN)/python -m pytest -n auto -m "not slow" --cov --cov-report=term

test-all: .venv/dev
	$(BIN)/python -m pytest -n auto

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

benchmark: .venv/bench
	$(BIN)/python benchmarks/magic.py --seeds 5 --study --output benchmarks/results/magic
	$(BIN)/python benchmarks/images.py --output benchmarks/results/images
	$(BIN)/python benchmarks/hillas.py --output benchmarks/results/hillas
	$(BIN)/python benchmarks/hillas_features.py --output benchmarks/results/hillas_features
	$(BIN)/python benchmarks/flows.py --output benchmarks/results/flows
	$(BIN)/python benchmarks/densities.py --output benchmarks/results/densities
	$(BIN)/python benchmarks/ensembles.py --output benchmarks/results/ensembles
	$(BIN)/python benchmarks/parallel.py --output benchmarks/results/parallel

# One stamp for each set of extras.
.venv/%: setup.cfg pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable ".[$*]"
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv demo-output docs/_build build dist *.egg-info
