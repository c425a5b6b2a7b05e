# Plimsoll. Every target works without activating the environment; `make` lists them.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHONS ?= python3.12 python3.11 python3
UV := uv==0.13.9
# Registries behind a company proxy are signed by certificates that only the system knows.
export UV_SYSTEM_CERTS := true
NETWORK := ethereum:local:foundry
SCENARIO ?= 2020-03-12
WORKERS ?= 2
ARGS ?=

# ape-vyper looks for `vyper` on PATH and ape-foundry for `anvil`.
export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/node_modules/.bin:$(PATH)

PYTHON_STAMP := $(VENV)/.installed
NODE_STAMP := node_modules/.installed

# These start no chain through Ape, so they run without its pytest plugin.
IN_PROCESS = $(wildcard tests/unit tests/scenarios tests/stateful)
UNIT := python -m pytest -p no:ape_test -n $(WORKERS)

.PHONY: help install lock demo crisis backtest optimise test test-long mutants lint format bench sizes clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(PYTHON_STAMP) $(NODE_STAMP) ## Install Python and node dependencies (repeats are instant)
	@# An activated environment then finds anvil and cast as well.
	@ln -sf ../../node_modules/.bin/anvil ../../node_modules/.bin/cast $(VENV)/bin/

# uv is only a faster installer: where it cannot be had, pip installs the same lock. The lock is
# complete, so nothing is resolved: mamushi's stale pin of mypy-extensions would stop pip.
$(PYTHON_STAMP): requirements.lock
	@python=""; for name in $(PYTHONS); do \
	    if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	        2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Plimsoll needs Python 3.11 or 3.12, and neither is on PATH." >&2; exit 1; \
	fi; \
	echo "Installing Python packages into $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV)
	@if ! { python -m pip install --quiet $(UV) \
	        && uv pip install --quiet --python $(VENV) --no-deps -r requirements.lock; }; then \
	    echo "uv could not install the lock; installing with pip"; \
	    python -m pip install --quiet --no-deps -r requirements.lock; \
	fi
	@touch $@

# The packages with the binaries ask for node 20 but only hold a binary. On 18 npm leaves them out
# without a word, so there they are asked for by name.
BINARIES := ["anvil", "cast"].map(tool => "@foundry-rs/" + tool + "-" + process.platform + "-" + \
    process.arch.replace("x64", "amd64") + "@" + \
    require("./package.json").devDependencies["@foundry-rs/" + tool]).join(" ")
NPM_OPTIONS := --ignore-scripts --no-audit --no-fund --loglevel=error

$(NODE_STAMP): package-lock.json .npmrc
	@if ! node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null; then \
	    echo "Plimsoll needs node 18 or later on PATH." >&2; exit 1; \
	fi
	@echo "Installing anvil and the JavaScript clients into node_modules"
	@npm ci $(NPM_OPTIONS)
	@if ! node_modules/.bin/anvil --version >/dev/null 2>&1; then \
	    npm install --no-save $(NPM_OPTIONS) $$(node -p '$(BINARIES)') >/dev/null; \
	    npm rebuild $(NPM_OPTIONS) >/dev/null; \
	    node_modules/.bin/anvil --version >/dev/null; \
	fi
	@touch $@

lock: install ## Resolve requirements.lock anew from pyproject.toml, for both Python versions
	@uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev --no-header \
	    --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock

demo: install ## Replay a market day through the protocol on a local chain (SCENARIO=2020-03-12)
	@ape run demo --scenario $(SCENARIO)

crisis: install ## Drive 2,000 accounts through a crash, beside a ranked queue (ARGS="--help")
	@ape run crisis $(ARGS)

backtest: install ## Backtest the margin rates as pushed, walk-forward (DATA=folder, ARGS="--help")
	@python -m oracle.backtest $(if $(DATA),--data $(DATA)) $(ARGS)

optimise: install ## Tune the overlay by walk-forward CMA-ES (DATA=folder, ARGS="--help")
	@python -m oracle.optimise $(if $(DATA),--data $(DATA)) $(ARGS)

test: install ## Run all tests: in process, attack scenarios, state machine, mutants, Ape on Anvil
	@$(UNIT) -m "not long" --dist worksteal -q $(IN_PROCESS)
	@python -m tests.mutants
	@ape compile --force > /dev/null
	@ape test tests/functional --network $(NETWORK) -m "not long" -v WARNING -q

test-long: install ## Run the long fuzz and state-machine tests, and all properties on new examples
	@HYPOTHESIS_PROFILE=random $(UNIT) -m long $(IN_PROCESS)
	@HYPOTHESIS_PROFILE=random $(UNIT) -m "not long" -q tests/unit

mutants: install ## Check that the tests notice deliberate faults
	@python -m tests.mutants

lint: install ## Check style, types and Vyper sources
	@ruff check .
	@ruff format --check .
	@mypy
	@# mamushi 0.0.4 cannot parse all of Vyper 0.4.3 (`reentrant(...)`, for one): such files are
	@# named and passed over, and only "would reformat" fails.
	@report=$$(mamushi --check --safe false --line-length 100 contracts 2>&1) || true; \
	    grep -E 'error:|would reformat contracts' <<< "$$report" || true; \
	    ! grep -q 'would reformat contracts' <<< "$$report"
	@python -m scripts.vyper_lint

format: install ## Rewrite Python and Vyper sources in the house format
	@ruff check --fix --exit-zero --quiet .
	@ruff format .
	@mamushi --quiet --safe false --line-length 100 contracts || [ $$? -eq 123 ]

bench: install ## Measure gas on a local chain
	@ape run bench

sizes: install ## Table of bytecode sizes against the 24,576-byte limit
	@ape run sizes

clean: ## Remove build output and caches, keeping the environments
	@rm -rf .build build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . \( -name .venv -o -name node_modules -o -name .git \) -prune \
	    -o -name __pycache__ -type d -prune -exec rm -rf {} +
