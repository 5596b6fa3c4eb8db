"""Runs checkov on the joined document of an environment.

checkov has rules about relations between resources, which would fail if these were in different documents. So all
stacks, or all plans, are joined first. Only stacks contain policy documents; only plans contain resolved values.
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
"""Python in a separate virtual environment, because checkov pins a different boto3.

Its console script fails in folders with a space in their name.
"""

Kind = Literal["stacks", "plan"]
FRAMEWORKS: Mapping[Kind, str] = {"stacks": "terraform_json", "plan": "terraform_plan"}
FILES: Mapping[Kind, str] = {"stacks": "cdk.tf.json", "plan": "plan.json"}

# Environment variables that would change checkov's settings.
CHECKOV_VARIABLES = ("BC_", "CHECKOV_", "CKV_", "PRISMA_")


class ScanError(RefusedError):
    """checkov is missing or failed."""


@dataclass(frozen=True, order=True)
class FailedCheck:
    """A rule that fails for a resource."""

    check: str
    resource: str
    """Its address in the joined document."""
    title: str = ""
    """checkov's name of the rule."""
    arguments: str = ""
    """The arguments that the rule evaluated. Empty if it evaluated other resources."""


@dataclass(frozen=True)
class Scan:
    """checkov's result for an environment."""

    kind: Kind
    production: bool
    passed: int
    """Number of passed checks. 0 means that nothing was scanned."""
    findings: tuple[FailedCheck, ...]
    resources: frozenset[str] = frozenset()
    """Addresses of all resources and data sources."""
    unparsed_files: int = 0
    """Files that checkov could not parse."""
    unscanned_tiers: tuple[str, ...] = ()
    """Tiers without any scanned resource."""


def scan_stacks(platform: Platform, *, production: bool) -> Scan:
    """Scan an environment's synthesized stacks.

    Raises:
        ScanError: checkov is missing or failed.
    """
    return _scan("stacks", platform.document, platform, production=production)


def scan_plan(plan: Body, platform: Platform, *, production: bool) -> Scan:
    """Scan an environment's joined plan.

    Raises:
        ScanError: checkov is missing or failed.
    """
    return _scan("plan", plan, platform, production=production)


def _scan(kind: Kind, document: Body, platform: Platform, *, production: bool) -> Scan:
    output = _run_checkov(kind, document)
    # If checkov scanned nothing, it returns only the summary.
    figures, results = output.get("summary", output), output.get("results", {})
    addresses = {entry.address.rpartition(".")[2]: entry.address for entry in (*platform.resources, *platform.data)}
    if len(addresses) < len(platform.resources) + len(platform.data):
        raise ScanError("two resources have the same name, and checkov's results do not distinguish them")
    scanned = {
        # checkov writes `resource.NAME`, `data.NAME` or `TYPE.NAME`.
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
        unparsed_files=figures["parsing_errors"],
        unscanned_tiers=tuple(
            tier for tier in platform.stacks if not any(name.startswith(f"{tier}_") for name in scanned)
        ),
    )


def _run_checkov(kind: Kind, document: Body) -> dict[str, Any]:
    """checkov's JSON output for a document."""
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
                    "soft-fail": True,  # failures are reported by this command
                    "skip-download": True,  # no request to the vendor's API
                }
            ),
            encoding="utf-8",
        )
        try:
            run = subprocess.run(  # noqa: S603 - the project's own arguments, and no shell
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
        output = json.loads(run.stdout)
    except ValueError as error:
        raise ScanError(f"checkov: exit code {run.returncode}: {(run.stderr or run.stdout).strip()}") from error
    if not isinstance(output, dict):
        raise ScanError(f"checkov: {len(output)} results instead of one")
    return output
