"""A small platform for the rehearsal's own tests: two tiers written by hand, and programs that only say what was said.

The real cdktf CLI and Terraform are seen by `make rehearse` itself; what is looked at here is what is made of them.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from operations import drift
from rehearsal import deployment, one_environment
from stacks.names import Names
from stacks.settings import Environment, load_environments
from synthesized.platform import Body, Platform
from tests.conftest import changed_settings, to_toml

Resources = dict[str, dict[str, Body]]


def resources_by_tier(names: Names) -> dict[str, Resources]:
    """By tier: resources of each type, by name."""
    return {
        "foundation": {
            "aws_s3_bucket": {"files": {"bucket": names.bucket_name("files"), "lifecycle": {"prevent_destroy": True}}},
            "aws_s3_bucket_public_access_block": {
                "files": {"bucket": "${aws_s3_bucket.files.id}", "block_public_policy": True}
            },
        },
        "network": {
            "aws_sns_topic": {name: {"name": names.resource_name(name)} for name in ("orders", "returns")},
        },
    }


def synthesize(folder: Path, settings: Environment) -> Platform:
    """Write the stacks as cdktf does it."""
    names = Names.from_settings(settings)
    manifest: dict[str, Any] = {}
    for tier, resources in resources_by_tier(names).items():
        name = f"{settings.name}-{tier}"
        path = folder / "stacks" / name
        path.mkdir(parents=True)
        backend = {"bucket": names.state_bucket, "key": f"{settings.name}/{tier}.tfstate"}
        terraform = {"backend": {"s3": backend}, "required_providers": {"aws": {"version": "5.100.0"}}}
        document = {"terraform": terraform, "resource": resources}
        (path / "cdk.tf.json").write_text(json.dumps(document))
        manifest[name] = {
            "workingDirectory": f"stacks/{name}",
            "synthesizedStackPath": f"stacks/{name}/cdk.tf.json",
            "dependencies": [f"{settings.name}-foundation"] if tier != "foundation" else [],
        }
    (folder / "manifest.json").write_text(json.dumps({"stacks": manifest}))
    return Platform.read(folder, settings.name)


SCHEMA = json.dumps(
    {
        "provider_schemas": {
            "registry.terraform.io/hashicorp/aws": {
                "resource_schemas": {"aws_s3_bucket": {"block": {"attributes": {"arn": {"computed": True}}}}}
            }
        }
    }
)
"""As Terraform tells what AWS fills in."""


def account_settings(account: str, name: str) -> dict[str, Any]:
    """Settings of an environment in an account."""
    iam = f"arn:aws:iam::{account}"
    return {
        "account": account,
        "permissions_boundary": f"{iam}:policy/globecart-{name}-boundary",
        "foundation": {"key_administrators": [f"{iam}:role/globecart-{name}-key-administrators"]},
    }


@dataclass
class FakeProject:
    """A folder in the place of the project's, with an environment `dev`, and the programs that a rehearsal runs."""

    root: Path
    patch: pytest.MonkeyPatch
    settings: Environment = field(init=False)

    def __post_init__(self) -> None:
        """Put everything in its place."""
        environments = self.root / "environments"
        environments.mkdir(parents=True)
        (environments / "dev.toml").write_text(to_toml(changed_settings("dev", {})))
        (self.settings,) = load_environments(environments, only="dev")
        synthesize(self.root / "synthesized", self.settings)
        self.patch.setattr(one_environment, "ROOT", self.root)
        self.patch.setattr(one_environment, "FOLDER", self.root / "rehearsal")
        self.patch.setattr(deployment, "ROOT", self.root)
        self.patch.setattr(deployment, "CDKTF", self.root / "bin" / "cdktf")
        self.patch.setenv("PATH", f"{self.root / 'bin'}:{os.environ['PATH']}")
        self.program(".venv/bin/python", f'cp -r {self.root / "synthesized"} "$CDKTF_OUTDIR"')
        self.patch.setattr(drift, "CACHE", self.root / "cache")
        # What Terraform plans is a file beside the stack.
        shows = 'if [ "$1" = show ]; then cat planned.json || echo "{}"; fi'
        self.program("bin/terraform", f"if [ \"$1\" = providers ]; then echo '{SCHEMA}'; fi; {shows}")

    def program(self, name: str, script: str) -> Path:
        """Put a shell script in the place of a program."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def cdktf(self, *said: str, ends_with: int = 0) -> None:
        """What the cdktf CLI says, and its exit code; the command is kept in a file beside it."""
        (self.root / "said").write_text("".join(f"{line}\n" for line in said))
        self.program("bin/cdktf", f'echo "$@" >{self.root}/asked; cat {self.root}/said; exit {ends_with}')

    @property
    def cdktf_arguments(self) -> list[str]:
        """Of the cdktf CLI."""
        return (self.root / "asked").read_text().split()

    def replace_python(self, script: str) -> None:
        """Put a script in the place of this Python, for programs of the project's own."""
        self.patch.setattr(sys, "executable", str(self.program("bin/own-python", script)))
