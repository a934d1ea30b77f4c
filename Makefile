# make study and make test set everything up by themselves; the only things needed are make and Python 3.11 or newer.
# Written for GNU make 3.81 (macOS) and newer.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# TransformerLens 3.9 in a folder of its own: laid over the environment it makes a second one that differs in nothing else.
LENS := .lens
LENS_PACKAGES := transformer-lens==3.9.0 better-abc==0.0.3
# SAELens and the TransformerLens that it wants, laid over the environment in the same way.
SAELENS := .saelens
SAELENS_PACKAGES := sae-lens==6.54.12 $(LENS_PACKAGES) babe==0.0.7 nltk==3.9.2 python-dotenv==1.2.4 simple-parsing==0.1.8 tenacity==9.2.1
WORKERS ?= 2
STREAMLIT_PORT ?= 8501

# The first interpreter that is new enough and can make environments; python3 first, because that is the one that the
# machine means. PYTHON=... overrides.
PROBE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	if "$$name" -c '$(PROBE)' >/dev/null 2>&1; then command -v "$$name"; break; fi; done)
endif

.PHONY: help setup check test lens saelens study app docs bench browser clean

help:
	@echo 'make study   the whole study on the shipped model; writes results/.../report.html (ARGS=... are passed on)'
	@echo 'make test    everything that CI runs'
	@echo 'make lens    the part of it that runs once more, on TransformerLens 3.9'
	@echo 'make saelens the exchange of dictionaries with SAELens itself'
	@echo 'make app     the dashboard'
	@echo 'make check   lint, format, types, import contracts'
	@echo 'make docs    write docs/commands.md from the commands themselves, tables and figures from what ships'
	@echo 'make bench   measured comparisons'
	@echo 'make setup   the environment in $(VENV), installed anew when pyproject.toml or constraints.txt changes'

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@if [ ! -x $(BIN)/python ] && ! "$(PYTHON)" -c '$(PROBE)' >/dev/null 2>&1; then \
		echo 'No Python 3.11 or newer with venv was found: install one (Debian: apt-get install python3 python3-venv,' \
			'macOS: brew install python) or name it, as in make PYTHON=/path/to/python setup.' >&2; exit 2; fi
	@[ -x $(BIN)/python ] || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[app,dev]'
	@touch $@

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo

# Quick tests come first, slow ones and the browser last (tests/conftest.py sorts them). The last line sums up all of them.
test: check lens $(SAELENS)/.installed browser
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

# The tests of model, activations and the published model once more, on the other major version of TransformerLens; but
# for trainings in several processes and killed ones, which differ in nothing that TransformerLens has.
TRAINING := tests/dtinterp/model/training
APART := $(TRAINING)/test_ranks.py \
	$(TRAINING)/test_train_in_processes.py::test_two_processes_of_torchrun_train_as_one_does_with_the_same_batches \
	$(TRAINING)/test_train_in_processes.py::test_a_training_killed_at_any_moment_goes_on_to_the_same_bits

lens: $(LENS)/.installed
	PYTHONPATH=$(LENS) $(BIN)/python -c 'from transformer_lens import HookedTransformer'
	PYTHONPATH=$(LENS) $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(APART:%=--deselect %) \
		tests/dtinterp/model tests/dtinterp/activations tests/dtinterp/commands/models/test_import_model.py

$(LENS)/.installed: $(INSTALLED) Makefile
	rm -rf $(LENS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(LENS) $(LENS_PACKAGES)
	@touch $@

# The exchange of dictionaries with SAELens itself, both ways; make test runs it with everything else.
saelens: $(SAELENS)/.installed
	$(BIN)/python -m pytest tests/dtinterp/dictionary/formats/test_saelens_itself.py

$(SAELENS)/.installed: $(INSTALLED) Makefile
	rm -rf $(SAELENS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(SAELENS) $(SAELENS_PACKAGES)
	@touch $@

# The browser tests want a Chromium. Where one can be installed without asking anybody, it is.
browser: setup
	@if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo 'Installing Chromium for the browser tests.'; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null \
				|| echo 'Chromium could not be installed.' >&2; \
		else \
			echo 'No Chromium on the path: browser tests that find none elsewhere are skipped, or fail under CI=true.' >&2; \
		fi; fi

study: setup
	$(BIN)/dtinterp study --replace $(ARGS)

app: setup
	$(BIN)/python -m app --server.port $(STREAMLIT_PORT)

docs: setup browser
	$(BIN)/python docs/commands.py
	$(BIN)/python docs/results.py
	$(BIN)/python docs/figures.py
	$(BIN)/python docs/notebooks.py

bench: $(LENS)/.installed
	@for file in benchmarks/*.py; do echo $$file; PYTHONPATH=$(LENS) $(BIN)/python $$file || exit 1; done

clean:
	rm -rf results .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
