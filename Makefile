# Every target runs the setup that it needs, which takes no time if nothing has changed.

PIPENV_VERSION := 2026.10.3
PYTHON := .venv/bin/python

# Each stamp is inside what it stands for, so that both are deleted together.
PREREQUISITES := .cache/prerequisites
PIPENV := .cache/pipenv/installed-$(PIPENV_VERSION)
PACKAGES := .venv/installed
INDEX := .cache/jsii/indexed
CLI := node_modules/installed
ROTATION := .cache/rotation.zip
LOCAL_ROTATION := .cache/rotation-local.zip
CHECKOV := .cache/checkov/installed

# Two suites run at a time, the longest first: more at once would use more processor time. Their coverage is combined.
SUITES := suite-rotation+examples suite-rehearsal suite-local_aws suite-unit+snapshots suite-commands
TWO_AT_A_TIME := --jobs=2 --keep-going --no-print-directory --silent
COVERAGE_OF_SUITES = $(PYTHON) -m coverage combine --quiet && $(PYTHON) -m coverage report --show-missing --skip-covered \
	--omit="$(CONTROLS)/*"
# Go collects garbage less often: the AWS provider starts with a quarter less processor time, and little more memory.
TESTS := env -u ENV GOGC=400
UNMERGED := git diff --name-only --diff-filter=U
# Measured by `make policy`, whose tests break each control.
CONTROLS := synthesized/controls

# A line at least every ten seconds, on stderr: $(call WITH_PROGRESS,command) repeats the command until the recipe's line
# has ended.
WITH_PROGRESS = while sleep 8 >/dev/null 2>&1 && kill -0 $$$$; do $(1); done >&2 & trap "kill $$! 2>/dev/null" EXIT;
SHOW_PROGRESS = $(call WITH_PROGRESS,echo "make $@ is running")
# Into the virtual environment of the target. Python compiles what it imports: most of the AWS bindings are never used.
PIP = $(call WITH_PROGRESS,du -sh $(@D)) $(@D)/bin/python -m pip install -qq --disable-pip-version-check --no-compile

export PIPENV_VENV_IN_PROJECT := 1
export PIPENV_IGNORE_VIRTUALENVS := 1
export PIPENV_VERBOSITY := -1
export CHECKPOINT_DISABLE := 1

# Fail before the setup.
$(if $(filter integration,$(MAKECMDGOALS)),$(if $(ENV),,$(error ENV is missing: make integration ENV=prod)))

.DEFAULT_GOAL := help
# Such as a virtual environment that was not completed.
.DELETE_ON_ERROR:
.PHONY: help setup examples fork defects rehearse rehearse-faults rehearse-atlantis rehearse-changes rehearse-guide integration synth validate test unit policy generated merged lint bench certificates lock clean

help: ## List the targets
	@echo "First: make rehearse. It installs what it needs into this folder, and deploys dev to a local AWS."
	@echo "After an edit: make generated, make test."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install dependencies into .venv and node_modules, and package the rotation function
	@$(MAKE) --silent -j2 $(INDEX) $(CLI) $(ROTATION) $(LOCAL_ROTATION) $(CHECKOV)

rehearse: setup ## Deploy ENV (dev) to a local AWS and test it; KEEP=1 keeps it running until Ctrl-C
	@$(PYTHON) -m operations rehearse $(or $(ENV),dev) $(if $(KEEP),--keep)

rehearse-faults: setup ## Deploy with faults: interrupted, killed, throttled; SHORT=1 for foundation and network only
	@$(PYTHON) -m operations rehearse-faults $(or $(ENV),dev) $(if $(SHORT),--short)

rehearse-atlantis: setup ## Run pull requests through the Atlantis workflows, on ENV (dev) in a local AWS
	@$(PYTHON) -m operations rehearse-atlantis $(or $(ENV),dev)

rehearse-changes: setup ## Deploy prod to a local AWS and make every change that tests and plans must detect
	@env -u ENV $(PYTHON) -m pytest tests/changes --ignore tests/changes/test_examples.py --ignore tests/changes/test_defects.py --ignore tests/changes/test_forks.py --ignore tests/changes/test_upgrade.py --no-cov

examples: setup ## Make each example of docs/contributing.md in a copy of the project, and run the suites there
	@$(SHOW_PROGRESS) env -u ENV $(PYTHON) -m pytest tests/changes/test_examples.py --no-cov -rP

fork: setup ## Make forks that edit environments/ alone, and merge a release into one; FORK=names for one
	@$(SHOW_PROGRESS) env -u ENV $(PYTHON) -m pytest tests/changes/test_forks.py $(if $(FORK),,tests/changes/test_upgrade.py) --no-cov -v

defects: setup ## Plant a defect in each tier of a copy and check that a handful of tests name it. Takes an hour
	@$(SHOW_PROGRESS) env -u ENV $(PYTHON) -m pytest tests/changes/test_defects.py --no-cov -rP

rehearse-guide: setup ## Run every command of docs/operations.md, in empty accounts of a local AWS
	@$(PYTHON) -m operations rehearse-guide

integration: setup ## Read-only tests of the deployed ENV, with your AWS credentials
	@ENV=$(ENV) $(PYTHON) -m pytest tests/integration --no-cov

synth: setup ## Synthesize environments/*.toml to Terraform JSON in cdktf.out; ENV=prod for one
	@$(SHOW_PROGRESS) $(PYTHON) main.py
	@$(PYTHON) -c 'import json, os; out = os.environ.get("CDKTF_OUTDIR") or "cdktf.out"; [print(f"{out}/stacks/{name}") for name in json.load(open(f"{out}/manifest.json"))["stacks"]]'

validate: setup ## Validate every stack of every environment with the real AWS provider
	@$(SHOW_PROGRESS) $(TESTS) $(PYTHON) main.py && $(TESTS) $(PYTHON) -m operations validate

test: setup ## All checks: lint, unit tests, rotation, snapshots, policy, validation
	@$(MAKE) $(TWO_AT_A_TIME) lint $(SUITES) policy validate
	@$(COVERAGE_OF_SUITES)

unit: setup ## Unit tests, rotation, local AWS and snapshots, with coverage
	@$(MAKE) $(TWO_AT_A_TIME) $(SUITES)
	@$(COVERAGE_OF_SUITES)

suite-%: setup
	@$(call WITH_PROGRESS,echo "$*: $$(grep -o '[0-9]*%' .cache/$*.log | tail -n 1)") \
		$(TESTS) COVERAGE_FILE=.coverage.$* $(PYTHON) -m pytest $(addprefix tests/,$(subst +, ,$*)) --cov-report= --cov-fail-under=0 \
		>.cache/$*.log 2>&1; status=$$?; cat .cache/$*.log; exit $$status

policy: setup ## Tests of the PCI DSS controls with planted defects, and checkov on all stacks
	@$(TESTS) COVERAGE_FILE=.cache/policy.coverage $(PYTHON) -m coverage run --source=$(CONTROLS) -m pytest tests/policy --no-cov
	@COVERAGE_FILE=.cache/policy.coverage $(PYTHON) -m coverage report --show-missing --skip-covered

generated: setup ## After an edit: write what follows from settings and code (pages, atlantis.yaml, snapshots)
	@$(SHOW_PROGRESS) env -u ENV -u CDKTF_OUTDIR $(PYTHON) main.py # fails on invalid settings before anything is replaced
	@$(SHOW_PROGRESS) env -u CDKTF_OUTDIR $(PYTHON) -m operations document
	@env -u CDKTF_OUTDIR $(PYTHON) -m operations atlantis
	@env -u ENV $(PYTHON) -m pytest tests/snapshots --snapshot-update --no-cov --quiet

merged: setup ## After git merge of a release: keep your settings, write what is generated anew, and list other conflicts
	@for file in $$($(UNMERGED) -- environments tests/snapshots); do \
		git --literal-pathspecs checkout --quiet --ours -- "$$file" 2>/dev/null || git --literal-pathspecs rm --quiet -- "$$file"; done
	@$(MAKE) generated
	@left=$$($(UNMERGED) | xargs -r grep -l '^<<<<<<< ' || true); \
		{ $(UNMERGED) | grep -vxF "$$left" || true; } | xargs -r git --literal-pathspecs add --; \
		test -z "$$left" || { echo "resolve these conflicts, and run make merged again:" $$left >&2; exit 1; }

lint: setup ## ruff and basedpyright
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@$(SHOW_PROGRESS) .venv/bin/basedpyright

bench: setup ## Measure synthesis, tests, rotation and the last rehearsal of prod, for docs/benchmarks.md
	@$(SHOW_PROGRESS) env -u ENV $(PYTHON) -m tests.benchmarks

certificates: setup ## Rebuild the bundle of RDS certificate authorities
	@$(PYTHON) -m operations certificates

# With the oldest Python: what it takes, the others take too.
lock: $(PIPENV) ## Update the lock files to the newest versions that Pipfile and package.json allow
	@python3.11 -m venv .cache/lock/.venv || { echo "make lock requires python3.11, with venv" >&2; exit 1; }
	@cp Pipfile Pipfile.lock .cache/lock
	@$(SHOW_PROGRESS) cd .cache/lock && ../pipenv/bin/pipenv lock
	@cp .cache/lock/Pipfile.lock .
	@.cache/pipenv/bin/python -c "$$NO_HOSTS"
	@npm install --package-lock-only

clean: ## Remove everything that other targets create
	@rm -rf .venv node_modules .cache .hypothesis .pytest_cache .ruff_cache .coverage* cdktf.out

# Without registry hosts, the lock file works with any index that pip is configured for.
define NO_HOSTS
import json, pathlib
path = pathlib.Path("Pipfile.lock")
lock = json.loads(path.read_text())
lock["_meta"]["sources"] = []
for category in lock.keys() - {"_meta"}:
    for package in lock[category].values():
        package.pop("index", None)
path.write_text(json.dumps(lock, indent=4, sort_keys=True) + "\n")
endef
export NO_HOSTS

# Lambda's Python comes first. Pipfile states the range; a Python without venv or pip is passed over.
PYTHONS := python3.13 python3.12 python3.11 python3 python
IS_SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# Looked for once, and only if it is needed.
PYTHON_FOUND = $(eval PYTHON_FOUND := $(shell for python in $(PYTHONS); do \
	"$$python" -c '$(IS_SUITABLE)' 2>/dev/null && command -v "$$python" && break; done))$(PYTHON_FOUND)
# package.json states the range.
NODE_IS_SUITABLE := const major = parseInt(process.versions.node); process.exit(major < 20 || major > 24 ? 1 : 0)

INSTALL_git := git
INSTALL_node := Node 24 (https://nodejs.org)
INSTALL_npm := npm, which comes with Node
INSTALL_terraform := Terraform 1.11 or later (https://developer.hashicorp.com/terraform/install)

$(PREREQUISITES):
	@$(foreach tool,git node npm terraform,command -v $(tool) >/dev/null \
		|| { echo "$(tool) is not on the PATH: install $(INSTALL_$(tool))" >&2; exit 1; };)
	@node -e '$(NODE_IS_SUITABLE)' \
		|| { echo "Node is $$(node --version), and must be 20 to 24: install $(INSTALL_node)" >&2; exit 1; }
	@mkdir -p $(@D) && touch $@

# Also if its Python has been uninstalled.
%/bin/python: | $(PREREQUISITES)
	@test -n "$(PYTHON_FOUND)" || { echo "No Python 3.11 to 3.13 with venv and pip is on the PATH: install one" \
		"(Debian 12 and 13, Ubuntu 24.04: apt install python3-venv)" >&2; exit 1; }
	@echo "Creating $* with $(PYTHON_FOUND)"
	@$(SHOW_PROGRESS) rm -rf $* && "$(PYTHON_FOUND)" -m venv $*

$(PIPENV): .cache/pipenv/bin/python
	@echo "Installing pipenv $(PIPENV_VERSION) into .cache/pipenv"
	@$(PIP) pipenv==$(PIPENV_VERSION)
	@touch $@

$(PACKAGES): Pipfile Pipfile.lock $(PIPENV) $(PYTHON)
	@echo "Installing Python packages into .venv"
	@.cache/pipenv/bin/pipenv requirements --dev --hash >.venv/requirements.txt
	@$(PIP) --require-hashes --no-deps --requirement .venv/requirements.txt
	@touch $@

$(INDEX): $(PACKAGES)
	@echo "Indexing the AWS bindings"
	@$(SHOW_PROGRESS) $(PYTHON) -m imports
	@touch $@

$(ROTATION) $(LOCAL_ROTATION): $(PACKAGES) $(wildcard lambda_rotation/*.py lambda_rotation/*.txt lambda_rotation/*/*.pem)
	@echo "Packaging the rotation function into $@"
	@$(SHOW_PROGRESS) $(PYTHON) -m lambda_rotation.package $@ $(if $(filter $(LOCAL_ROTATION),$@),--local)

# checkov pins other versions of the project's dependencies, so it has a separate environment.
$(CHECKOV): Pipfile.lock $(PIPENV) .cache/checkov/bin/python
	@echo "Installing checkov into .cache/checkov"
	@.cache/pipenv/bin/pipenv requirements --categories checkov --hash >.cache/checkov/requirements.txt
	@$(PIP) --require-hashes --no-deps --requirement .cache/checkov/requirements.txt
	@touch $@

$(CLI): package.json package-lock.json .npmrc | $(PREREQUISITES)
	@echo "Installing the cdktf CLI and JSONata into node_modules"
	@$(call WITH_PROGRESS,du -sh node_modules) npm ci --loglevel=error
	@touch $@
