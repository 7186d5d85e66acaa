# Each target works in a fresh clone on a machine with git, make and Python 3.11 or newer.

VENV := .venv
PY := $(VENV)/bin/python
PATHS := bot handlers storage sandbox tests bench
PYTEST_ARGS ?= -n 6 --dist worksteal

# Byte code is kept, also where the machine says otherwise: each test's process and each bot would compile it all anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup run test proof mutants fuzz bench lint format types contracts check docs messages lock audit clean

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

# Most of these tests wait for a bot, so that more of them run beside each other than there are cores: two a core. With
# more of them each story takes longer, and its bot looks around for longer: six workers took twice the computing of two.
PROOF_ARGS ?= -n 4 --dist worksteal
PROOF := $(PY) -m pytest -p tests.proof.report -m proof

proof: $(VENV)/.dev-ready ## show that nothing is lost, doubled or leaked, and write the table
	@HYPOTHESIS_PROFILE=proof PROOF_WRITE=1 $(PROOF) tests $(PROOF_ARGS)

mutants: $(VENV)/.dev-ready ## show that the tests catch bugs that are planted
	@$(PROOF) tests/proof/test_mutants.py $(PROOF_ARGS)

# Each of the two parsers is tried for so long.
FUZZ_SECONDS ?= 60
FUZZ_VENV := .fuzz-venv
FUZZ = $(FUZZ_VENV)/bin/python -m tests.fuzz.guided

fuzz: $(FUZZ_VENV)/.ready ## try the two parsers with inputs that reach more and more of them
	@$(FUZZ) frames $(FUZZ_SECONDS) .fuzz
	@$(FUZZ) commands $(FUZZ_SECONDS) .fuzz

bench: $(VENV)/.dev-ready ## show how long the Home tab takes beside a long history
	@$(PY) -m bench.home

$(FUZZ_VENV)/.ready: requirements-fuzz.txt pyproject.toml
	@echo "Setting up $(FUZZ_VENV) ..."
	@sh .ci/python -m venv $(FUZZ_VENV)
	@$(FUZZ_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $< \
		|| { echo "make fuzz needs atheris, which has no build for this Python or this machine; see requirements-fuzz.txt."; exit 1; }
	@$(FUZZ_VENV)/bin/python -c "import atheris" 2>/dev/null \
		|| { echo "make fuzz needs atheris, which there is for Linux alone."; exit 1; }
	@$(FUZZ_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

contracts: $(VENV)/.dev-ready ## check the rules of the house: floors, manifest, documents
	@$(VENV)/bin/pytest tests/house

check: lint types test ## everything that a change must pass

docs: $(VENV)/.dev-ready ## write the generated blocks of the documents again
	@$(PY) -m bot.docs
	@$(PY) -m tests.proof.report

messages: $(VENV)/.dev-ready ## bring new sentences into the catalogues
	@$(PY) -m tests.house.catalogues

# A throw-away environment holds uv, so that the lock needs nothing that the product does not.
LOCK = $(VENV)/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-config --no-emit-index-url --no-emit-find-links --no-annotate --no-header $(UPGRADE)
lock: VENV := .lock-venv
lock: ## write the pinned requirements again (UPGRADE=--upgrade takes newer versions)
	@sh .ci/python -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet uv
	@$(LOCK) --group build --output-file requirements.txt
	@$(LOCK) --group build --group dev --constraints requirements.txt --output-file requirements-dev.txt
	@$(LOCK) --group build --group fuzz --constraints requirements.txt --output-file requirements-fuzz.txt
	@rm -rf $(VENV)

# Asks a service on the internet what is known of each pin, so it is no part of .ci/run. A pin that it does not know fails too.
audit: VENV := .audit-venv
audit: ## look for known holes in the pinned libraries; needs the internet
	@sh .ci/python -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet "pip-audit>=2.10,<3"
	@$(VENV)/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.txt -r requirements-dev.txt -r requirements-fuzz.txt
	@rm -rf $(VENV)

clean: ## remove what these targets made
	@rm -rf $(VENV) .fuzz-venv .fuzz .lock-venv .audit-venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

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
