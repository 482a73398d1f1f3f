# The two commands of the README are `make drill` and `make test`. Each sets up what it needs; a second
# call starts at once. Needed beforehand: Python 3.11 or newer with venv, git, make, a package index.
#
#   PYTHON=python3.12   which Python to build the environment with (default: the newest one found)
#   VENV=.venv          where the environment goes
#   ARGS="-k clocks"    added to the call of pytest, of the drill or of the benchmarks
#   JOBS=2              how many tests run at a time (0: in one process, for a debugger)

VENV ?= .venv
DIST ?= dist
UV ?= uv
NAME ?= startup
JOBS ?= 2
ARGS ?=
BIN = $(VENV)/bin
# Twice quiet: what pip says of an index it does not need hides what matters.
PIP = $(BIN)/python -m pip install -qq
SOURCES = incident notifiers benchmarks tests

export PIP_DISABLE_PIP_VERSION_CHECK = 1

define FIND_PYTHON
unusable=
for candidate in $${PYTHON:-python3.13 python3.12 python3.11 python3}; do
  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
  if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then echo "$$candidate"; exit 0; fi
  unusable="$$unusable $$candidate"
done
if [ -n "$$unusable" ]; then
  version=$$($${unusable##* } -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  echo "Python is here ($${unusable# }), but without the modules venv and ensurepip." >&2
  echo "  → Install them (Debian, Ubuntu: apt-get install python$$version-venv), then call make again." >&2
elif [ -n "$$PYTHON" ]; then
  echo "PYTHON=$$PYTHON cannot be used: it is not there, does not start, or is older than 3.11." >&2
  echo "  → Name a Python of 3.11 or newer, or leave PYTHON out." >&2
else
  echo "No Python of 3.11 or newer was found (looked for python3.13, python3.12, python3.11, python3)." >&2
  echo "  → Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2
fi
exit 1
endef
export FIND_PYTHON
export PYTHON

.PHONY: help venv bench-peers drill test test-chaos lint format data data-lint bench wheel lock lock-upgrade lock-check clean
.DELETE_ON_ERROR:

help:  ## Say what there is (this text)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# A stamp is written last, so what was broken off is begun again.
$(VENV)/.stamp-created:
	@python=$$(sh -c "$$FIND_PYTHON") && \
	  echo "Setting up $(VENV) with $$("$$python" --version)" >&2 && \
	  "$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.stamp-runtime: $(VENV)/.stamp-created requirements/runtime.lock requirements/build.lock pyproject.toml
	@echo "Installing the locked packages" >&2
	@$(PIP) --require-hashes -r requirements/runtime.lock -r requirements/build.lock
	@$(PIP) --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-runtime requirements/dev.lock
	@echo "Installing the locked packages for tests and checks" >&2
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/.stamp-bench: $(VENV)/.stamp-dev requirements/bench.lock
	@echo "Installing the locked packages to measure beside" >&2
	@$(PIP) --require-hashes -r requirements/bench.lock
	@touch $@

# The tests of the benchmarks measure beside these too; without them they skip.
bench-peers: $(VENV)/.stamp-bench

venv: $(VENV)/.stamp-dev  ## Set up .venv with all that work on the code needs

drill: $(VENV)/.stamp-runtime  ## Rehearse a whole incident, from alert to proof
	@$(BIN)/incident drill $(ARGS)

test: $(VENV)/.stamp-dev  ## Run the tests (without the chaos runs)
	@$(BIN)/python -m pytest -m "not chaos" -n $(JOBS) --dist=loadfile $(ARGS)

test-chaos: $(VENV)/.stamp-dev  ## Run the tests that kill real processes
	@$(BIN)/python -m pytest -m chaos -n $(JOBS) --dist=loadfile $(ARGS) || { code=$$?; \
	  [ $$code -eq 5 ] && echo "No test is marked chaos." || exit $$code; }

lint: $(VENV)/.stamp-dev  ## Check style and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

format: $(VENV)/.stamp-dev  ## Put the code in shape
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

data: $(VENV)/.stamp-runtime  ## Compile the law's YAML, which every command reads
	$(BIN)/python -m incident.law.compiling

data-lint: $(VENV)/.stamp-runtime  ## Check the data: regimes, languages, alert sources, SMS gateways, playbooks
	$(BIN)/python -m incident.law.compiling --check
	$(BIN)/incident law lint
	$(BIN)/incident notice lint
	$(BIN)/incident source lint
	$(BIN)/incident gateway lint
	$(BIN)/incident playbook lint

bench: $(VENV)/.stamp-bench  ## Measure beside others: make bench NAME=startup (or email, incidents, letters, match, people, playbooks, sms, worker)
	@$(BIN)/python -m benchmarks $(NAME) $(ARGS)

wheel: $(VENV)/.stamp-runtime  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir $(DIST) .

# One resolution for every Python from 3.11 on and every platform. No address is written: a lock names
# versions and hashes, and whoever installs brings the index. All but bench take their versions from dev.
COMPILE = $(UV) --no-config pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
  --universal --python-version 3.11 --custom-compile-command "make lock" $(UPGRADE)

lock:  ## Write requirements/*.lock anew from pyproject.toml (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv, which is not here." >&2; \
	  echo "  → Install it (pip install uv), or say where it is: make lock UV=/path/to/uv" >&2; exit 1; }
	$(COMPILE) --all-extras --group test --group lint --group build pyproject.toml -o requirements/dev.lock
	$(COMPILE) -c requirements/dev.lock pyproject.toml -o requirements/runtime.lock
	$(COMPILE) -c requirements/dev.lock --extra postgres pyproject.toml -o requirements/postgres.lock
	$(COMPILE) -c requirements/dev.lock --extra paper pyproject.toml -o requirements/paper.lock
	$(COMPILE) -c requirements/dev.lock --extra responders pyproject.toml -o requirements/responders.lock
	$(COMPILE) -c requirements/dev.lock --extra ssh pyproject.toml -o requirements/ssh.lock
	$(COMPILE) -c requirements/dev.lock --extra twilio pyproject.toml -o requirements/twilio.lock
	$(COMPILE) -c requirements/dev.lock --group build -o requirements/build.lock
	$(COMPILE) -c requirements/dev.lock --group bench -o requirements/bench.lock

lock-upgrade:  ## Write the locks anew with the newest versions
	@$(MAKE) lock UPGRADE=--upgrade

lock-check: $(VENV)/.stamp-dev  ## Check offline that the locks are in step with pyproject.toml
	@$(BIN)/python -m pytest -q tests/packaging/test_locks.py

clean:  ## Remove the environment and everything that was built
	rm -rf $(VENV) $(DIST) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(SOURCES) -type d -name __pycache__ -prune -exec rm -rf {} +
