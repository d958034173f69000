# make demo | test | test-all | lint | docs | dist, each in its own virtual environment .venv, which is
# made on first use from setup.cfg and pinned by constraints.txt. The tests of HTML pages need
# Chromium: make chromium.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test test-all lint audit format dist docs benchmark reports chromium clean

demo: .venv/bench
	$(BIN)/python benchmarks/magic.py --output demo-output
	$(BIN)/python benchmarks/images.py --output demo-output

# One thread of BLAS and OpenMP each: the workers have the cores, and threads that wait for each other
# on busy ones take eight times as long.
test: .venv/dev chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" --durations=15 --cov --cov-report=term

test-all: .venv/dev chromium
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

# Known vulnerabilities of the pinned versions; asks PyPI, so it is no part of the tests.
audit: .venv/audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: .venv/dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

docs: .venv/docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

# Without benchmarks/gpu.py --output benchmarks/results/gpu, which needs a GPU.
benchmark: .venv/bench
	$(BIN)/python benchmarks/magic.py --seeds 5 --study --output benchmarks/results/magic
	$(BIN)/python benchmarks/images.py --output benchmarks/results/images
	$(BIN)/python benchmarks/localisation.py
	$(BIN)/python benchmarks/telescope_views.py
	$(BIN)/python benchmarks/hillas.py --output benchmarks/results/hillas
	$(BIN)/python benchmarks/hillas_features.py --output benchmarks/results/hillas_features
	$(BIN)/python benchmarks/flows.py --output benchmarks/results/flows
	$(BIN)/python benchmarks/densities.py --output benchmarks/results/densities
	$(BIN)/python benchmarks/contrast_figure.py --output benchmarks/results/contrast
	$(BIN)/python benchmarks/negatives.py --seeds 2 --output benchmarks/results/negatives
	$(BIN)/python benchmarks/conformal.py --output benchmarks/results/conformal
	$(BIN)/python benchmarks/gamma_ray.py --output benchmarks/results/gamma_ray
	$(BIN)/python benchmarks/ensembles.py --output benchmarks/results/ensembles
	$(BIN)/python benchmarks/parallel.py --output benchmarks/results/parallel
	$(BIN)/python benchmarks/streaming.py --output benchmarks/results/streaming
	$(BIN)/python benchmarks/scale.py --output benchmarks/results/scale
	PYTHONHASHSEED=0 $(BIN)/python benchmarks/error_messages.py
	for name in $(CONFIGS) ablation; do \
		PYTHONPATH=benchmarks $(BIN)/python -m skflow.benchmark run \
			benchmarks/configs/$$name.toml || exit; done
	$(MAKE) reports

# Of the results of all detectors, which are committed; a run goes on with them.
CONFIGS := one_class contaminated published published_large planar rare_event rare_event_few rare_event_many rare_event_hidden auxiliary auxiliary_datasets images images_pixels images_networks images_sets
DETECTORS := benchmarks/results/detectors
REPORT := $(BIN)/python -m skflow.benchmark report
reports: .venv/bench
	$(REPORT) $(DETECTORS)/one_class.jsonl --output $(DETECTORS)/one_class \
		--title "One class" --reference FlowNeighborsDetector
	$(REPORT) $(DETECTORS)/contaminated.jsonl --output $(DETECTORS)/contaminated \
		--title "Training rows with anomalies among them"
	$(REPORT) $(DETECTORS)/rare_event*.jsonl --output $(DETECTORS)/rare_event \
		--title "Rare events" --reference RareEventDetector
	$(BIN)/python benchmarks/auxiliary.py
	$(BIN)/python benchmarks/one_class_images.py
	$(REPORT) $(DETECTORS)/planar.jsonl --output $(DETECTORS)/planar --title "The planar flow"
	$(BIN)/python benchmarks/published.py $(DETECTORS)/published*.jsonl
	$(BIN)/python benchmarks/published.py $(DETECTORS)/planar.jsonl --output $(DETECTORS)/planar
	$(BIN)/python benchmarks/ablation.py

# Where there is no Chromium or Chrome, root on Debian installs it and others learn how. Without
# one the tests of HTML pages are skipped, and fail where CI=true.
CHROMIUM := chromium chromium-browser google-chrome google-chrome-stable
chromium:
	@for program in $(CHROMIUM); do command -v $$program >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -q && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium; \
	then exit 0; fi; \
	echo "No Chromium for the tests of HTML pages: apt-get install chromium, or install Chrome."

# One stamp for each set of extras.
.venv/%: setup.cfg pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) --editable ".[$*]"
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv demo-output docs/_build build dist *.egg-info
