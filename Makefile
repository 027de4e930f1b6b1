# A machine needs git, make and Python 3.11 or newer; everything else comes from PyPI, as uv.lock says.

# What a person has set for other purposes must not decide what is built here: PIP_TARGET, UV_*, PYTHONPATH, AWS_*.
# These are kept, and no others: where packages come from, ports, and what tests are asked for.
KEPT := PATH HOME TMPDIR TERM TZ USER LOGNAME COLUMNS NO_COLOR FORCE_COLOR CI PYTHON LIVELLO_% LAYER_% PYTEST_ADDOPTS \
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy \
  SSL_CERT_FILE SSL_CERT_DIR NETRC XDG_CONFIG_HOME \
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_CERT PIP_CLIENT_CERT PIP_PROXY PIP_DEFAULT_TIMEOUT \
  UV_CACHE_DIR UV_DEFAULT_INDEX UV_INDEX UV_INDEX_% UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_HTTP_TIMEOUT \
  UV_INSECURE_HOST UV_KEYRING_PROVIDER UV_NATIVE_TLS UV_SYSTEM_CERTS
$(foreach name,$(filter-out $(KEPT),$(.VARIABLES)),\
  $(if $(filter environment,$(firstword $(origin $(name)))),$(eval unexport $(name))))

PYTHON ?= python3
# Paths here are relative: make takes a space in one for the end of a name. Python's tools are run as modules, because
# the path of a checkout may hold what a script's first line cannot.
BIN := .venv/bin/python -m
SAM := .venvs/sam/bin/python -m samcli
UV  := .tools/bin/uv

# A HOME or a TMPDIR that is missing or read-only: one of our own, and the system's.
usable = [ -n "$$$(1)" ] && [ -d "$$$(1)" ] && [ -w "$$$(1)" ] && echo yes
ifneq ($(shell $(call usable,HOME)),yes)
export HOME := $(CURDIR)/.tools/home
endif
ifneq ($(shell $(call usable,TMPDIR)),yes)
unexport TMPDIR
endif
ifeq ($(UV_CACHE_DIR)$(shell for each in .cache/uv .cache .; do [ ! -e "$$HOME/$$each" ] || \
  { [ -d "$$HOME/$$each" ] && [ -w "$$HOME/$$each" ] && echo yes; break; }; done),)
export UV_CACHE_DIR := $(CURDIR)/.tools/uv-cache
endif

export PATH := $(CURDIR)/.tools/bin:$(PATH)
export LANG := C.UTF-8
export LC_ALL := C.UTF-8
export PYTHONUTF8 := 1
export PYTHONNOUSERSITE := 1
export PIP_USER := 0
export PIP_NO_CACHE_DIR := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_PYTHON := $(PYTHON)
export UV_PYTHON_DOWNLOADS := never
export SAM_CLI_TELEMETRY := 0

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
	@$(BIN) local run

# The demonstration's companies live through their past: invoices, charges, autoscaling, and all the mail about it.
year: all
	@$(BIN) local year

# Both need the environment as it is, not the newest: they work offline, and on a full disk.
ENDING := $(if $(wildcard $(DEV)),,$(DEV))

# Ends it. It comes back as it was.
stop: $(ENDING)
	@$(BIN) local stop

# Ends it, and forgets it.
clean: $(ENDING)
	@$(BIN) local clean

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
test-functions: $(DEV) $(CLOUD)
	$(BIN) pytest --quiet -m 'not stack and not clients' --numprocesses 2 --dist loadfile

# The whole system, deployed into the emulated AWS.
test-stack: $(DEV) $(CLOUD) $(SAM_ENVIRONMENT)
	$(BIN) pytest --quiet -m stack

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
	$(BIN) ruff format --check --quiet $(SOURCES)
	$(BIN) ruff check --quiet $(SOURCES)
	$(BIN) mypy -p billing -p functions -p local -p scripts -p benchmarks -p tests
	.venv/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(UV) lock --check --quiet
	$(LAYER_REQUIREMENTS) | diff layers/shared/requirements.txt -
	$(BIN) scripts.openapi --check
	$(BIN) scripts.event_schemas --check

# How fast it is.
bench: $(DEV)
	$(BIN) benchmarks

# For the cloud: "sam deploy" comes next.
build: $(SAM_ENVIRONMENT)
	$(SAM) build

# What the layer installs, from the lock.
requirements: $(DEV)
	$(LAYER_REQUIREMENTS) --output-file layers/shared/requirements.txt

# The description of the API, from the code.
openapi: $(DEV)
	$(BIN) scripts.openapi
	$(BIN) scripts.event_schemas

# Every mail in every language, to look at: make mail-preview FOLDER=/tmp/mails
mail-preview: $(DEV)
	$(BIN) scripts.mail_preview $(FOLDER)

# The one formatter.
fmt: $(DEV)
	$(BIN) ruff check --fix-only --quiet $(SOURCES)
	$(BIN) ruff format --quiet $(SOURCES)

.tools/bin/uv: local/uv.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Livello needs Python 3.11 or newer: make PYTHON=python3.13, for example.' >&2; exit 1; }
	"$(PYTHON)" -m venv .tools
	.tools/bin/python -m pip install --quiet --require-hashes --requirement local/uv.txt
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
