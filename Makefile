# Two commands on a bare machine: `make demo` and `make test`. Everything else is built from them.
PYTHON ?= python3
ARGS ?=
export UV_SYSTEM_CERTS ?= 1
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
export PYTHONWARNDEFAULTENCODING :=

STAMP := .venv/.synced
RUN := .venv/bin/

.PHONY: demo test check slow bench lint types contracts docs format setup clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     three emulated instances, an account on each, a live two-way sync and its page"
	@echo "make test     the tests (what needs an absent browser or Postgres is skipped, with a reason)"
	@echo "make check    lint, types, import contracts, docs"
	@echo "make slow     the slow ring of the tests"
	@echo "make bench    the benchmarks (print ratios, decide nothing)"

# One sync per change of the lock: a second run starts at once.
$(STAMP): uv.lock pyproject.toml packages/linkspan/pyproject.toml packages/wavetank/pyproject.toml tools/bootstrap.py
	@UV=$$($(PYTHON) tools/bootstrap.py) && "$$UV" sync --quiet --locked --python "$$(command -v $(PYTHON))" 1>&2
	@touch $(STAMP)

setup: $(STAMP)

demo: $(STAMP)
	@exec $(RUN)linkspan demo $(ARGS)

test: $(STAMP)
	$(RUN)pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

slow: $(STAMP)
	$(RUN)pytest -m slow $(ARGS)

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
	$(RUN)lint-imports

docs: $(STAMP)
	$(RUN)python tools/reference.py --check

bench: $(STAMP)
	$(RUN)python -m tests.bench $(ARGS)

clean:
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache dist
