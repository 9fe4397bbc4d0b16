# The two commands: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test attack lint acceptance acceptance-ratio install clean
.DEFAULT_GOAL := test

# torch first and by its exact version: a range would bring a CUDA build of several gigabytes.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[data,train,report,dev]'
	touch $@

install: $(READY)

demo: $(READY)
	$(BIN)/hallmark demo --directory build/demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m 'not acceptance' -n auto

# Every attack of docs/trust.md; FULL=1 kills a thousand times instead of two hundred.
attack: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.attack $(if $(FULL),--full)

acceptance: $(READY)
	$(BIN)/python -m pytest tests -m acceptance -s
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/repository.py
	$(BIN)/python -m benchmarks.trust
	$(BIN)/python -m benchmarks.dedup
	$(BIN)/python -m benchmarks.generation

# Human against synthetic descriptions on NL-RX, 22 models from scratch: some twenty minutes on two quiet cores.
acceptance-ratio: $(READY)
	$(BIN)/python -m benchmarks.ratio

lint: $(READY)
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet --persona=auditor .github/workflows
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml

clean:
	rm -rf build $(VENV)
