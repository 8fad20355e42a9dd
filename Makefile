# Everything here sets up what it needs, in .venv, with the versions of constraints.txt.

PYTHON ?= python3
PIP := 26.3
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt

# A sample of an earlier run is replaced; a corpus of real sources only after a yes at the prompt.
MANIFEST := datasets/merged_mental_health_dataset.manifest.json
REPLACE = $(shell grep -qs '"sample": true' $(MANIFEST) && echo --force)

.PHONY: run test bench lock clean

run: .venv/run  ## merge the sample into datasets/, prepare every format, show the statistics
	$(BIN)/mindcorpus merge --sample $(REPLACE) --data-dir datasets
	$(BIN)/mindcorpus prepare --force --data-dir datasets
	$(BIN)/mindcorpus stats --data-dir datasets

test: .venv/test  ## lint, types, import contracts, tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --numprocesses auto --maxprocesses 8

bench: .venv/test  ## mindcorpus against a pandas script and a plain copy, on 20 MB
	$(BIN)/python -m bench.run --size 20MB

lock:  ## move constraints.txt to the newest versions that pyproject.toml allows
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --upgrade pip==$(PIP)
	build/lock/bin/python -m pip install --quiet . --group dev
	echo "# Exact versions of all that the project and its tests install. Made by \`make lock\`; edit pyproject.toml instead." > constraints.txt
	build/lock/bin/python -m pip freeze --exclude mindcorpus >> constraints.txt

clean:  ## remove what the targets above made, but for datasets/
	rm -rf .venv build dist bench/data .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find mindcorpus tests bench -name __pycache__ -prune -exec rm -rf {} +

.venv/venv: constraints.txt pyproject.toml Makefile
	@PYTHON=$(PYTHON) sh .ci/need-python
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --upgrade pip==$(PIP)
	touch $@

.venv/run: .venv/venv
	$(INSTALL) --editable .
	touch $@

.venv/test: .venv/run
	$(INSTALL) --group dev
	touch $@
