"""checkov, run on one document of a whole environment.

Stack by stack, a rule about two resources fails where these are in two stacks; so the stacks, or the plans, are joined
first. The stacks show the policy documents, the plans every value that a policy or a default comes to.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from operations.errors import RefusedError
from stacks import ROOT
from synthesized.platform import Body, Platform

CHECKOV = ROOT / ".cache" / "checkov" / "bin" / "python"
"""Of an environment of its own, which `make setup` makes: it pins other versions of boto3 than the project's. Its own
script does not run in a folder with a space in its name."""

Kind = Literal["stacks", "plan"]
FRAMEWORKS: Mapping[Kind, str] = {"stacks": "terraform_json", "plan": "terraform_plan"}
FILES: Mapping[Kind, str] = {"stacks": "cdk.tf.json", "plan": "plan.json"}

# Its settings come from its own file alone, not from the environment of whoever runs it.
CHECKOV_VARIABLES = ("BC_", "CHECKOV_", "CKV_", "PRISMA_")


class ScanError(RefusedError):
    """checkov is not there, or does not do what it is for."""


@dataclass(frozen=True, order=True)
class FailedCheck:
    """A rule that does not hold of a resource."""

    check: str
    resource: str
    """Its address in the joined document."""
    title: str = ""
    """What the rule asks for, in checkov's words."""
    arguments: str = ""
    """Those that it looked at; empty where it looked at other resources."""


@dataclass(frozen=True)
class Scan:
    """What checkov said of one environment."""

    kind: Kind
    production: bool
    passed: int
    """How many rules held; none means that nothing was looked at."""
    findings: tuple[FailedCheck, ...]
    resources: frozenset[str] = frozenset()
    """Addresses of all that the environment has."""
    unread: int = 0
    """Files that it could not read."""
    unseen: tuple[str, ...] = ()
    """Tiers of which it looked at nothing."""


def scan_stacks(platform: Platform, *, production: bool) -> Scan:
    """Ask checkov of an environment's synthesized stacks.

    Raises:
        ScanError: it cannot be asked.
    """
    return _scan("stacks", platform.document, platform, production=production)


def scan_plan(plan: Body, platform: Platform, *, production: bool) -> Scan:
    """Ask checkov of an environment's joined plan.

    Raises:
        ScanError: it cannot be asked.
    """
    return _scan("plan", plan, platform, production=production)


def _scan(kind: Kind, document: Body, platform: Platform, *, production: bool) -> Scan:
    answer = _run_checkov(kind, document)
    # Where nothing was looked at, the figures stand by themselves.
    figures, results = answer.get("summary", answer), answer.get("results", {})
    addresses = {entry.address.rpartition(".")[2]: entry.address for entry in (*platform.resources, *platform.data)}
    if len(addresses) < len(platform.resources) + len(platform.data):
        raise ScanError("two resources have the same name, and checkov would not say which it means")
    looked_at = {
        # It says `resource.NAME`, `data.NAME` or `TYPE.NAME`.
        entry["resource"].rpartition(".")[2]
        for entry in (*results.get("passed_checks", ()), *results.get("failed_checks", ()))
    }
    return Scan(
        kind,
        production,
        passed=figures["passed"],
        findings=tuple(
            FailedCheck(
                entry["check_id"],
                addresses[entry["resource"].rpartition(".")[2]],
                entry["check_name"],
                ", ".join(entry.get("check_result", {}).get("evaluated_keys", ())),
            )
            for entry in results.get("failed_checks", ())
        ),
        resources=frozenset(addresses.values()),
        unread=figures["parsing_errors"],
        unseen=tuple(tier for tier in platform.stacks if not any(name.startswith(f"{tier}_") for name in looked_at)),
    )


def _run_checkov(kind: Kind, document: Body) -> dict[str, Any]:
    """What it says of a document, as it tells machines."""
    with TemporaryDirectory() as folder:
        scanned = Path(folder) / "scanned"
        scanned.mkdir()
        (scanned / FILES[kind]).write_text(json.dumps(document, indent=1), encoding="utf-8")
        settings = Path(folder) / "checkov.yaml"  # YAML is a superset of JSON
        settings.write_text(
            json.dumps(
                {
                    "directory": [str(scanned)],
                    "framework": [FRAMEWORKS[kind]],
                    "output": ["json"],
                    "compact": True,
                    "soft-fail": True,  # what fails, we say
                    "skip-download": True,  # of its maker's texts; nobody is asked
                }
            ),
            encoding="utf-8",
        )
        try:
            run = subprocess.run(  # noqa: S603 - the arguments are this project's own, and no shell reads them
                [str(CHECKOV), "-I", "-m", "checkov.main", "--config-file", str(settings)],
                cwd=folder,
                env={name: value for name, value in os.environ.items() if not name.startswith(CHECKOV_VARIABLES)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise ScanError(f"{CHECKOV} is missing; run make setup") from error
    try:
        answer = json.loads(run.stdout)
    except ValueError as error:
        raise ScanError(f"checkov: exit code {run.returncode}: {(run.stderr or run.stdout).strip()}") from error
    if not isinstance(answer, dict):
        raise ScanError(f"checkov: {len(answer)} answers, and one was asked for")
    return answer
