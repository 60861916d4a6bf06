# dashlib: `make demo` shows it working, `make test` proves it. Both set up what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
DEMO := build/demo

.PHONY: help demo test check bench screenshots lab dashboards lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/installed: requirements.lock pyproject.toml
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing .venv && uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --editable .; \
	else \
	  for python in python3.12 python3.13 python3.14 python3; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break; python=; \
	  done; \
	  [ -n "$$python" ] || { echo "dashlib needs Python 3.12 or newer; none was found on PATH" >&2; exit 1; }; \
	  $$python -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	fi
	@touch $@

demo: .venv/installed ## a synthetic clinic month, validated, with its report
	@mkdir -p $(DEMO)
	@$(BIN)/dashlib demo-data --rows 50000 --seed 7 --errors 3% --run-date 2025-07-02 --if-missing $(DEMO)/factures.csv --truth $(DEMO)/truth.csv
	@run=$$($(BIN)/dashlib validate --json --run-date 2025-07-02 $(DEMO)/factures.csv | \
	  $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["number"])'); \
	report=$(DEMO)/rapport-$$run.html; \
	$(BIN)/dashlib show $$run; \
	[ -f $$report ] || $(BIN)/dashlib report $$run --out $$report; \
	echo; \
	echo "Ensuite :  $$report   le rapport, dans le navigateur"; \
	echo "           $(BIN)/dashlib results $$run    les constats"; \
	echo "           $(BIN)/dashlib dashboards    le tableau de bord, dans le navigateur"; \
	echo "           make lab                  les carnets, dans JupyterLab"

check: .venv/installed ## formatting, lint, types, floors and the fast tests
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q --numprocesses auto -m "not (database or notebooks or browser or slow)"

test: check ## everything: also PostgreSQL, Redis, kernels, the browser, and many more drawn files
	@$(BIN)/pytest -q --numprocesses auto --hypothesis-profile thorough tests/property
	@tests/install-browser
	@$(BIN)/pytest -q --numprocesses auto --dist loadfile -m "database or notebooks or browser or slow"

bench: .venv/installed ## how fast, as ratios to the floor; figures in build/bench.json
	@$(BIN)/python -m tests.bench

screenshots: .venv/installed ## a picture of every page and state, in build/screenshots
	@tests/install-browser
	@$(BIN)/python -m tests.screenshots

lab: .venv/installed ## the notebooks in JupyterLab
	@$(BIN)/dashlib lab

dashboards: .venv/installed ## the dashboards in the browser
	@$(BIN)/dashlib dashboards

lock: ## resolve the dependencies anew (needs uv)
	@uv pip compile --quiet --upgrade --universal --python-version 3.12 --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate --all-extras pyproject.toml -o requirements.lock

clean: ## remove what was built, but no data
	@rm -rf .venv build
