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
TESTS := env -u ENV
UNMERGED := git diff --name-only --diff-filter=U
# Measured by `make policy`, whose tests break each control.
CONTROLS := synthesized/controls

export PIPENV_VENV_IN_PROJECT := 1
export PIPENV_IGNORE_VIRTUALENVS := 1
export PIPENV_VERBOSITY := -1
export CHECKPOINT_DISABLE := 1

# Fail before the setup.
$(if $(filter integration,$(MAKECMDGOALS)),$(if $(ENV),,$(error ENV is missing: make integration ENV=prod)))

.DEFAULT_GOAL := help
.PHONY: help setup examples fork defects rehearse rehearse-faults rehearse-atlantis rehearse-changes rehearse-guide integration synth validate test unit policy generated merged lint bench certificates lock clean

help: ## List the targets
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
	@env -u ENV $(PYTHON) -m pytest tests/changes/test_examples.py --no-cov -rP

fork: setup ## Make forks that edit environments/ alone, and merge a release into one; FORK=names for one
	@env -u ENV $(PYTHON) -m pytest tests/changes/test_forks.py $(if $(FORK),,tests/changes/test_upgrade.py) --no-cov -v

defects: setup ## Plant a defect in each tier of a copy and check that a handful of tests name it. Takes an hour
	@env -u ENV $(PYTHON) -m pytest tests/changes/test_defects.py --no-cov -rP

rehearse-guide: setup ## Run every command of docs/operations.md, in empty accounts of a local AWS
	@$(PYTHON) -m operations rehearse-guide

integration: setup ## Read-only tests of the deployed ENV, with your AWS credentials
	@ENV=$(ENV) $(PYTHON) -m pytest tests/integration --no-cov

synth: setup ## Synthesize environments/*.toml to Terraform JSON in cdktf.out; ENV=prod for one
	@$(PYTHON) main.py
	@$(PYTHON) -c 'import json, os; out = os.environ.get("CDKTF_OUTDIR") or "cdktf.out"; [print(f"{out}/stacks/{name}") for name in json.load(open(f"{out}/manifest.json"))["stacks"]]'

validate: setup ## Validate every stack of every environment with the real AWS provider
	@env -u ENV $(PYTHON) main.py
	@$(PYTHON) -m operations validate

test: setup ## All checks: lint, unit tests, rotation, snapshots, policy, validation
	@$(MAKE) $(TWO_AT_A_TIME) lint $(SUITES) policy validate
	@$(COVERAGE_OF_SUITES)

unit: setup ## Unit tests, rotation, local AWS and snapshots, with coverage
	@$(MAKE) $(TWO_AT_A_TIME) $(SUITES)
	@$(COVERAGE_OF_SUITES)

suite-%: setup
	@$(TESTS) COVERAGE_FILE=.coverage.$* $(PYTHON) -m pytest $(addprefix tests/,$(subst +, ,$*)) --cov-report= --cov-fail-under=0 \
		>.cache/$*.log 2>&1; status=$$?; cat .cache/$*.log; exit $$status

policy: setup ## Tests of the PCI DSS controls with planted defects, and checkov on all stacks
	@$(TESTS) COVERAGE_FILE=.cache/policy.coverage $(PYTHON) -m coverage run --source=$(CONTROLS) -m pytest tests/policy --no-cov
	@COVERAGE_FILE=.cache/policy.coverage $(PYTHON) -m coverage report --show-missing --skip-covered

generated: setup ## After an edit: write what follows from settings and code (pages, atlantis.yaml, snapshots)
	@env -u ENV -u CDKTF_OUTDIR $(PYTHON) main.py # fails on invalid settings before anything is replaced
	@env -u CDKTF_OUTDIR $(PYTHON) -m operations document
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
	@.venv/bin/basedpyright

bench: setup ## Measure synthesis, tests, rotation and the last rehearsal of prod, for docs/benchmarks.md
	@env -u ENV $(PYTHON) -m tests.benchmarks

certificates: setup ## Rebuild the bundle of RDS certificate authorities
	@$(PYTHON) -m operations certificates

lock: $(PIPENV) ## Update the lock files to the newest versions that Pipfile and package.json allow
	@.cache/pipenv/bin/pipenv lock
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

PYTHON_3_11 = $(shell for python in python3.11 python3 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && command -v $$python && break; done)

$(PREREQUISITES):
	@missing=""; for tool in git node npm terraform; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
		test -z "$$missing" || { echo "not on the PATH, but required (README.md):$$missing" >&2; exit 1; }
	@test -n "$(PYTHON_3_11)" || { echo "Python 3.11 is not on the PATH, as python3.11 or python3" >&2; exit 1; }
	@"$(PYTHON_3_11)" -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON_3_11) lacks venv or pip: install its venv package, such as python3.11-venv" >&2; exit 1; }
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' \
		|| { echo "Node is $$(node --version): install Node 20 or later" >&2; exit 1; }
	@mkdir -p $(@D) && touch $@

$(PIPENV): | $(PREREQUISITES)
	@echo "Installing pipenv $(PIPENV_VERSION) into .cache/pipenv"
	@rm -rf .cache/pipenv && "$(PYTHON_3_11)" -m venv .cache/pipenv
	@.cache/pipenv/bin/python -m pip install -qq --disable-pip-version-check pipenv==$(PIPENV_VERSION)
	@touch $@

$(PACKAGES): Pipfile Pipfile.lock $(PIPENV)
	@echo "Installing Python packages into .venv"
	@test -x $(PYTHON) || .cache/pipenv/bin/python -m venv .venv
	@.cache/pipenv/bin/pipenv sync --dev --quiet
	@touch $@

$(INDEX): $(PACKAGES)
	@echo "Indexing the AWS bindings"
	@$(PYTHON) -m imports
	@touch $@

$(ROTATION) $(LOCAL_ROTATION): $(PACKAGES) $(wildcard lambda_rotation/*.py lambda_rotation/*.txt lambda_rotation/*/*.pem)
	@echo "Packaging the rotation function into $@"
	@$(PYTHON) -m lambda_rotation.package $@ $(if $(filter $(LOCAL_ROTATION),$@),--local)

# checkov pins other versions of the project's dependencies, so it has a separate environment.
$(CHECKOV): Pipfile.lock $(PIPENV)
	@echo "Installing checkov into $(@D)"
	@rm -rf $(@D) && "$(PYTHON_3_11)" -m venv $(@D)
	@.cache/pipenv/bin/pipenv requirements --categories checkov --hash >$(@D)/requirements.txt
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r $(@D)/requirements.txt
	@touch $@

$(CLI): package.json package-lock.json .npmrc | $(PREREQUISITES)
	@echo "Installing the cdktf CLI into node_modules"
	@npm ci --silent
	@touch $@
