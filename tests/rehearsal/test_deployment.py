"""Deployment of an environment, with scripts that record how they were called in place of the real programs."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from local_aws.server import LocalAws
from operations.terraform import TerraformError
from rehearsal import deployment as module
from rehearsal.deployment import Deployment, planned_changes
from rehearsal.prerequisites import create_prerequisites
from rehearsal.processes import ProgramError
from stacks import ROOT
from synthesized.platform import PlatformError, Stack
from tests.conftest import load_settings

NOTES = """
import json, os, pathlib, sys
called = {"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(called))
"""
# Synthesizes one stack, as main.py does.
SYNTHESIZES = """
out = pathlib.Path(os.environ["CDKTF_OUTDIR"])
name = os.environ["ENV"] + "-network"
(out / "stacks" / name).mkdir(parents=True)
document = {"terraform": {"backend": {"s3": {}}}, "resource": {"aws_vpc": {"vpc": {}}}}
(out / "stacks" / name / "cdk.tf.json").write_text(json.dumps(document))
entry = {"workingDirectory": f"stacks/{name}", "synthesizedStackPath": f"stacks/{name}/cdk.tf.json", "dependencies": []}
(out / "manifest.json").write_text(json.dumps({"stacks": {name: entry}}))
"""
PLANS = """
if sys.argv[1] == "show":
    print(json.dumps({"of": pathlib.Path(sys.argv[-1]).name}))
elif sys.argv[1:] == ["state", "pull"]:
    instance = {"attributes": {"id": "vpc-1"}}
    print(json.dumps({"resources": [{"mode": "managed", "type": "aws_vpc", "name": "vpc", "instances": [instance]}]}))
elif sys.argv[-1].endswith("/broken.plan"):
    sys.exit("Error: it cannot be planned")
"""


class Programs:
    """Scripts that record how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, name: str, more: str = "") -> Path:
        program = self.folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        (written := program.with_suffix(".py")).write_text(NOTES + more)
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{written}' \"$@\"\n")
        program.chmod(0o755)
        return program

    def called(self, name: str) -> Mapping[str, Any]:
        return json.loads((self.folder / name).with_suffix(".json").read_text())


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    programs = Programs(tmp_path / "programs")
    monkeypatch.setattr(module, "CDKTF", programs.make("cdktf", "print('done')"))
    programs.make("terraform", PLANS)
    monkeypatch.setenv("PATH", str(programs.folder))
    return programs


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    return Deployment("dev", tmp_path)


def network(folder: Path, tier: str = "network") -> Stack:
    return Stack(f"dev-{tier}", tier, folder, {}, ())


def test_environment_is_synthesized_into_the_rehearsals_folder(
    programs: Programs, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    programs.folder = tmp_path
    programs.make(".venv/bin/python", SYNTHESIZES)
    platform = deployment.synthesize()
    assert [stack.name for stack in platform.stacks.values()] == ["dev-network"]
    assert platform.stacks["network"].folder == tmp_path / "cdktf.out" / "stacks" / "dev-network"
    assert programs.called(".venv/bin/python")["arguments"] == [str(tmp_path / "main.py")]


def test_missing_output_of_cdktf_is_an_error(
    programs: Programs, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    programs.folder = tmp_path
    programs.make(".venv/bin/python")
    with pytest.raises(PlatformError, match="run make synth"):
        deployment.synthesize()


@pytest.mark.parametrize(
    ("stacks", "names"), [((), ["dev-*"]), (("dev-foundation", "dev-network"), ["dev-foundation", "dev-network"])]
)
def test_all_or_named_stacks_are_deployed(
    programs: Programs, deployment: Deployment, stacks: tuple[str, ...], names: list[str]
):
    lines, started = list[str](), list[Popen[str]]()
    deployment.deploy(*stacks, on_line=lines.append, on_start=started.append)
    arguments = programs.called("cdktf")["arguments"]
    assert [argument for argument in arguments if not argument.startswith("--")] == ["deploy", *names]
    assert {"--auto-approve", "--skip-provider-lock", f"--output={deployment.stacks}"} <= set(arguments)
    assert (lines, [process.returncode for process in started]) == (["done"], [0])
    assert deployment.log.read_text().endswith("done\n")


@pytest.mark.parametrize(("stacks", "names"), [((), ["dev-*"]), (("dev-access",), ["dev-access"])])
def test_all_or_named_stacks_are_destroyed(
    programs: Programs, deployment: Deployment, stacks: tuple[str, ...], names: list[str]
):
    lines = list[str]()
    deployment.destroy(*stacks, on_line=lines.append)
    arguments = programs.called("cdktf")["arguments"]
    assert [argument for argument in arguments if not argument.startswith("--")] == ["destroy", *names]
    assert lines == ["done"]


def test_failed_deployment_is_an_error(programs: Programs, deployment: Deployment):
    programs.make("cdktf", "sys.exit('It went wrong')")
    with pytest.raises(ProgramError, match="cdktf exited with 1: It went wrong"):
        deployment.deploy()


def test_cdktf_cli_runs_with_its_own_home(programs: Programs, deployment: Deployment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NODE_OPTIONS", "--require=lazy.js")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    deployment.deploy()
    called = programs.called("cdktf")
    variables = called["environment"]
    assert called["folder"] == str(ROOT)
    assert "NODE_OPTIONS" not in variables
    assert (variables["ENV"], variables["AWS_ENDPOINT_URL"]) == ("dev", "http://127.0.0.1:1")
    assert variables["CDKTF_OUTDIR"] == str(deployment.stacks)
    assert Path(variables["CDKTF_HOME"]).is_relative_to(deployment.folder)


def test_provider_is_cached_for_all_stacks(programs: Programs, deployment: Deployment):
    deployment.deploy()
    variables = programs.called("cdktf")["environment"]
    assert Path(variables["TF_PLUGIN_CACHE_DIR"]).is_dir()
    assert variables["CDKTF_DISABLE_PLUGIN_CACHE_ENV"] == "1"


def test_plan_is_returned_as_terraform_show_prints_it(programs: Programs, deployment: Deployment, tmp_path: Path):
    assert deployment.plan(network(tmp_path)) == {"of": "network.plan"}
    assert programs.called("terraform")["folder"] == str(tmp_path)


@pytest.mark.usefixtures("programs")
def test_state_is_returned_by_address(deployment: Deployment, tmp_path: Path):
    assert deployment.state(network(tmp_path)) == {"aws_vpc.vpc": {"id": "vpc-1"}}


@pytest.mark.usefixtures("programs")
def test_stack_that_cannot_be_planned_is_an_error(deployment: Deployment, tmp_path: Path):
    with pytest.raises(TerraformError, match="terraform plan: Error: it cannot be planned"):
        deployment.plan(network(tmp_path, "broken"))


def change(address: str, *actions: str, mode: str = "managed") -> dict[str, Any]:
    return {"address": address, "mode": mode, "change": {"actions": actions and list(actions)}}


def test_planned_changes_are_resources_and_outputs():
    assert planned_changes(
        {
            "resource_changes": [
                change("aws_vpc.vpc", "update"),
                change("aws_subnet.a", "delete", "create"),
                change("aws_subnet.b", "no-op"),
                change("data.aws_region.here", "read", mode="data"),
            ],
            "output_changes": {"vpc": {"actions": ["create"]}, "same": {"actions": ["no-op"]}},
        }
    ) == ["aws_vpc.vpc: update", "aws_subnet.a: delete/create", "output vpc: create"]


def test_empty_plan_has_no_changes():
    assert planned_changes({}) == []


def test_prerequisites_include_the_public_hosted_zone(aws: LocalAws, tmp_path: Path):
    environment = load_settings("dev", tmp_path)
    create_prerequisites(aws, environment)
    zones = aws.client("route53").list_hosted_zones_by_name(DNSName=environment.service.hosted_zone)["HostedZones"]
    assert [zone["Name"] for zone in zones] == [f"{environment.service.hosted_zone}."]
    assert not zones[0]["Config"]["PrivateZone"]


def test_prerequisites_include_boundary_and_key_administrators_of_the_organization(aws: LocalAws, tmp_path: Path):
    environment = load_settings("dev", tmp_path)
    arns = {
        "permissions_boundary": f"arn:aws:iam::{aws.account}:policy/teams/boundary",
        "foundation": environment.foundation.model_copy(
            update={"key_administrators": (f"arn:aws:iam::{aws.account}:role/keys",)}
        ),
    }
    create_prerequisites(aws, environment.model_copy(update=arns))
    iam = aws.client("iam")
    assert iam.get_policy(PolicyArn=arns["permissions_boundary"])["Policy"]["Path"] == "/teams/"
    assert iam.get_role(RoleName="keys")["Role"]["Arn"] in str(arns)
