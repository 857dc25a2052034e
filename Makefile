# Everything a person does here, by name. Nothing must be installed first but make, Python 3.11 and root.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIPENV := .cache/pipenv/bin/pipenv
READY := .venv/.ready
DEBIAN := .cache/.debian
BROWSER := .cache/.browser

.PHONY: help up down status check format test fuzz synth bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(READY) ## Start a three-node lab with a highly available PostgreSQL on it, and prove that it answers
	@env -u KUBECONFIG $(BIN)/pgha up lab

down: $(READY) ## Stop the lab and remove it, databases and all; what was built stays cached
	@$(BIN)/lab down

status: $(READY) ## Say what of the lab runs
	@$(BIN)/lab status

check: $(READY) ## Format, lint, types, layers: what fails fast
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: check $(BROWSER) ## Tests: unit, synth, and end to end on the lab; LONG=1 adds the long ones
	$(BIN)/python -m tests.debian
	PGHA_LONG=$(LONG) $(BIN)/pytest

fuzz: $(READY) ## Search for cluster files that break the loader, the rules or explain: 5,000 each, minutes
	PGHA_EXAMPLES=5000 $(BIN)/pytest tests/unit/config/test_config_properties.py tests/unit/effects/test_effects_properties.py

synth: $(READY) ## Write terraform/ and kubernetes/ anew from clusters/
	$(BIN)/pgha synth

bench: $(READY) ## Measure what starting, validating and running cost on this machine
	$(BIN)/python benchmarks/validate.py
	$(BIN)/python benchmarks/start.py

clean: down ## Remove the cache and the Python environment too
	$(BIN)/lab down --all
	rm -rf .venv .cache

# The environment: exactly Pipfile.lock, in a virtual environment of this folder's own.
$(READY): Pipfile Pipfile.lock pyproject.toml $(DEBIAN)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(PIPENV) || { $(PYTHON) -m venv .cache/pipenv && .cache/pipenv/bin/pip install --quiet pipenv==2026.10.3; }
	env -u VIRTUAL_ENV PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 $(PIPENV) sync --dev
	touch $@

# Debian packages that the lab and the virtual environment need; installed only where something is missing.
$(DEBIAN): Makefile
	@mkdir -p $(@D)
	@for program in ip mmdebstrap nsenter unshare; do command -v $$program > /dev/null || missing=yes; done; \
	$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || missing=yes; \
	if [ -n "$$missing" ]; then \
		echo "installing Debian packages: iproute2 mmdebstrap python3-venv util-linux"; \
		{ apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends iproute2 mmdebstrap python3-venv util-linux; } \
			> .cache/debian.log 2>&1 || { tail .cache/debian.log; echo "run as root, or install them by hand"; exit 1; }; \
	fi
	@touch $@

# The report's page is looked at in a real browser; without one those tests say that they did not run.
$(BROWSER): Makefile
	@command -v chromium > /dev/null || { echo "installing Debian package: chromium"; \
		{ apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends chromium; } > .cache/browser.log 2>&1 \
		|| tail -3 .cache/browser.log; }
	@touch $@
