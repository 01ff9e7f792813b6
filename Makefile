# Needs Python 3.11 or newer and make; everything else goes into .venv and .cache.
# Options for a command: make demo ARGS="--for 30 --port 8099", make test ARGS="-k kafka".

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SILENT:
.PHONY: help demo serve install test soak bench simulate lint types format lock dashboards pictures screenshots clean

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PYTHONS := python3.13 python3.12 python3.11 python3
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	--custom-compile-command "make lock" $(ARGS)

help: ## List the targets
	awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## Run the whole loop on this machine, with a simulated shop; Ctrl-C ends it
	$(BIN)/livenps demo $(ARGS)

serve: $(VENV)/installed ## Run the program; ARGS="--embedded" needs neither Kafka nor Redis
	$(BIN)/livenps serve $(ARGS)

install: $(VENV)/installed ## Install the program into .venv

test: $(VENV)/installed-dev ## Install what the tests need, start the real parts, run all tests
	tests/real/install.sh
	$(BIN)/pytest --numprocesses 2 --dist worksteal $(ARGS)

soak: $(VENV)/installed-dev ## Twenty minutes of faults at random under load; ARGS="--minutes 5 --seed 7"
	tests/real/install.sh kafka redis
	$(BIN)/python -m tests.faults.soak $(ARGS)

bench: $(VENV)/installed-dev ## Measure livenps and its peers on the same answers; ARGS="--help" tells more
	tests/real/install.sh kafka redis
	$(BIN)/python -m benchmarks.run $(ARGS)

simulate: $(VENV)/installed-dev ## Try what docs/statistics.md promises on simulated answers; ARGS="--quick" takes seconds
	$(BIN)/python -m benchmarks.simulate $(ARGS)

lint: $(VENV)/installed-dev ## Check style, format, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/installed-dev ## Check the types
	$(BIN)/mypy

format: $(VENV)/installed-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(BIN)/uv ## Write the lock files anew; ARGS="--upgrade" takes newer versions
	printf 'hatchling\neditables\n' | $(COMPILE) --output-file requirements.lock pyproject.toml -
	$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	! grep -n '://' requirements.lock requirements-dev.lock

dashboards: $(VENV)/installed-dev ## Write Grafana's dashboards anew
	$(BIN)/python -m deploy.grafana.generate

pictures: $(VENV)/installed-dev ## Take the pictures of the dashboards, from a shop that trades for four minutes
	$(BIN)/python -m docs.render

screenshots: $(VENV)/installed-dev ## Take the README's pictures from a running `make demo`
	$(BIN)/python docs/screenshot.py $(ARGS)

clean: ## Remove everything that make has made
	rm -rf $(VENV) .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# The build backend comes from the lock file too, hence no build isolation.
$(VENV)/installed: requirements.lock pyproject.toml | $(BIN)/pip
	echo "Installing livenps into $(VENV), which takes a minute the first time."
	$(PIP) install --require-hashes --no-deps -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	echo "Installing the tools for tests and checks into $(VENV)."
	$(PIP) install --require-hashes --no-deps -r requirements-dev.lock
	touch $@

$(BIN)/pip:
	for python in $(PYTHONS); do \
		if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec $$python -m venv $(VENV); \
		fi; \
	done; \
	echo "livenps needs Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)." >&2; \
	echo "None of these will do here: $(PYTHONS)" >&2; \
	exit 1

$(BIN)/uv: | $(BIN)/pip
	$(PIP) install uv
