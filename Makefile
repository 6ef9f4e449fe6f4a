# Every task of the project. Each makes what it needs in .venv and touches no other Python.
# Variables: ARGS goes to the command that is run; PYTHON names the Python that .venv is made from.

PYTHON ?= python3
ARGS ?=
MAKEFLAGS += --no-print-directory
export PYTHON
export PYRIGHT_PYTHON_IGNORE_WARNINGS = 1

.DEFAULT_GOAL := help
.PHONY: help install demo test check cover bench soak replay pins clean mosquitto

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s%s\n", $$1, $$2 }' Makefile

install: .venv/.bot ## Install the bot into .venv
	@echo "Installed. Try: .venv/bin/tocsin --version"

demo: .venv/.demo ## Talk to a whole system on this machine; ARGS=--tour shows it around
	@.venv/bin/python -m demo $(ARGS)

# The tests start hundreds of processes, and each would compile again what it imports where nothing may be kept.
test soak cover: export PYTHONDONTWRITEBYTECODE =
test cover: export TMPDIR = $(shell scripts/scratch)

test: .venv/.dev mosquitto ## Run the tests; ARGS="-k stop" runs some of them
	@.venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/.dev ## Judge the code: ruff, its formatter, and pyright in strict mode
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/pyright

cover: .venv/.dev mosquitto ## Hold the tests to 95 % of the branches of bot/
	@.venv/bin/coverage erase
	@.venv/bin/coverage run -m pytest -q tests/unit tests/system/test_stop_by_key.py
	@.venv/bin/coverage combine -q
	@.venv/bin/coverage report

bench: .venv/.dev mosquitto ## Measure; ARGS=version runs one benchmark, without it they are listed
	@.venv/bin/python -m bench $(ARGS)

soak: .venv/.dev mosquitto ## Run the tests that take long
	@.venv/bin/python -m pytest -m soak $(ARGS)

replay: .venv/.dev ## Show a history of the stop machine step by step; SEED=17 says which, MUTANT=ttl what is taken out
	@SEED="$(SEED)" MUTANT="$(MUTANT)" .venv/bin/python -m tests.simulator

pins: .venv/.dev ## Choose the newest versions that fit and write them to constraints.txt
	@grep '^#' constraints.txt > .venv/pins
	@echo uv | .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev \
		--no-header --no-annotate pyproject.toml - >> .venv/pins
	@cp .venv/pins constraints.txt

clean: ## Remove all that the other targets made
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis .coverage build dist .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

mosquitto:
	@scripts/mosquitto

# One stamp for each extra, made again when its inputs change, so that nothing is asked of pip in vain.
.venv/.%: pyproject.toml constraints.txt bot/__init__.py scripts/install
	@scripts/install $*
