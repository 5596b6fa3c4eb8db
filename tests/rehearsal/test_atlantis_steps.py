"""The steps of docs/repos.yaml, run with the real Terraform on a project of three small tiers."""

import shutil
import sys

import pytest

from local_aws.server import LocalAws
from operations.atlantis import REPOS
from rehearsal.atlantis_server import AtlantisError, AtlantisServer, Outcome
from rehearsal.pull_requests import SERVER_ROLE, let_server_in, server_variables, write_atlantis_yaml
from stacks import ROOT
from stacks.settings import load_environments
from tests.conftest import changed_settings, to_toml
from tests.local_aws.conftest import document

NAME = "steps"
HEAD = """
from cdktf_cdktf_provider_aws.{module} import {resource}
from stacks.tier import TierStack
"""
FILES = {
    "Makefile": "setup:\n\t@echo set up\n",
    "main.py": """
import os
from pathlib import Path

from stacks.access.stack import AccessStack
from stacks.foundation.stack import FoundationStack
from stacks.network.stack import NetworkStack
from stacks.settings import load_environments
from cdktf import App

app = App(outdir=os.environ["CDKTF_OUTDIR"])
for settings in load_environments(Path("environments")):
    AccessStack(app, settings)
    NetworkStack(app, settings, FoundationStack(app, settings))
app.synth()
""",
    "stacks/foundation/stack.py": HEAD.format(module="s3_bucket", resource="S3Bucket")
    + """
class FoundationStack(TierStack):
    tier = "foundation"

    def __init__(self, scope, settings):
        super().__init__(scope, settings)
        self.files = S3Bucket(self, "files", bucket=self.names.bucket_name("files"))
        self.export(self.files, "arn")
""",
    "stacks/network/stack.py": HEAD.format(module="sns_topic", resource="SnsTopic")
    + """
class NetworkStack(TierStack):
    tier = "network"

    def __init__(self, scope, settings, foundation):
        super().__init__(scope, settings)
        SnsTopic(self, "orders", name=self.names.resource_name("orders"), tags={"Of": foundation.files.arn})
""",
    "stacks/access/stack.py": HEAD.format(module="sns_topic", resource="SnsTopic")
    + """
class AccessStack(TierStack):
    tier = "access"

    def __init__(self, scope, settings):
        super().__init__(scope, settings)
        SnsTopic(self, "doors", name=self.names.resource_name("doors"))
""",
    # A fake: checkov takes ten seconds per stack, and other tests run it.
    ".cache/checkov/bin/python": f"""#!/bin/sh
exec "{sys.executable}" "$(dirname "$0")/checkov.py" "$@"
""",
    ".cache/checkov/bin/checkov.py": """
import json, pathlib, sys
folder = pathlib.Path(json.load(open(sys.argv[-1]))["directory"][0])
resources = json.loads((folder / "cdk.tf.json").read_text())["resource"]
passed = [{"resource": f"{type}.{name}"} for type, named in resources.items() for name in named]
print(json.dumps({"summary": {"passed": len(passed), "parsing_errors": 0}, "results": {"passed_checks": passed}}))
""",
}


@pytest.fixture(scope="module")
def server(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> AtlantisServer:
    folder = tmp_path_factory.mktemp("atlantis")
    checkout = folder / "checkout"
    for package in ("operations", "synthesized", "stacks", "imports", "lambda_rotation"):
        shutil.copytree(ROOT / package, checkout / package, ignore=shutil.ignore_patterns("__pycache__"))
    # They use tiers that this program does not have.
    for own in (checkout / "stacks" / "own").glob("*/"):
        shutil.rmtree(own)
    (checkout / "environments").mkdir()
    (checkout / "environments" / f"{NAME}.toml").write_text(
        to_toml(changed_settings("dev", {"account": aws.account})), encoding="utf-8"
    )
    let_server_in(checkout / "environments" / f"{NAME}.toml", aws.account)
    for name, text in FILES.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(text, encoding="utf-8")
    (checkout / ".cache" / "checkov" / "bin" / "python").chmod(0o755)
    (checkout / ".cache" / "jsii").symlink_to(ROOT / ".cache" / "jsii")
    (checkout / ".venv").symlink_to((ROOT / ".venv").resolve())
    (settings,) = load_environments(checkout / "environments")
    names = settings.names
    aws.client("s3").create_bucket(
        Bucket=names.state_bucket, CreateBucketConfiguration={"LocationConstraint": aws.region}
    )
    iam = aws.client("iam")
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:role/{SERVER_ROLE}"},
    }
    for role in ("plan", "apply"):
        name = names.resource_name(role)
        iam.create_role(RoleName=name, Path=names.access_path, AssumeRolePolicyDocument=document(trust))
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(everything))
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    aws.client("kms").create_alias(
        AliasName=f"alias/{names.state_key_alias_arn.partition('alias/')[2]}", TargetKeyId=key
    )
    write_atlantis_yaml(checkout, folder / "prepared.log")
    return AtlantisServer.from_file(REPOS, checkout, server_variables(aws, settings, folder), folder / "logs")


def by_name(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {outcome.project.removeprefix(f"{NAME}-"): outcome for outcome in outcomes}


def edit(server: AtlantisServer, file: str, before: str, after: str) -> None:
    path = server.checkout / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_outdated_atlantis_yaml_is_not_planned(server: AtlantisServer):
    edit(server, "atlantis.yaml", "execution_order_group: 1", "execution_order_group: 0")
    with pytest.raises(AtlantisError, match=r"atlantis\.yaml is out of date: run make generated"):
        server.plan(changed=["main.py"])
    edit(
        server, "atlantis.yaml", "execution_order_group: 0\n    depends_on", "execution_order_group: 1\n    depends_on"
    )
    assert server.plan(changed=["README.md"]) == []


def test_steps_from_the_first_plan_to_an_approved_loss_of_data(server: AtlantisServer, aws: LocalAws):
    # Nothing is deployed: a stack that reads another's outputs cannot be planned before the other is applied.
    first = by_name(server.plan(changed=["main.py"]))
    assert list(first) == ["access", "foundation", "network"]
    assert "Plan: 1 to add, 0 to change, 0 to destroy." in first["foundation"].comment
    assert "### Nothing significant: " in first["foundation"].comment
    assert "review: no data is at stake" in first["foundation"].comment
    assert "in foundation, all checks pass or are waived" in first["foundation"].comment
    assert not first["foundation"].failed_policies
    assert "Unable to find remote state" in first["network"].error

    # The manual tier is refused in one line; the other project of its group is applied.
    applied = by_name(server.apply())
    assert applied["access"].error == (
        f"{NAME}-access is applied by an administrator, by hand: docs/atlantis.md#what-atlantis-does-not-apply"
    )
    assert "Apply complete! Resources: 1 added" in applied["foundation"].comment
    second = by_name(server.plan(only=f"{NAME}-network"))
    assert not second["network"].error, second["network"].error

    # A new name replaces the bucket: its data would be lost.
    edit(server, "stacks/foundation/stack.py", 'bucket_name("files")', 'bucket_name("papers")')
    lost = by_name(server.plan(only=f"{NAME}-foundation"))["foundation"]
    assert "### Data is at stake" in lost.comment
    assert lost.failed_policies == ("review: fail: data is at stake, and the plan's comment says which",)
    refused = by_name(server.apply(only=f"{NAME}-foundation"))["foundation"]
    assert refused.error == "All policies must pass for project before running apply."
    server.approve_policies()
    assert "1 added, 0 changed, 1 destroyed" in by_name(server.apply(only=f"{NAME}-foundation"))["foundation"].comment

    # Each stage assumed its role.
    roles = {role.role_arn.rpartition("/")[2] for role in aws.backend("sts").assumed_roles}
    assert {f"acme-{NAME}-plan", f"acme-{NAME}-apply"} <= roles
