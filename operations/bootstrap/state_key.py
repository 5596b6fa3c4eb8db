"""The KMS key that encrypts an environment's Terraform states."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from operations.account import Account
from operations.bootstrap.steps import ABSENT, Step, policy_step, unchanged
from operations.errors import RefusedError, call_or_none, explain
from stacks.foundation.key_policy import key_policy
from stacks.statements import as_document
from synthesized.policy_statements import PolicyDocument

ROTATION_DAYS = 365
"""Rotation period. PCI DSS 3.7.4: a year or less."""


class StateKey:
    """The state key, identified by its alias, which outlives any one key."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._kms = account.client("kms")
        self.alias = account.names.state_key_alias_arn
        self._created_arn: str | None = None
        """ARN of the key that this process created: its alias may not resolve yet."""

    def steps(self) -> Iterator[Step]:
        """Steps to create or correct the key."""
        title = f"key {self._name}"
        key = self._describe()
        if key is None:
            yield Step(title, ABSENT, "created, with its policy", self._create)
            # A separate step, because its retries must not create a second key.
            yield Step("key rotation", ABSENT, f"every {ROTATION_DAYS} days", lambda: self._rotate(self.arn()))
            return
        if key["KeyState"] != "Enabled" or key["KeyManager"] != "CUSTOMER" or key["KeySpec"] != "SYMMETRIC_DEFAULT":
            yield Step(
                title,
                f"{key['Arn']}: {key['KeyState']}, {key['KeyManager']}, {key['KeySpec']}",
                "unchanged",
                remedy="it must be Enabled, CUSTOMER and SYMMETRIC_DEFAULT: enable it (aws kms enable-key, or aws kms "
                f"cancel-key-deletion), or point the alias to such a key: {self.alias}",
            )
            return
        yield self._environment_step(title, key["Arn"])
        rotation = self._kms.get_key_rotation_status(KeyId=key["Arn"])
        days = rotation.get("RotationPeriodInDays", ROTATION_DAYS) if rotation["KeyRotationEnabled"] else None
        current = f"every {days} days" if days else "off"
        yield (
            unchanged("key rotation", current)
            if days and days <= ROTATION_DAYS
            else Step("key rotation", current, f"every {ROTATION_DAYS} days", partial(self._rotate, key["Arn"]))
        )
        yield policy_step(
            "key policy",
            self._policy,
            json.loads(self._kms.get_key_policy(KeyId=key["Arn"], PolicyName="default")["Policy"]),
            "IAM policies apply, administrators cannot use the key, only AWS services create grants",
            lambda: None,  # a key always has a policy
            "add the missing statements (aws kms put-key-policy), or point the alias to another key",
        )

    def _environment_step(self, title: str, key: str) -> Step:
        """The boundary of the deployment roles denies what has another environment's tag."""
        own = self._account.settings.name
        tags = {tag["TagKey"]: tag["TagValue"] for tag in self._kms.list_resource_tags(KeyId=key)["Tags"]}
        if (found := tags.get("Environment", own)) == own:
            return unchanged(title, key)
        return Step(
            title,
            f"{key}: tag Environment = {found}",
            "unchanged",
            remedy=f"the tag must be {own}, or absent: change it (aws kms tag-resource) or remove it (aws kms "
            f"untag-resource), or point the alias to another key: {self.alias}",
        )

    def existing_arn(self) -> str | None:
        """ARN of the key that the alias points to, or None."""
        key = self._describe()
        return key["Arn"] if key else None

    def arn(self) -> str:
        """ARN of the key. Only valid once its step is applied."""
        return self._created_arn or self._kms.describe_key(KeyId=self.alias)["KeyMetadata"]["Arn"]

    @property
    def _name(self) -> str:
        return self.alias.rpartition(":")[2]

    @property
    def _policy(self) -> PolicyDocument:
        settings = self._account.settings
        return as_document(*key_policy(settings.account, settings.foundation.key_administrators))

    def _describe(self) -> dict[str, Any] | None:
        response = call_or_none(self._kms.describe_key, "NotFoundException", KeyId=self.alias)
        return response and response["KeyMetadata"]

    def _create(self) -> None:
        key = self._kms.create_key(
            Description=f"Encrypts the Terraform states of {self._account.settings.name}",
            Policy=json.dumps(self._policy),
            Tags=[{"TagKey": name, "TagValue": value} for name, value in self._account.bootstrap_tags.items()],
        )["KeyMetadata"]
        try:
            self._kms.create_alias(AliasName=self._name, TargetKeyId=key["KeyId"])
        except ClientError as error:
            raise RefusedError(
                f"{explain(error)}\nKey {key['KeyId']} was created without an alias, and another run would create a "
                f"second key. Remedy: aws kms create-alias --alias-name {self._name} --target-key-id {key['KeyId']}"
            ) from error
        self._created_arn = key["Arn"]

    def _rotate(self, key: str) -> None:
        self._kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=ROTATION_DAYS)
