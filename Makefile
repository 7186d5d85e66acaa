# Each target works in a fresh clone on a machine with git, make and Python 3.11 or newer.

VENV := .venv
PY := $(VENV)/bin/python
PATHS := bot handlers storage sandbox tests
PYTEST_ARGS ?= -n 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup run test proof mutants lint format types contracts check docs lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(VENV)/.dev-ready ## put everything into .venv

run: $(VENV)/.ready ## start the bot against the sandbox, on this machine alone
	@$(VENV)/bin/switchyard sandbox

test: $(VENV)/.dev-ready ## run the whole test suite
	@$(VENV)/bin/pytest $(PYTEST_ARGS)

lint: $(VENV)/.dev-ready ## look for mistakes and for unformatted code
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

format: $(VENV)/.dev-ready ## format the code and mend what can be mended
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

types: $(VENV)/.dev-ready ## check the types
	@$(VENV)/bin/mypy $(PATHS)

proof: $(VENV)/.dev-ready ## kill the bot at every boundary of every story, and show what was lost or doubled
	@$(VENV)/bin/pytest tests/proof -m proof $(PYTEST_ARGS)

mutants: $(VENV)/.dev-ready ## show that the tests catch bugs that are planted
	@$(VENV)/bin/pytest tests/proof/test_mutants.py -m proof $(PYTEST_ARGS)

contracts: $(VENV)/.dev-ready ## check the rules of the house: floors, manifest, documents
	@$(VENV)/bin/pytest tests/house

check: lint types test ## everything that a change must pass

docs: $(VENV)/.ready ## write the generated blocks of the documents again
	@$(PY) -m bot.docs

# A throw-away environment holds uv, so that the lock needs nothing that the product does not.
LOCK = $(VENV)/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-config --no-emit-index-url --no-emit-find-links --no-annotate --no-header $(UPGRADE)
lock: VENV := .lock-venv
lock: ## write the pinned requirements again (UPGRADE=--upgrade takes newer versions)
	@sh .ci/python -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet uv
	@$(LOCK) --group build --output-file requirements.txt
	@$(LOCK) --group build --group dev --constraints requirements.txt --output-file requirements-dev.txt
	@rm -rf $(VENV)

clean: ## remove what these targets made
	@rm -rf $(VENV) .lock-venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(PY):
	@sh .ci/python -m venv $(VENV)

# The second stamp is a superset of the first: running the bot needs no test tools.
$(VENV)/.ready: requirements.txt pyproject.toml | $(PY)
	@echo "Setting up $(VENV) ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev-ready: requirements-dev.txt $(VENV)/.ready
	@echo "Adding the test tools ..."
	@$(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements-dev.txt
	@touch $@
