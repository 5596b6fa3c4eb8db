"""The key that encrypts an environment's states."""

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
"""Between two versions of the key. PCI DSS 3.7.4: a year or less."""


class StateKey:
    """The key that encrypts the states, by its alias, which stays when the key is replaced."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._kms = account.client("kms")
        self.alias = account.names.state_key_alias_arn
        self._created_arn: str | None = None
        """ARN of the key that this process has made: the alias may not be known everywhere yet."""

    def steps(self) -> Iterator[Step]:
        """What is to be done about it."""
        what = f"key {self._name}"
        key = self._describe()
        if key is None:
            yield Step(what, ABSENT, "made, with its policy", self._create)
            # By itself: it may have to wait until AWS knows the key everywhere, and nothing may make a second one.
            yield Step("rotation of the key", ABSENT, f"every {ROTATION_DAYS} days", lambda: self._rotate(self.arn()))
            return
        if key["KeyState"] != "Enabled" or key["KeyManager"] != "CUSTOMER" or key["KeySpec"] != "SYMMETRIC_DEFAULT":
            yield Step(
                what,
                f"{key['Arn']}: {key['KeyState']}, {key['KeyManager']}, {key['KeySpec']}",
                "left as it is",
                remedy="it must be enabled, the customer's and SYMMETRIC_DEFAULT: enable it (aws kms enable-key, or "
                f"aws kms cancel-key-deletion), or let the alias lead to one that is: {self.alias}",
            )
            return
        yield unchanged(what, key["Arn"])
        rotation = self._kms.get_key_rotation_status(KeyId=key["Arn"])
        days = rotation.get("RotationPeriodInDays", ROTATION_DAYS) if rotation["KeyRotationEnabled"] else None
        now = f"every {days} days" if days else "off"
        yield (
            unchanged("rotation of the key", now)
            if days and days <= ROTATION_DAYS
            else Step("rotation of the key", now, f"every {ROTATION_DAYS} days", partial(self._rotate, key["Arn"]))
        )
        yield policy_step(
            "policy of the key",
            self._policy,
            json.loads(self._kms.get_key_policy(KeyId=key["Arn"], PolicyName="default")["Policy"]),
            "IAM decides, administrators do not use it, only services make grants",
            lambda: None,  # there is no key without a policy
            "add what it lacks (aws kms put-key-policy), or let the alias lead to a key of its own",
        )

    def existing_arn(self) -> str | None:
        """ARN of the key that the alias leads to, if there is one."""
        key = self._describe()
        return key["Arn"] if key else None

    def arn(self) -> str:
        """ARN of the key, which is there by now."""
        return self._created_arn or self._kms.describe_key(KeyId=self.alias)["KeyMetadata"]["Arn"]

    @property
    def _name(self) -> str:
        return self.alias.rpartition(":")[2]

    @property
    def _policy(self) -> PolicyDocument:
        settings = self._account.settings
        return as_document(*key_policy(settings.account, settings.foundation.key_administrators))

    def _describe(self) -> dict[str, Any] | None:
        answer = call_or_none(self._kms.describe_key, "NotFoundException", KeyId=self.alias)
        return answer and answer["KeyMetadata"]

    def _create(self) -> None:
        key = self._kms.create_key(
            Description=f"Encrypts the Terraform states of {self._account.settings.name}",
            Policy=json.dumps(self._policy),
            Tags=[{"TagKey": name, "TagValue": value} for name, value in self._account.tags.items()],
        )["KeyMetadata"]
        try:
            self._kms.create_alias(AliasName=self._name, TargetKeyId=key["KeyId"])
        except ClientError as error:
            raise RefusedError(
                f"{explain(error)}\nThe key {key['KeyId']} was made and has no alias, so that another run would make "
                f"another: aws kms create-alias --alias-name {self._name} --target-key-id {key['KeyId']}"
            ) from error
        self._created_arn = key["Arn"]

    def _rotate(self, key: str) -> None:
        self._kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=ROTATION_DAYS)
