"""ECR: repositories and their policies."""

import json
from typing import Any

import pytest

from local_aws.server import LocalAws

KEY = "arn:aws:kms:us-west-1:123456789012:key/one"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Sid": "x", "Effect": "Deny", "Principal": "*", "Action": "ecr:*"}]}
)
UNTAGGED = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}
LIFECYCLE = json.dumps({"rules": [{"rulePriority": 1, "selection": UNTAGGED, "action": {"type": "expire"}}]})


@pytest.fixture(scope="module")
def ecr(aws: LocalAws) -> Any:
    return aws.client("ecr")


def test_a_repository_is_kept(ecr: Any) -> None:
    settings = {
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": KEY},
    }
    ecr.create_repository(repositoryName="kept", **settings)
    (repository,) = ecr.describe_repositories(repositoryNames=["kept"])["repositories"]
    assert settings.items() <= repository.items()


def test_policies_of_a_repository_are_kept(ecr: Any) -> None:
    ecr.create_repository(repositoryName="governed")
    ecr.set_repository_policy(repositoryName="governed", policyText=POLICY)
    ecr.put_lifecycle_policy(repositoryName="governed", lifecyclePolicyText=LIFECYCLE)
    assert ecr.get_repository_policy(repositoryName="governed")["policyText"] == POLICY
    assert ecr.get_lifecycle_policy(repositoryName="governed")["lifecyclePolicyText"] == LIFECYCLE
