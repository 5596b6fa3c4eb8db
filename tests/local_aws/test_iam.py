"""IAM: identity providers, policies and roles."""

import json
from typing import Any

import pytest

from local_aws.server import LocalAws
from local_aws.services.iam import THUMBPRINT

URL = "https://token.actions.githubusercontent.com"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "One", "Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}


@pytest.fixture(scope="module")
def iam(aws: LocalAws) -> Any:
    return aws.client("iam")


@pytest.mark.parametrize(("requested", "returned"), [([], [THUMBPRINT]), (["a" * 40], ["a" * 40])])
def test_an_identity_provider_without_a_thumbprint_gets_one(
    iam: Any, requested: list[str], returned: list[str]
) -> None:
    arn = iam.create_open_id_connect_provider(Url=URL, ClientIDList=["sts.amazonaws.com"], ThumbprintList=requested)[
        "OpenIDConnectProviderArn"
    ]
    provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (provider["Url"], provider["ClientIDList"]) == (URL.removeprefix("https://"), ["sts.amazonaws.com"])
    assert provider["ThumbprintList"] == returned


def test_policies_are_kept(iam: Any) -> None:
    """Both the managed and the inline policy, and the attachment."""
    iam.create_role(RoleName="kept", AssumeRolePolicyDocument=json.dumps(TRUST))
    managed = iam.create_policy(
        PolicyName="kept", Path="/shop/", Description="Kept", PolicyDocument=json.dumps(POLICY)
    )["Policy"]
    version = iam.get_policy_version(PolicyArn=managed["Arn"], VersionId=managed["DefaultVersionId"])["PolicyVersion"]
    described = iam.get_policy(PolicyArn=managed["Arn"])["Policy"]
    assert (described["Path"], described["Description"], version["Document"]) == ("/shop/", "Kept", POLICY)
    iam.put_role_policy(RoleName="kept", PolicyName="inline", PolicyDocument=json.dumps(POLICY))
    assert iam.get_role_policy(RoleName="kept", PolicyName="inline")["PolicyDocument"] == POLICY
    iam.attach_role_policy(RoleName="kept", PolicyArn=managed["Arn"])
    attached = iam.list_attached_role_policies(RoleName="kept")["AttachedPolicies"]
    assert attached == [{"PolicyName": "kept", "PolicyArn": managed["Arn"]}]


def test_a_role_is_completed(iam: Any) -> None:
    iam.create_role(RoleName="completed", AssumeRolePolicyDocument=json.dumps(TRUST))
    role = iam.get_role(RoleName="completed")["Role"]
    assert (role["Path"], role["MaxSessionDuration"], role["AssumeRolePolicyDocument"]) == ("/", 3600, TRUST)
    assert "PermissionsBoundary" not in role
