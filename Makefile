# Plimsoll. Every target works without activating the environment; `make` lists them.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
UV_VERSION := 0.13.9
NETWORK := ethereum:local:foundry
SCENARIO ?= 2020-03-12

# ape-vyper looks for `vyper` on PATH and ape-foundry for `anvil`.
export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/node_modules/.bin:$(PATH)

PYTHON_STAMP := $(VENV)/.installed
NODE_STAMP := node_modules/.installed

.PHONY: help install demo test lint format bench sizes clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(PYTHON_STAMP) $(NODE_STAMP) ## Install Python and node dependencies (repeats are instant)

$(PYTHON_STAMP): requirements.lock
	@python=""; for name in python3.12 python3.11 python3; do \
	    if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	        2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Plimsoll needs Python 3.11 or 3.12, and neither is on PATH." >&2; exit 1; \
	fi; \
	echo "Installing Python packages into $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)
	@# uv is only a faster installer: where it cannot be had, pip installs the same lock.
	@# The lock is complete, so nothing is resolved: mamushi's stale pin of mypy-extensions
	@# (see pyproject.toml) would otherwise stop pip.
	@if $(PYTHON) -m pip install --quiet uv==$(UV_VERSION) 2>/dev/null \
	    && $(VENV)/bin/uv pip install --quiet --python $(PYTHON) --no-deps \
	        -r requirements.lock; then :; \
	else \
	    echo "uv could not install the lock; installing with pip"; \
	    $(PYTHON) -m pip install --quiet --no-deps -r requirements.lock; \
	fi
	@touch $@

$(NODE_STAMP): package-lock.json .npmrc
	@# The anvil binaries ask for node 20: npm silently leaves them out on older ones.
	@if ! node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null; then \
	    echo "Plimsoll needs node 20 or later on PATH." >&2; exit 1; \
	fi
	@echo "Installing anvil and the JavaScript clients into node_modules"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: install ## Replay a market day through the protocol on a local chain (SCENARIO=2020-03-12)
	@ape run demo --scenario $(SCENARIO)

test: install ## Run every test: pure Python and in-process EVM, then Ape on Anvil
	@python -m pytest tests/unit -n 2
	@ape test tests/functional --network $(NETWORK)

lint: install ## Check style, types and Vyper sources
	@ruff check .
	@ruff format --check .
	@mypy

format: install ## Rewrite Python and Vyper sources in the house format
	@ruff check --fix .
	@ruff format .

bench: install ## Measure gas on a local chain
	@ape run bench

sizes: install ## Table of bytecode sizes against the 24,576-byte limit
	@ape run sizes

clean: ## Remove build output and caches, keeping the environments
	@rm -rf .build build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find contracts oracle scripts tests -name __pycache__ -type d -prune -exec rm -rf {} + \
	    2>/dev/null || true
