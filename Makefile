# Everything here sets up what it needs, in .venv, with the versions of constraints.txt.

PYTHON ?= python3
PIP := 26.3
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt

# What `make run` merges: sample, or all of the real sources.
SOURCES ?= sample
# Of the long runs of `make soak`: the seed, how many jobs are ordered under faults, and how many
# broken files are merged.
SEED ?= 1
JOBS ?= 2000
FILES ?= 900
# Of `make test-consumers`: the consumers, by the names in tests/consumers/environments.py; none: all.
CONSUMERS ?=

.PHONY: run test test-bounds test-consumers soak bench bench-service docs-figures screenshots lock sbom audit-dependencies image-digests clean

run: .venv/run  ## start the service here, have it merge the sample and prepare its formats
	$(BIN)/python -m web up --sources $(SOURCES)

test: .venv/test  ## lint, types, import contracts, tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest --numprocesses auto --maxprocesses 8

test-bounds: .venv/test  ## the lowest and newest versions that pyproject.toml allows, and other Pythons
	$(BIN)/python tests/bounds/run.py
	$(BIN)/python tests/bounds/beside_trainers.py

test-consumers: .venv/test  ## every format, read by those who are to read it (CONSUMERS: some of them)
	MINDCORPUS_CONSUMERS="$(CONSUMERS)" $(BIN)/pytest --numprocesses 0 tests/consumers/proof.py

soak: .venv/test  ## all long runs, one after the other; tells what each gave
	@MINDCORPUS_SOAK_SEED=$(SEED) MINDCORPUS_SOAK_JOBS=$(JOBS) MINDCORPUS_SOAK_FILES=$(FILES) \
	  MINDCORPUS_FUZZ_REQUESTS=5000 MINDCORPUS_FUZZ_RAW=2000 SCHEMATHESIS_EXAMPLES=200 \
	  $(BIN)/python tests/long_runs.py

bench: .venv/test  ## mindcorpus against a pandas script and a plain copy, on 20 MB
	$(BIN)/python -m bench.run --size 20MB

bench-service: .venv/test  ## the service, two workers busy, against what it promises, on 200 MB
	$(BIN)/python -m bench.service

docs-figures: .venv/test  ## what the pages print of the sample, written anew from the sample
	$(BIN)/python tests/docs_figures.py

screenshots: .venv/test  ## the dashboard's pages as pictures, into docs/screenshots
	$(BIN)/python tests/browser/screenshots.py

lock:  ## move the pins to the newest versions that pyproject.toml allows, and lock them with hashes
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/python -m pip install --quiet --upgrade pip==$(PIP)
	build/lock/bin/python -m pip install --quiet '.[service,local,monitoring]' --group dev
	echo "# Exact versions of all that the project and its tests install. Made by \`make lock\`; edit pyproject.toml instead." > constraints.txt
	build/lock/bin/python -m pip freeze --exclude mindcorpus >> constraints.txt
	sh .ci/lock build/lock/bin/uv

sbom: .venv/test  ## what the image installs, as CycloneDX, into build/mindcorpus.cdx.json
	$(PYTHON) -m venv --clear build/sbom
	build/sbom/bin/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt '.[service]'
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible --output-file build/mindcorpus.cdx.json build/sbom

audit-dependencies: .venv/test  ## known weaknesses of what constraints.txt pins, where a network allows to ask
	sh .ci/audit

image-digests:  ## pin the images of Dockerfile and docker-compose.yml to what their tags mean today
	sh .ci/image-digests

clean:  ## remove what the targets above made, but for datasets/ and datasets-state/
	rm -rf .venv build dist bench/data .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find mindcorpus workers web tests bench -name __pycache__ -prune -exec rm -rf {} +

.venv/venv: constraints.txt pyproject.toml Makefile
	@PYTHON=$(PYTHON) sh .ci/need-python
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --upgrade pip==$(PIP)
	touch $@

.venv/run: .venv/venv hatch_build.py
	$(INSTALL) --editable '.[service,local]'
	touch $@

.venv/test: .venv/run
	$(INSTALL) --group dev
	touch $@
