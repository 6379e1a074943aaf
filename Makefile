# Everything one does with Allo. Needs Python 3.11 or newer with venv, and make.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BACKUP ?=

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install -qq --disable-pip-version-check --no-input
PRIVATE := $(RUN) -m allo.embedded exec --
COMPILE := $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header pyproject.toml
PRODUCTION := PRODUCTION=1 ALLOWED_HOSTS=allo.example PAYMENT_PROVIDER=none \
	SECRET_KEY=only-for-the-check-of-the-production-settings-0123456789

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up backup restore upgrade test check check-beside-types check-django format lock bench scale lighthouse browser nginx clean

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

up: $(VENV)/.runtime ## Start the shop (PORT=8000, STATE_DIR=var); Ctrl-C stops it
	@$(RUN) -m allo.embedded up --with-parent

backup: $(VENV)/.runtime ## Write a backup of the shop into one file (BACKUP=file)
	@$(RUN) -m allo.embedded backup $(if $(BACKUP),'$(BACKUP)')

restore: $(VENV)/.runtime ## Make a new state folder from a backup (BACKUP=file, STATE_DIR=var)
	@test -n '$(BACKUP)' || { echo 'Name the backup: make restore BACKUP=file'; exit 1; }
	@$(RUN) -m allo.embedded restore '$(BACKUP)'

upgrade: $(VENV)/.runtime ## Move the shop's data to a new PostgreSQL (OLD_POSTGRES=bin folder)
	@$(RUN) -m allo.embedded upgrade

# The tests' database need not survive a power cut. Killed servers find what they wrote all the same.
# They start hundreds of processes, which would compile all modules anew where none may write them.
test: $(VENV)/.development browser nginx ## Run the tests (ARGS="-k name")
	@$(RUN) -m compileall -q allo catalog checkout inventory reservations tests
	@$(RUN) -m tests.in_memory $(RUN) -m allo.embedded exec -c max_connections=300 -c fsync=off -c full_page_writes=off -- $(RUN) -m pytest $(or $(ARGS),--numprocesses=4)

check: $(VENV)/.development ## Lint, types, import contracts, templates, migrations, settings
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy . & types=$$!; $(MAKE) --no-print-directory check-beside-types; \
		beside=$$?; wait $$types && exit $$beside

# What takes no longer than the types, all of it together.
check-beside-types:
	@$(VENV)/bin/lint-imports --no-logo
	@find . -path '*/templates/*.html' -not -path './$(VENV)/*' | xargs $(VENV)/bin/djade --check
	@$(VENV)/bin/djlint --lint --quiet templates
	@$(PRIVATE) $(MAKE) --no-print-directory check-django

# Needs a database: whether migrations are missing depends on those that were applied.
check-django:
	@$(RUN) manage.py makemigrations --check --dry-run
	@$(RUN) manage.py check --fail-level WARNING
	@$(PRODUCTION) $(RUN) manage.py check --deploy --fail-level WARNING

format: $(VENV)/.development ## Put code and templates into shape
	@$(RUN) -m ruff check --fix-only
	@$(RUN) -m ruff format
	@find . -path '*/templates/*.html' -not -path './$(VENV)/*' | xargs $(VENV)/bin/djade

lock: $(VENV)/.runtime ## Compile requirements*.txt anew from pyproject.toml
	@$(PIP) uv
	@$(COMPILE) -o requirements.txt
	@$(COMPILE) --extra s3 -c requirements.txt -o requirements-s3.txt
	@$(COMPILE) --extra dev -c requirements.txt -o requirements-dev.txt

bench: $(VENV)/.development ## Measure reservations per second
	@$(RUN) -m allo.embedded exec -c max_connections=300 -- $(RUN) -m tests.benchmarks $(ARGS)

scale: $(VENV)/.development ## Let servers of PostgreSQL fail under load, and measure what it costs
	@$(RUN) -m allo.embedded exec -- $(RUN) -m tests.scale $(ARGS)

lighthouse: $(VENV)/.development browser ## Score pages as a phone (needs npm)
	@$(RUN) -m tests.lighthouse

browser: $(VENV)/.development
	@$(RUN) -m tests.browser.install

nginx: $(VENV)/.development
	@$(RUN) -m tests.nginx.install

clean: ## Remove what can be made again; var/, the shop's own state, stays
	rm -rf $(VENV) .browser .nginx .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Allo needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 ...")'
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	@echo "Installing Allo's packages into $(VENV)"
	@$(PIP) --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing the tools for tests and checks into $(VENV)"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@
