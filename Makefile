SHELL := bash
.DEFAULT_GOAL := help

PY := .venv/bin/python
PIP_INSTALL := $(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r
RUN := scripts/run.sh
FLASK := $(RUN) flask --app app

# The first Python that is new enough; looked for only when the virtual environment must be made.
PYTHON = $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)

.PHONY: help install run test check fix migrate demo doctor bench routes

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

install: .venv/.dev .venv/.browser ## Set up everything for running and testing

run: .venv/.run ## Run the shop with demo data on http://127.0.0.1:8000 (PORT=… for another port)
	@$(RUN)

test: .venv/.browser ## Check, and run all tests on SQLite and on PostgreSQL
	@scripts/test.sh

check: .venv/.dev ## Lint, format, types, layers and templates, without running anything
	@echo "== ruff check";  $(PY) -m ruff check .
	@echo "== ruff format"; $(PY) -m ruff format --check .
	@echo "== mypy";        $(PY) -m mypy
	@echo "== layers";      .venv/bin/lint-imports --no-logo
	@echo "== templates";   .venv/bin/djlint --lint --quiet templates

fix: .venv/.dev ## Repair what ruff can repair, and format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

migrate: .venv/.run ## Bring the database up to date; with m="what changed", first write a migration
	@$(if $(m),$(FLASK) db migrate -m "$(m)")
	@$(FLASK) db upgrade

demo: migrate ## Load the demo venues, if the database is empty
	@$(FLASK) demo load --if-empty
	@$(FLASK) demo sign-ins

doctor: .venv/.run ## Look for anything wrong with this installation
	@$(FLASK) doctor

bench: .venv/.dev ## Measure the pages, and a year of series
	@PYTHONPATH=. $(RUN) python scripts/bench.py
	@PYTHONPATH=. $(RUN) python scripts/bench_series.py

routes: .venv/.run ## List every address the shop answers
	@$(FLASK) routes

# Not commands: each file below says that a step of the set-up is done, and for which lock.

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Sundial needs Python 3.11 or newer, and none is on the PATH." >&2; exit 1; }
	@echo "== Making a virtual environment in .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear .venv || { rm -rf .venv; \
		echo "This Python cannot make one. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }

.venv/.run: requirements.txt .venv/bin/python
	@echo "== Installing the libraries of requirements.txt (half a minute)"
	@$(PIP_INSTALL) requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	@echo "== Installing the tools of requirements-dev.txt (a minute)"
	@$(PIP_INSTALL) requirements-dev.txt
	@touch $@

.venv/.browser: scripts/browser.sh .venv/.dev
	@scripts/browser.sh
	@touch $@
