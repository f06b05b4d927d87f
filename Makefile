# The commands of a working day. Needs Python 3.11 and make; `make check` needs Node as well.

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
BUILD := .build
STUBS := clients/python/src
PROTOS := $(wildcard protos/parlevel/v1/*.proto)
SERVICES := $(shell grep -l '^service ' $(PROTOS))
# Imported contracts (google/api) come from the installed googleapis-common-protos.
PROTOC = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iprotos \
	-I$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
BUF := node_modules/.bin/buf

# No tool calls home.
export BENTOML_DO_NOT_TRACK := True
export MLFLOW_DISABLE_TELEMETRY := true
export ORT_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- environment

.PHONY: venv
venv: $(VENV)/stamp ## Install the locked environment into .venv.

$(VENV)/packages.stamp: requirements.lock .ci/uv.lock.txt
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
		echo 'Parlevel needs Python 3.11: install it, or name it with `make PYTHON=<path> ...`.' >&2; \
		exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement .ci/uv.lock.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@touch $@

$(VENV)/stamp: $(VENV)/packages.stamp pyproject.toml clients/python/pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
		--editable clients/python --editable .
	@touch $@

.PHONY: lock
lock: $(VENV)/stamp ## Resolve both lock files anew from pyproject.toml.
	$(BIN)/uv pip compile --quiet --generate-hashes --extra cli --extra serve --extra train \
		--extra dev --extra redis --extra postgres --no-emit-package parlevel-client --no-header \
		--output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --generate-hashes --extra serve --extra redis \
		--constraints requirements.lock \
		--no-emit-package parlevel-client --no-header --no-annotate pyproject.toml \
		--output-file requirements-serve.lock

node_modules/stamp: package-lock.json package.json
	@command -v npm >/dev/null || { \
		echo '`make check` needs Node for buf: install Node 18 or later, then run it again.' >&2; \
		exit 1; }
	@npm ci --loglevel=error --ignore-scripts
	@touch $@

# ------------------------------------------------------------------- contract

# $(call generate,FOLDER) writes message stubs for every file, service stubs where there is one.
define generate
$(PROTOC) --python_out=$(1) --mypy_out=quiet:$(1) $(PROTOS) && \
$(PROTOC) --grpc_python_out=$(1) --mypy_grpc_out=quiet:$(1) $(SERVICES)
endef

.PHONY: proto
proto: $(VENV)/stamp ## Generate the Python stubs of the contract.
	@rm -rf $(BUILD)/stubs && mkdir -p $(BUILD)/stubs
	@$(call generate,$(BUILD)/stubs)
	@rm -f $(STUBS)/parlevel/v1/*_pb2*.py $(STUBS)/parlevel/v1/*_pb2*.pyi
	@mv $(BUILD)/stubs/parlevel/v1/* $(STUBS)/parlevel/v1/

$(BUILD)/contract.binpb: $(PROTOS) $(VENV)/stamp
	@mkdir -p $(@D)
	@$(PROTOC) --include_imports --include_source_info --descriptor_set_out=$@ $(PROTOS)

.PHONY: proto-baseline
proto-baseline: $(VENV)/stamp ## Accept the contract as the one later changes must not break.
	@$(PROTOC) --include_imports --descriptor_set_out=protos/baseline.binpb $(PROTOS)

# --------------------------------------------------------------------- checks

CHECKS := ruff format mypy imports buf-lint buf-breaking stubs pydoclint codespell deptry

# $(call run,NAME,COMMAND) prints one line, and what the command said only where it fails.
define run
@start=$$(date +%s); \
if output=$$( { $(2); } 2>&1 ); then \
	printf '  ok      %-13s %3d s\n' $(1) $$(( $$(date +%s) - start )); \
else \
	printf '  FAILED  %-13s %3d s\n%s\n' $(1) $$(( $$(date +%s) - start )) "$$output"; exit 1; \
fi
endef

.PHONY: check
check: $(VENV)/stamp node_modules/stamp $(BUILD)/contract.binpb ## Run every static check.
	@$(MAKE) --no-print-directory --keep-going --jobs=2 $(addprefix check-,$(CHECKS))

.PHONY: $(addprefix check-,$(CHECKS))
check-ruff:
	$(call run,ruff,$(BIN)/ruff check .)
check-format:
	$(call run,format,$(BIN)/ruff format --check .)
check-mypy:
	$(call run,mypy,$(BIN)/mypy)
check-imports:
	$(call run,imports,$(BIN)/lint-imports --no-logo)
check-buf-lint:
	$(call run,buf-lint,$(BUF) lint $(BUILD)/contract.binpb --path parlevel/v1)
check-buf-breaking:
	$(call run,buf-breaking,$(BUF) breaking $(BUILD)/contract.binpb \
		--against protos/baseline.binpb --path parlevel/v1)
check-stubs:
	$(call run,stubs,rm -rf $(BUILD)/fresh && mkdir -p $(BUILD)/fresh && \
		$(call generate,$(BUILD)/fresh) && \
		diff --recursive --brief --exclude=__pycache__ --exclude=__init__.py \
			$(BUILD)/fresh/parlevel/v1 $(STUBS)/parlevel/v1 || \
		{ echo 'The stubs are not those of the contract: run `make proto`.'; exit 1; })
check-pydoclint:
	$(call run,pydoclint,$(BIN)/pydoclint --quiet serving/domain)
check-codespell:
	$(call run,codespell,$(BIN)/codespell)
check-deptry:
	$(call run,deptry,$(BIN)/deptry --no-ansi . && \
		$(BIN)/deptry --no-ansi --config clients/python/pyproject.toml clients/python/src)

# ---------------------------------------------------------------------- tests

.PHONY: test
test: $(VENV)/stamp ## Run the tests; ARGS='-k reorder' is passed on to pytest.
	@$(BIN)/python -m pytest $(ARGS)

# -------------------------------------------------------------------- service

PROFILE ?= demo
export PARLEVEL_HOME ?= .parlevel

.PHONY: up
up: $(VENV)/stamp ## Data, training, registry, features, service, first answers. PROFILE=quick is smaller.
	@$(BIN)/parlevel up --profile $(PROFILE) $(ARGS)

.PHONY: down
down: $(VENV)/stamp ## Let requests in flight finish and stop the service.
	@$(BIN)/parlevel serve stop

.PHONY: logs
logs: $(VENV)/stamp ## Show the service's log; ARGS=-f follows it.
	@$(BIN)/parlevel serve logs $(ARGS)

# ---------------------------------------------------------------------- bento

export BENTOML_HOME ?= $(CURDIR)/$(BUILD)/bentoml

.PHONY: wheel
wheel: $(VENV)/stamp ## Build the client's wheel into dist/.
	@rm -rf $(BUILD)/client && mkdir -p $(BUILD) # built from a copy: a build leaves files behind
	@cp -R clients/python $(BUILD)/client
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist $(BUILD)/client \
		> $(BUILD)/wheel.log 2>&1 || { cat $(BUILD)/wheel.log >&2; exit 1; }

.PHONY: bento
bento: wheel ## Build what serves as a bento into .build/bentoml and print its tag.
	@mkdir -p $(BENTOML_HOME)
	@$(BIN)/bentoml build --output tag

# ----------------------------------------------------------------------- load

LOAD ?= short

.PHONY: load
load: $(VENV)/stamp ## Put a crowd on the running service and check its SLOs. LOAD=short, sustained, ramp, spike, all.
	@$(BIN)/python -m loadtests run --profile $(LOAD) $(ARGS)

.PHONY: bench
bench: $(VENV)/stamp ## Benchmark both doors beside measured floors, and draw flame graphs; keeps dated results.
	@$(BIN)/python -m loadtests.bench $(ARGS)
	@$(BIN)/python -m loadtests.bench.flame

KILL ?= all

.PHONY: kills
kills: $(VENV)/stamp ## Kill work 20 times each at random moments and check what stands. KILL=import, train, swap ...
	@$(BIN)/python -m loadtests.kills --kind $(KILL) $(ARGS)
