# A machine needs git, make and Python 3.11 or newer; everything else comes from PyPI, as uv.lock says.

PYTHON ?= python3
UV     := $(CURDIR)/.tools/bin/uv
SAM    := .venvs/sam/bin/sam

export PATH := $(CURDIR)/.tools/bin:$(PATH)
export UV
export UV_PYTHON := $(PYTHON)
export UV_PYTHON_DOWNLOADS := never
export SAM_CLI_TELEMETRY := 0
# Either would make everything here slower or stand in another place.
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV UV_PROJECT_ENVIRONMENT

DEV   := .venv/.synced
CLOUD := .venvs/cloud/.synced
SAM_ENVIRONMENT := .venvs/sam/.synced
CLIENTS := .venvs/clients/.synced

# What `make test` runs, beside `make check`. The others are deep, or need tools of their own.
TEST_PARTS := test-template test-functions test-stack

# Of targets that run side by side, each one's output in one piece. The make of macOS cannot.
SIDE_BY_SIDE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

SOURCES := benchmarks functions layers local scripts tests
LAYER_REQUIREMENTS := $(UV) export --quiet --frozen --no-dev --package billing --no-emit-workspace --no-header \
  --no-annotate

.PHONY: all help run year stop clean test test-template test-functions test-stack test-deep test-judges test-clients \
  check bench build openapi requirements fmt mail-preview

# The environments, once and whenever the lock changes.
all: $(DEV) $(CLOUD) $(SAM_ENVIRONMENT)

# Livello on this machine, or what has changed of it; prints addresses and log-ins.
run: all
	@.venv/bin/python -m local run

# The demonstration's companies live through their past: invoices, charges, autoscaling, and all the mail about it.
year: all
	@.venv/bin/python -m local year

# Ends it. It comes back as it was.
stop: $(DEV)
	@.venv/bin/python -m local stop

# Ends it, and forgets it.
clean: $(DEV)
	@.venv/bin/python -m local clean

# What one can make here.
help:
	@awk '/^# /{said = said (said ? " " : "") substr($$0, 3); next} \
	  /^[a-z][a-z-]*:/{if (said) {split($$1, name, ":"); printf "  %-16s%s\n", name[1], said}} {said = ""}' Makefile

# Everything that must hold before a change is taken in: also what .ci/run runs.
test: check
	$(MAKE) --jobs 3 $(SIDE_BY_SIDE) $(TEST_PARTS)

# The template, by SAM's own rules.
test-template: $(SAM_ENVIRONMENT)
	AWS_DEFAULT_REGION=eu-central-1 $(SAM) validate --lint

# All tests but those of the whole system.
test-functions: $(DEV)
	.venv/bin/pytest --quiet -m 'not stack and not clients' --numprocesses 2 --dist loadfile

# The whole system, deployed into the emulated AWS.
test-stack: $(DEV) $(CLOUD) $(SAM_ENVIRONMENT)
	.venv/bin/pytest --quiet -m stack

# Properties with 20,000 examples each; fewer where one example costs milliseconds. About 5 minutes.
test-deep: $(DEV)
	HYPOTHESIS_PROFILE=deep .venv/bin/pytest --quiet -m 'hypothesis and not stack' --ignore tests/judges \
	  --numprocesses 2 --dist worksteal

# A Python client generated from the OpenAPI document does a customer's story; what it cannot do yet is listed.
test-clients: $(DEV) $(CLIENTS)
	.venv/bin/pytest --quiet tests/clients

# The two rules that others judge, against an oracle and what must be true, with 20,000 examples each. About 3 minutes.
test-judges: $(DEV)
	HYPOTHESIS_PROFILE=deep .venv/bin/pytest --quiet tests/judges --numprocesses 2 --dist worksteal

# What needs no stack and no test, in under a minute.
check: $(DEV)
	.venv/bin/ruff format --check --quiet $(SOURCES)
	.venv/bin/ruff check --quiet $(SOURCES)
	.venv/bin/mypy -p billing -p functions -p local -p scripts -p benchmarks -p tests
	.venv/bin/lint-imports
	$(UV) lock --check --quiet
	$(LAYER_REQUIREMENTS) | diff layers/shared/requirements.txt -
	.venv/bin/python -m scripts.openapi --check
	.venv/bin/python -m scripts.event_schemas --check

# How fast it is.
bench: $(DEV)
	.venv/bin/python -m benchmarks

# For the cloud: "sam deploy" comes next.
build: $(SAM_ENVIRONMENT)
	$(SAM) build

# What the layer installs, from the lock.
requirements: $(DEV)
	$(LAYER_REQUIREMENTS) --output-file layers/shared/requirements.txt

# The description of the API, from the code.
openapi: $(DEV)
	.venv/bin/python -m scripts.openapi
	.venv/bin/python -m scripts.event_schemas

# Every mail in every language, to look at: make mail-preview FOLDER=/tmp/mails
mail-preview: $(DEV)
	.venv/bin/python -m scripts.mail_preview $(FOLDER)

# The one formatter.
fmt: $(DEV)
	.venv/bin/ruff check --fix-only --quiet $(SOURCES)
	.venv/bin/ruff format --quiet $(SOURCES)

.tools/bin/uv: local/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Livello needs Python 3.11 or newer: make PYTHON=python3.13, for example.' >&2; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement local/uv.txt
	@touch $@

$(DEV): uv.lock .tools/bin/uv
	$(UV) sync --frozen --quiet
	@touch $@

$(CLOUD): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/cloud $(UV) sync --frozen --quiet --only-group cloud --compile-bytecode
	@touch $@

$(SAM_ENVIRONMENT): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/sam $(UV) sync --frozen --quiet --only-group sam --compile-bytecode
	@touch $@

$(CLIENTS): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/clients $(UV) sync --frozen --quiet --only-group clients --compile-bytecode
	@touch $@
