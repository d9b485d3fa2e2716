# Two commands on a bare machine: `make demo` and `make test`. Everything else is built from them.
PYTHON ?= python3
ARGS ?=

RUN := .venv/bin/
STAMP := .venv/.synced

.PHONY: help setup demo test slow check lint format types contracts docs reference bench clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     three emulated instances, an account on each, a live two-way sync and its page"
	@echo "make test     the tests (what needs an absent browser or Postgres is skipped, with a reason)"
	@echo "make check    lint, types, import contracts, docs"
	@echo "make slow     the slow ring of the tests"
	@echo "make bench    the benchmarks (print ratios, decide nothing)"
	@echo "make format   put the code in the house's form"
	@echo "make reference  write docs/reference/ and FIDELITY.md anew from the code"

# One sync per change of the lock: a second run starts at once.
$(STAMP): uv.lock pyproject.toml packages/linkspan/pyproject.toml packages/wavetank/pyproject.toml tools/bootstrap.py
	@$(PYTHON) tools/bootstrap.py
	@touch $(STAMP)

setup: $(STAMP)
	@:

demo: $(STAMP)
	@exec $(RUN)linkspan demo $(ARGS)

test: $(STAMP)
	$(RUN)pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

slow: $(STAMP)
	$(RUN)pytest -m "slow and alone" $(ARGS)
	$(RUN)pytest -m "slow and not alone" -n 2 --dist loadfile $(ARGS)

check: lint types contracts docs

lint: $(STAMP)
	$(RUN)ruff check .
	$(RUN)ruff format --check .

format: $(STAMP)
	$(RUN)ruff check --fix .
	$(RUN)ruff format .

types: $(STAMP)
	$(RUN)mypy

contracts: $(STAMP)
	$(RUN)lint-imports --no-logo

docs: $(STAMP)
	$(RUN)python tools/reference.py --check
	$(RUN)wavetank fidelity

reference: $(STAMP)
	$(RUN)python tools/reference.py
	$(RUN)wavetank fidelity --write

bench: $(STAMP)
	$(RUN)python -m tests.bench $(ARGS)

clean:
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
