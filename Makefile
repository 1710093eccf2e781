# The ground of the project: install, try, test, check. `make` alone lists the targets.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -qq
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev

# The first Python that is new enough. Another one: make preview PYTHON=/path/to/python3
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$python"; break; }; done)

# `make lock LOCK=--upgrade` takes the newest releases; without it only what must change does.
LOCK ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(LOCK) pyproject.toml

# `make test TESTS="tests/unit -k urls"` runs some.
TESTS ?=
# One more than two cores: tests that wait for a server or a browser leave room for another.
WORKERS ?= 3

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help preview test coverage test-long check bench lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

preview: $(RUN) ## Show the sample edition: no key, no network after the first time, nobody is mailed
	@$(BIN)/digest send --preview

test: $(DEV) ## Run the tests, in random order
	$(BIN)/python -m pytest -m "not long" -n $(WORKERS) $(TESTS)

# Measuring it takes as long again as the tests.
coverage: $(DEV) ## Run the tests and tell what they leave out
	$(BIN)/python -m pytest -m "not long" -n $(WORKERS) --cov --cov-report=term $(TESTS)

test-long: $(DEV) ## Run the tests that take long
	@if grep -rqs --include='*.py' 'mark\.long' tests; \
	then $(BIN)/python -m pytest -m long -n $(WORKERS) $(TESTS); \
	else echo "There are no long tests yet."; fi

check: $(DEV) ## Lint, formatting, types, imports; the lock fits pyproject.toml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit/test_lock.py

bench: $(DEV) ## Measure speed and memory
	$(BIN)/python -m bench

lock: $(DEV) ## Write requirements/*.txt anew from pyproject.toml
	$(COMPILE) --group build --output-file requirements/run.txt
	$(COMPILE) --group dev --extra postgres --constraints requirements/run.txt --output-file requirements/dev.txt

clean: ## Remove .venv and caches; never a project's data
	rm -rf $(VENV) build dist .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find digest tests -name __pycache__ -prune -exec rm -rf {} +

# The stamps spare the second run everything that did not change.
$(BIN)/pip:
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "digest needs Python 3.11 or newer. Install one, or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@"$(PYTHON)" -m venv --clear $(VENV) || { \
		echo "This Python cannot make a virtual environment. On Debian: apt install python3-venv" >&2; \
		rm -rf $(VENV); exit 1; }

$(RUN): pyproject.toml requirements/run.txt | $(BIN)/pip
	@echo "Installing digest into $(VENV); this is needed once and takes a minute ..." >&2
	@$(PIP) install --require-hashes --requirement requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): pyproject.toml requirements/dev.txt | $(BIN)/pip
	@echo "Installing digest and its development tools into $(VENV) ..." >&2
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(RUN)
