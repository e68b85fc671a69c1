# Vitrine's commands. `make up` and `make test` need Python 3.11 or newer and nothing else prepared.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PROTOS := $(wildcard protos/vitrine/v1/*.proto)
# Further arguments of up, up-suite, test, loadtest and bench: make up ARGS="--help"
ARGS ?=

.PHONY: up up-suite test check lint types layers protos proto-image release-protos check-protos check-docs check-alerts check-kubernetes manifests reference docs docs-serve audit audit-refresh loadtest examples bench clean

up: $(VENV)/.serving  ## The whole suite in one process: gRPC on 127.0.0.1:50051, HTTP on 127.0.0.1:8080
	@$(BIN)/vitrine up $(ARGS)

up-suite: $(VENV)/.serving  ## The same as separate processes
	@$(BIN)/vitrine up --suite $(ARGS)

test: $(VENV)/.testing  ## All tests, two files at a time
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

check: lint types layers check-protos check-docs check-alerts check-kubernetes audit  ## All that is wrong without running the services

lint: $(VENV)/.testing
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.testing
	$(BIN)/mypy

layers: $(VENV)/.testing
	$(BIN)/lint-imports

# google/rpc/status.proto lies in site-packages: it comes with googleapis-common-protos.
PROTOC = $(BIN)/python -m grpc_tools.protoc -Iprotos \
  -I$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')

protos: $(VENV)/.testing  ## Generated code, from protos/
	$(PROTOC) --python_out=. --pyi_out=. --grpc_python_out=. $(PROTOS)

proto-image: build/vitrine.binpb  ## The contract as one file, from which buf generates clients

# The folder, too: a proto that is gone makes it old.
build/vitrine.binpb: $(PROTOS) protos/vitrine/v1 | $(VENV)/.testing
	@mkdir -p build
	$(PROTOC) --include_imports --include_source_info --descriptor_set_out=$@ $(PROTOS) google/rpc/error_details.proto

release-protos: build/vitrine.binpb  ## protos/released.binpb: what check-protos holds later protos to
	$(BIN)/buf build $< --path vitrine --exclude-source-info --output protos/released.binpb

check-protos: build/vitrine.binpb
	@set -eu; scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(BIN)/buf lint $< --path vitrine --config buf.yaml; \
	$(BIN)/buf breaking $< --path vitrine --against protos/released.binpb --config buf.yaml \
	  || { echo 'protos/ breaks clients of the last release (protos/released.binpb): add beside what is there' >&2; \
	       exit 1; }; \
	$(PROTOC) --python_out="$$scratch" --pyi_out="$$scratch" --grpc_python_out="$$scratch" $(PROTOS); \
	touch "$$scratch/vitrine/v1/__init__.py"; \
	diff -r -x __pycache__ "$$scratch/vitrine/v1" vitrine/v1 \
	  || { echo 'vitrine/v1 does not follow from protos/: run make protos' >&2; exit 1; }; \
	echo 'protos: lint clean, nothing that clients have is gone, generated code fresh'

check-alerts: $(VENV)/.testing  ## Dashboards and alerts against the code; by promtool, too, where it is on PATH
	$(BIN)/pytest -q tests/deploy/test_observability.py

check-kubernetes: $(VENV)/.testing  ## Manifests against Kubernetes' schemas and the code; rendered anew where kustomize is on PATH
	$(BIN)/pytest -q tests/deploy/test_kubernetes.py

manifests: $(VENV)/.testing  ## tests/deploy/rendered: what kustomize makes of deploy/kubernetes
	@$(BIN)/python -m tests.deploy.render

check-docs: $(VENV)/.testing  ## Links, the reference against the code, and the site, built strictly
	$(BIN)/pytest -q tests/docs

reference: $(VENV)/.testing  ## The pages of docs/ that the code writes: settings, API, metrics, commands
	@$(BIN)/python -m reference

docs: $(VENV)/.testing  ## The documentation as a site: build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs-serve: $(VENV)/.testing  ## The same on 127.0.0.1:8000, built anew as pages change
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --watch CONTRIBUTING.md --watch reference

audit: $(VENV)/.testing  ## Known vulnerabilities, by audit/advisories.json: without the network
	@$(BIN)/python -m audit

audit-refresh: $(VENV)/.testing  ## That file anew, from osv.dev
	@$(BIN)/python -m audit refresh

loadtest: $(VENV)/.testing  ## ghz against every method, in one process and as a suite: build/loadtest
	@$(BIN)/python -m loadtest $(ARGS)

examples: build/vitrine.binpb  ## Go, TypeScript and Java against a suite, or the one at ADDRESS=; ARGS="go" for one
	@$(BIN)/python -m examples $(ARGS)

bench: $(VENV)/.testing  ## Speed as ratios within one run: build/bench/report.md and report.json
	@$(BIN)/python -m bench $(ARGS)

clean:  ## All that make made; not the data
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis \
	  examples/go/gen examples/typescript/dist examples/typescript/gen examples/typescript/node_modules examples/java/target

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer, with its venv module, is needed; set PYTHON' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps are written last, so that an install that was cut off is done again.
$(VENV)/.serving: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.testing: pyproject.toml $(VENV)/.serving
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,train]'
	@touch $@
