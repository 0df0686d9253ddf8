# `make demo` and `make test` are all a newcomer needs; both make .venv first.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test check wheel data docs clean

demo: .venv/core ## evaluate BM25 over the bundled benchmark: a table of nDCG@5 in 20 languages
	$(BIN)/jina-vdr eval --model bm25 --benchmark demo

test: .venv/test .venv/vision ## run every test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: .venv/check ## formatting, lint and types; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

wheel: .venv/test ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

data: .venv/core ## make the bundled demo data again: the same bytes
	$(BIN)/jina-vdr synth build demo --out tasks/demo

docs: .venv/core ## write docs/tasks.md, docs/known-models.md and the schemas of task files again
	$(BIN)/jina-vdr tasks list --markdown > docs/tasks.md
	$(BIN)/jina-vdr models list --markdown > docs/known-models.md
	$(BIN)/jina-vdr tasks schema > tasks/task.schema.json
	$(BIN)/jina-vdr tasks schema --benchmark > tasks/benchmark.schema.json

clean: ## remove what make has made; results/ stays
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache

.venv/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jina-vdr needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv
	$(PIP) --upgrade "pip>=25.1"
	touch $@

.venv/core: .venv/pip pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

.venv/test: .venv/core
	$(PIP) --editable ".[models,mteb]" --group test
	touch $@

# torchvision and what needs it, apart: its import changes what transformers does, and fails beside a torch for
# the CPU but for a shim (tests/torchvision_shim). Tests put this folder on the path of processes of their own.
.venv/vision: .venv/test
	rm -rf $@
	$(PIP) --no-deps --target $@ accelerate colpali-engine peft psutil torchvision
	touch $@

.venv/check: .venv/core
	$(PIP) --group check
	touch $@
