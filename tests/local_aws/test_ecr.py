"""ECR: repositories and their policies."""

import json
from typing import Any

import pytest

from local_aws.server import LocalAws

KEY = "arn:aws:kms:us-west-1:123456789012:key/one"
SETTINGS = {
    "imageTagMutability": "IMMUTABLE",
    "imageScanningConfiguration": {"scanOnPush": True},
    "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": KEY},
}
DEFAULTS = {
    "imageTagMutability": "MUTABLE",
    "imageScanningConfiguration": {"scanOnPush": False},
    "encryptionConfiguration": {"encryptionType": "AES256"},
}
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Sid": "x", "Effect": "Deny", "Principal": "*", "Action": "ecr:*"}]}
)
UNTAGGED = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}
LIFECYCLE = json.dumps({"rules": [{"rulePriority": 1, "selection": UNTAGGED, "action": {"type": "expire"}}]})


@pytest.fixture(scope="module")
def ecr(aws: LocalAws) -> Any:
    return aws.client("ecr")


@pytest.mark.parametrize(("name", "requested", "returned"), [("kept", SETTINGS, SETTINGS), ("plain", {}, DEFAULTS)])
def test_a_repository_is_completed(ecr: Any, name: str, requested: dict[str, Any], returned: dict[str, Any]) -> None:
    ecr.create_repository(repositoryName=name, **requested)
    (repository,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert returned.items() <= repository.items()


def test_policies_of_a_repository_are_kept(ecr: Any) -> None:
    ecr.create_repository(repositoryName="governed")
    ecr.set_repository_policy(repositoryName="governed", policyText=POLICY)
    ecr.put_lifecycle_policy(repositoryName="governed", lifecyclePolicyText=LIFECYCLE)
    assert ecr.get_repository_policy(repositoryName="governed")["policyText"] == POLICY
    assert ecr.get_lifecycle_policy(repositoryName="governed")["lifecyclePolicyText"] == LIFECYCLE
