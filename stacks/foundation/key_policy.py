"""What the policy of every key says: the environment's keys, and the one of its states, which bootstrap makes."""

from collections.abc import Sequence

from stacks.statements import EVERYONE, Condition, Principal, Statement, account_principal, allow, deny

ADMINISTRATION_ACTIONS = (
    "kms:CancelKeyDeletion",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
)
"""Everything except using the key or granting its use."""


def key_policy(own_account: str, administrators: Sequence[str]) -> list[Statement]:
    """IAM decides who uses the key, administrators cannot use it, and only services make grants.

    Args:
        own_account: the account's id.
        administrators: ARNs of roles.
    """
    return [
        # Without it, IAM could grant nothing on the key, and to lose the administrators would be to lose the key.
        allow("EnableIamPolicies", ["kms:*"], ["*"], to=account_principal(own_account)),
        allow("AdministerWithoutUse", ADMINISTRATION_ACTIONS, ["*"], to=Principal("AWS", administrators)),
        # No review of policies would see a grant that was made by hand.
        deny(
            "OnlyServicesMakeGrants",
            ["kms:CreateGrant"],
            ["*"],
            to=EVERYONE,
            when=[
                Condition("Bool", "kms:GrantIsForAWSResource", ["false"]),
                Condition("Null", "kms:ViaService", ["true"]),
            ],
        ),
    ]
