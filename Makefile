# A fresh machine needs Python 3.11 to 3.13 (with venv) and make; everything else is installed into .venv.
PYTHON ?= python3
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
PYTEST := $(BIN)/python -m pytest --quiet
SPARK := .venv-spark
# A metric's name, and the misspellings that tests are about.
NOT_MISSPELT := acuracy,aproval,burnin,fpr,mape,modle,modell,polcy,recal,regsitry,selekt,te,wihtin
# Long tests on several processes; a test file with fixtures of its own session stays on one.
PARALLEL := --numprocesses $(JOBS) --dist loadfile
# Those with servers wait half of their time, so one more fits in.
WAITING := --numprocesses $(shell expr $(JOBS) + 1) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help venv format check test e2e soak spark demo bench docs

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(INSTALLED)  ## Create .venv and install the tested versions (once)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed, found: $$($(PYTHON) --version). Name another one: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (about a minute, 1.5 GB) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

format: venv  ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: venv  ## The inner loop: format, lint, types, import contracts, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell --ignore-words-list $(NOT_MISSPELT)
	$(PYTEST) $(PARALLEL) -m "not soak" --cov=airflow_registry.domain --cov-branch --cov-fail-under=100 --cov-report= tests/unit/domain
	$(PYTEST) $(PARALLEL) -m "not soak" --ignore=tests/unit/domain tests/unit

test: check  ## All that CI runs: check, real PostgreSQL, a real Airflow inside the tests, then end to end
	$(PYTEST) $(WAITING) -m "not soak and not e2e" --ignore=tests/unit tests
	$(PYTEST) -m "e2e and not soak" tests

e2e: venv  ## Only the end-to-end test: dags/ under a real `airflow standalone`
	$(PYTEST) -m "e2e and not soak" tests

soak: venv  ## The long forms of the tests
	HYPOTHESIS_PROFILE=search $(PYTEST) $(PARALLEL) tests/unit/domain
	$(PYTEST) --capture=no -m soak tests
	$(MAKE) spark

spark: $(SPARK)/installed  ## Scoring on a real Spark, in an environment of its own (needs Java 17 or newer)
	$(SPARK)/bin/python -m pytest --quiet tests/spark/on_real_spark.py

$(SPARK)/installed: pyproject.toml constraints.txt
	@java -version 2>/dev/null || { echo "Spark needs Java 17 or newer; on Debian: apt-get install openjdk-17-jre-headless"; exit 1; }
	@test -x $(SPARK)/bin/python || $(PYTHON) -m venv $(SPARK)
	@echo "Installing into $(SPARK) (three minutes, 2 GB) …"
	@$(SPARK)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--editable '.[sklearn,spark]' 'pyspark[connect]==4.3.0' 'pytest>=8.3'
	@touch $@

demo: venv  ## The loop on real flights in a real Airflow, with a table of what happened (KEEP=1: stays up)
	@KEEP=$(KEEP) $(BIN)/python -m airflow_registry.testing.demo

docs: venv  ## Write docs/reference/errors.md anew from what the tests provoke
	WRITE_DOCS=1 $(PYTEST) tests/errors

bench: venv  ## The benchmarks
	@set -e; for script in $(wildcard benchmarks/*.py); do echo "== $$script"; $(BIN)/python $$script; done
