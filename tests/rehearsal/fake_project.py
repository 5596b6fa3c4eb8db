"""A fake project for tests of rehearsals: two small tiers, and scripts in place of the cdktf CLI and Terraform.

`make rehearse` runs the real programs; these tests check how their output is processed.
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
    """Resources of each tier, by type and name."""
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
    """Write stacks in the format of cdktf."""
    names = settings.names
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
"""Output of `terraform providers schema`, with a computed attribute."""


@dataclass
class FakeProject:
    """A project folder with an environment `dev`, and scripts in place of the programs that a rehearsal runs."""

    root: Path
    patch: pytest.MonkeyPatch
    settings: Environment = field(init=False)

    def __post_init__(self) -> None:
        """Create the folder and the scripts, and patch the paths to them."""
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
        # Plans are files in the stacks' folders.
        show = 'if [ "$1" = show ]; then cat planned.json || echo "{}"; fi'
        self.program("bin/terraform", f"if [ \"$1\" = providers ]; then echo '{SCHEMA}'; fi; {show}")

    def program(self, name: str, script: str) -> Path:
        """Create a shell script in place of a program."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def cdktf(self, *output: str, exit_code: int = 0) -> None:
        """Set the cdktf CLI's output and exit code."""
        (self.root / "output").write_text("".join(f"{line}\n" for line in output))
        self.program("bin/cdktf", f'echo "$@" >{self.root}/arguments; cat {self.root}/output; exit {exit_code}')

    @property
    def cdktf_arguments(self) -> list[str]:
        """Arguments of the last command."""
        return (self.root / "arguments").read_text().split()

    def replace_python(self, script: str) -> None:
        """Set a script in place of Python, for programs of the project."""
        self.patch.setattr(sys, "executable", str(self.program("bin/own-python", script)))
