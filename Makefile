# What people type. `make demo` and `make test` need Python 3.11 or newer, git and make, and nothing else.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# Which tests, and how many at a time: make test TESTS=tests/unit WORKERS=4
TESTS ?= tests
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test test-sqlite test-postgres check lint format types arch migrations schema \
	docs bench load sbom lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-22s%s\n", $$1, $$2}'

install: ## .venv with what the platform needs to run
	@$(PYTHON) requirements/install.py all

install-dev: ## .venv with what the tests and checks need too
	@$(PYTHON) requirements/install.py dev

demo: install ## a live plant on http://127.0.0.1:8000; Ctrl-C stops it, again resumes it
	@$(BIN)/techtrack demo

test: install-dev test-sqlite test-postgres ## every test, on SQLite and on PostgreSQL

test-sqlite: install-dev
	@echo "Testing on SQLite ..."
	@TECHTRACK_TEST_DATABASE=sqlite $(PYTEST) -n $(WORKERS) --dist loadgroup $(TESTS)

# Unit tests know no database: once is enough.
test-postgres: install-dev
	@echo "Testing on PostgreSQL ..."
	@TECHTRACK_TEST_DATABASE=postgres $(PYTEST) -n $(WORKERS) --dist loadgroup --ignore=tests/unit $(TESTS)

# In the order of cost: the cheap checks fail first.
check: lint types arch migrations test schema docs ## everything that CI does

lint: install-dev ## ruff, every rule; bandit, what it holds to be grave
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --severity-level medium --recursive techtrack

format: install-dev ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install-dev ## mypy, strict
	$(BIN)/mypy techtrack

arch: install-dev ## who imports whom; budgets, one writer, status codes, clocks
	$(BIN)/lint-imports --no-logo
	$(PYTEST) tests/architecture/test_house.py tests/architecture/test_settings.py

migrations: install-dev ## models and migrations agree
	TECHTRACK_HOME=$$(mktemp -d) DATABASE_URL=sqlite://:memory: $(BIN)/python manage.py makemigrations --check --dry-run

schema: install-dev ## write docs/reference/openapi.yaml and asyncapi.yaml anew; in CI they must not change
	@mkdir -p docs/reference
	TECHTRACK_HOME=$$(mktemp -d) $(BIN)/python manage.py spectacular --validate --fail-on-warn \
		--file docs/reference/openapi.yaml
	TECHTRACK_HOME=$$(mktemp -d) $(BIN)/python manage.py asyncapi --file docs/reference/asyncapi.yaml
	@if [ -n "$$CI" ]; then git diff --exit-code --stat -- docs/reference/openapi.yaml docs/reference/asyncapi.yaml; fi

docs: install-dev ## links lead somewhere, and the tutorial does what it says
	$(PYTEST) tests/contract/test_docs.py

# One line or some: make bench LINES="ingest queries"; a quick look that writes nothing: make bench QUICK=1; the one that
# takes an hour: make bench LINES=growth
bench: install-dev ## every figure beside its peers; writes docs/reference/performance.md
	$(BIN)/python -m benchmarks $(LINES) $(if $(QUICK),--quick,--write)

# A look of a few minutes that writes nothing: make load QUICK=1
load: install-dev ## many clients at once, up to saturation and beyond: writes docs/reference/performance.md
	$(BIN)/python -m benchmarks load $(if $(QUICK),--quick,--write)

# One fault of each kind, in a minute, and nothing written: make drill SHORT=1
drill: install-dev ## kill, freeze and restart each part of the production set-up under load; writes availability.md
	$(BIN)/python -m benchmarks.drill $(if $(SHORT),--short,--write)

sbom: install-dev ## write dist/sbom.cdx.json: what is in a release, as CycloneDX; the same lock gives the same file
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-format JSON \
		--output-file dist/sbom.cdx.json requirements/all.txt

lock: install-dev ## pin every requirement anew, with hashes
	for name in base postgres all dev; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--upgrade --constraint requirements/constraints.txt \
			--output-file requirements/$$name.txt requirements/$$name.in || exit 1; \
	done
	cp requirements/base.txt requirements.txt

clean: ## remove what can be made again; the data folder var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
