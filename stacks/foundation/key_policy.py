"""Policy of all KMS keys: those of the environment, and the key of the Terraform states that `bootstrap` creates."""

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
    """Base policy of a key: IAM controls its use, administrators cannot use it, only AWS services create grants.

    Args:
        own_account: account id.
        administrators: role ARNs.
    """
    return [
        # Without it, IAM policies have no effect, and deleting the administrators would make the key unmanageable.
        allow("EnableIamPolicies", ["kms:*"], ["*"], to=account_principal(own_account)),
        allow("AdministerWithoutUse", ADMINISTRATION_ACTIONS, ["*"], to=Principal("AWS", administrators)),
        # A review of policies would miss manually created grants.
        deny(
            "OnlyServicesMakeGrants",
            ["kms:CreateGrant"],
            ["*"],
            to=EVERYONE,
            when=[
                # A denial with `Bool` does not apply to a request without the key.
                # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IfExists
                Condition("BoolIfExists", "kms:GrantIsForAWSResource", ["false"]),
                Condition("Null", "kms:ViaService", ["true"]),
            ],
        ),
    ]
