"""Mutations for test_states.py: bucket and objects of the states."""

import json
from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.lookup import bucket


def state(aws: LocalAws) -> dict[str, str]:
    """Bucket and key of a state."""
    name = bucket(aws, "state")
    return {"Bucket": name, "Key": aws.client("s3").list_objects_v2(Bucket=name)["Contents"][0]["Key"]}


def remove_state_encryption(aws: LocalAws) -> None:
    """Remove the KMS encryption of a state in moto, since the bucket policy denies it."""
    location = state(aws)
    stored = aws.backend("s3").buckets[location["Bucket"]].keys[location["Key"]]
    stored.encryption, stored.kms_key_id = "AES256", None


def remove_default_encryption_key(aws: LocalAws) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    aws.client("s3").put_bucket_encryption(
        Bucket=bucket(aws, "state"), ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


def call_on_bucket(action: str, **parameters: Any) -> Mutation:
    """Call an S3 action on the bucket."""
    return lambda aws: getattr(aws.client("s3"), action)(Bucket=bucket(aws, "state"), **parameters)


def remove_tls_statement(aws: LocalAws) -> None:
    s3, name = aws.client("s3"), bucket(aws, "state")
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    policy["Statement"] = [one for one in policy["Statement"] if one["Sid"] != "DenyPlaintext"]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def leave_lock(aws: LocalAws) -> None:
    location = state(aws)
    aws.client("s3").put_object(Bucket=location["Bucket"], Key=f"{location['Key']}.tflock", Body=b"{}")


MUTATIONS: dict[str, Mutation] = {
    "test_every_tier_has_a_state": lambda aws: aws.client("s3").delete_object(**state(aws)),
    "test_states_are_encrypted_with_their_key": remove_state_encryption,
    "test_default_encryption_of_the_state_bucket": remove_default_encryption_key,
    "test_state_bucket_is_versioned": call_on_bucket(
        "put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}
    ),
    "test_state_bucket_blocks_public_access": call_on_bucket("delete_public_access_block"),
    "test_state_bucket_requires_tls": remove_tls_statement,
    "test_no_state_is_locked": leave_lock,
}
RELATED: Related = {}
