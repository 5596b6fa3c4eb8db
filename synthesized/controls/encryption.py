"""PCI DSS 3: encryption at rest, with customer managed keys, and retention."""

from collections.abc import Iterable

from stacks.own_tiers import own_tiers
from synthesized.catalogue.table import ALL_ROWS, CATALOGUE
from synthesized.controls.control import (
    IS_SET,
    Control,
    Every,
    Relation,
    Removal,
    Replacement,
    at_least,
    at_most,
    referring_to,
)
from synthesized.controls.document import Document, values

OWN_TIERS = {tier.tier for tier in own_tiers()}
KEY = referring_to("aws_kms_key")

KMS_ENCRYPTED_BUCKETS = ("audit", "config")
"""Buckets encrypted with a customer managed key. Access logs can be delivered with SSE-S3 only."""

KEYS = sorted((type_, path, purpose) for type_, row in ALL_ROWS.items() for path, purpose in row.keys.items())
"""Resource type, argument that names the key, purpose of the key."""
KEYS_OUTSIDE_DATABASE = [(type_, path) for type_, path, purpose in KEYS if purpose != "database"]
KEY_ARGUMENTS = ", ".join(f"`{path}` of `{type_}`" for type_, path in KEYS_OUTSIDE_DATABASE)
KEY_PURPOSES = ", ".join(sorted({purpose for *_, purpose in KEYS}))

GRANTS = "policy.statement[sid=OnlyServicesMakeGrants]"
CRYPTOGRAPHIC_ACTIONS = (
    "kms:*",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncrypt",
    "kms:CreateGrant",
    "*",
)


def _without_key(document: Document) -> Iterable[str]:
    for type_, path in KEYS_OUTSIDE_DATABASE:
        for address, body in document.of_type(type_).items():
            if not all(map(KEY.accepts, values(body, path))):
                yield f"{address}: {path} = {values(body, path)}, not {KEY.description}"


def _shared_keys(document: Document) -> Iterable[str]:
    purposes = dict[str, str]()
    for type_, path, of_type in KEYS:
        for address, body in document.of_type(type_).items():
            for key in filter(None, values(body, path)):
                # Whatever its types are, the resources of one of the user's own tiers may share that tier's key.
                owner = str(key).removeprefix("${aws_kms_key.").partition("_")[0]
                purpose = address.partition(".")[2].partition("_")[0] if owner in OWN_TIERS else of_type
                if purposes.setdefault(str(key), purpose) != purpose:
                    yield f"{address}: {path}: is the key for {purposes[str(key)]}"


def _loose_key_policies(document: Document) -> Iterable[str]:
    for address, key in document.of_type("aws_kms_key").items():
        statements = [entry for entry in values(key, "policy.statement")[0] or [] if entry["effect"] == "Allow"]
        if not statements:
            yield f"{address}: policy: is the default key policy"
        for statement in statements:
            for principal in statement["principals"]:
                is_service = principal["type"] == "Service"
                is_account = not is_service and all(name.endswith(":root") for name in principal["identifiers"])
                used = [action for action in statement["actions"] if action.startswith(CRYPTOGRAPHIC_ACTIONS)]
                if not is_service and not is_account and used:
                    yield f"{address}: policy {statement['sid']}: lets administrators use the key"
                # Publishers to the alarm topic send no source: docs/decisions/0003.
                if is_service and not statement.get("condition") and statement["sid"] != "PublishEncrypted":
                    yield f"{address}: policy {statement['sid']}: has no condition"


def _unlocked_vaults(document: Document) -> Iterable[str]:
    lock = "aws_backup_vault_lock_configuration"
    for address in document.unreferenced("aws_backup_vault.name", f"{lock}.backup_vault_name"):
        yield f"{address}: has no {lock}"


CONTROLS = (
    Control(
        name="backup-retention",
        requirements=("3.2.1",),
        summary="Vault locks enforce the shortest and longest retention of the backup plan.",
        checks=[
            Relation("every vault has a lock", _unlocked_vaults),
            Every("aws_backup_vault_lock_configuration", {"min_retention_days": IS_SET, "max_retention_days": IS_SET}),
        ],
        mutations=[
            Removal("aws_backup_vault_lock_configuration.recovery_vault-lock", "a vault has no lock"),
            Replacement("aws_backup_vault_lock_configuration", "min_retention_days", None),
            Replacement("aws_backup_vault_lock_configuration", "max_retention_days", None),
        ],
    ),
    Control(
        name="database-encrypted",
        requirements=("3.5.1", "3.5.1.2"),
        summary="The database, its snapshots and Performance Insights are encrypted with a customer managed key. Disk "
        "encryption alone no longer suffices for card numbers; the payment provider stores those "
        "([the application's contract](application.md)).",
        checks=[
            Every("aws_rds_cluster", {"storage_encrypted": True, "kms_key_id": KEY}),
            Every(
                "aws_rds_cluster_instance",
                {"performance_insights_enabled": True, "performance_insights_kms_key_id": KEY},
            ),
        ],
        mutations=[
            Replacement("aws_rds_cluster", "storage_encrypted", False),
            Replacement("aws_rds_cluster", "kms_key_id", None),
            Replacement("aws_rds_cluster_instance", "performance_insights_kms_key_id", None),
            Replacement("aws_rds_cluster_instance", "performance_insights_enabled", False),
        ],
    ),
    Control(
        name="all-encrypted",
        requirements=("3.5.1",),
        summary="Files, cache, secrets, logs, messages, images, backups and log archives are encrypted with customer "
        "managed keys.",
        checks=[
            Relation(f"a customer managed key: {KEY_ARGUMENTS}", _without_key),
            Every("aws_efs_file_system", {"encrypted": True}),
            Every("aws_elasticache_replication_group", {"at_rest_encryption_enabled": "true"}),
            Every("aws_ecr_repository", {"encryption_configuration.encryption_type": "KMS"}),
            *(
                Every(
                    f"aws_s3_bucket_server_side_encryption_configuration.foundation_{bucket}-encryption",
                    {
                        "rule.apply_server_side_encryption_by_default.sse_algorithm": "aws:kms",
                        "rule.apply_server_side_encryption_by_default.kms_master_key_id": KEY,
                    },
                )
                for bucket in KMS_ENCRYPTED_BUCKETS
            ),
        ],
        mutations=[
            *(Replacement(type_, path, None) for type_, path in KEYS_OUTSIDE_DATABASE if type_ in CATALOGUE),
            Replacement("aws_efs_file_system", "encrypted", False),
            Replacement("aws_elasticache_replication_group", "at_rest_encryption_enabled", "false"),
            Replacement("aws_ecr_repository", "encryption_configuration.encryption_type", "AES256"),
            *(
                Replacement(
                    f"aws_s3_bucket_server_side_encryption_configuration.foundation_{bucket}-encryption",
                    f"rule.apply_server_side_encryption_by_default.{argument}",
                    value,
                )
                for bucket in KMS_ENCRYPTED_BUCKETS
                for argument, value in (("sse_algorithm", "AES256"), ("kms_master_key_id", None))
            ),
        ],
    ),
    Control(
        name="one-key-per-purpose",
        requirements=("3.6.1", "3.7.1"),
        summary="Each purpose has its own key, so that a compromised key affects one purpose only.",
        checks=[Relation(f"no two of {KEY_PURPOSES} share a key", _shared_keys)],
        mutations=[
            Replacement("aws_rds_cluster", "kms_key_id", "${aws_kms_key.foundation_key-secrets.arn}"),
            Replacement("aws_sns_topic", "kms_master_key_id", "${aws_kms_key.foundation_key-logs.arn}"),
        ],
    ),
    Control(
        name="key-policies",
        requirements=("3.6.1", "3.7.1"),
        summary="Key policies let administrators manage a key but not use it, and services use it for this account "
        "only. Only AWS services can create grants.",
        checks=[
            Relation(
                "administrators have no cryptographic actions, and statements for services have a condition",
                _loose_key_policies,
            ),
            Every(
                "aws_kms_key",
                {
                    f"{GRANTS}.effect": "Deny",
                    f"{GRANTS}.actions": ["kms:CreateGrant"],
                    f"{GRANTS}.condition[variable=kms:GrantIsForAWSResource].values": ["false"],
                },
            ),
        ],
        mutations=[
            Replacement("aws_kms_key.foundation_key-database", "policy", None),
            Replacement("aws_kms_key", "policy.statement[sid=AdministerWithoutUse].actions", ["kms:Decrypt"]),
            Replacement("aws_kms_key", f"{GRANTS}.effect", "Allow"),
            Replacement("aws_kms_key", f"{GRANTS}.actions", ["kms:RevokeGrant"]),
            Replacement("aws_kms_key.foundation_key-logs", "policy.statement[sid=EncryptLogGroups].condition", None),
        ],
    ),
    Control(
        name="key-rotation",
        requirements=("3.7.4",),
        summary="KMS rotates the material of each key at least yearly.",
        checks=[Every("aws_kms_key", {"enable_key_rotation": True, "rotation_period_in_days": at_most(365)})],
        mutations=[
            Replacement("aws_kms_key", "enable_key_rotation", False),
            Replacement("aws_kms_key", "rotation_period_in_days", 730),
        ],
    ),
    Control(
        name="key-deletion",
        requirements=("3.7.5", "3.7.7"),
        summary="Deletion of a key has a waiting period of 30 days, and Terraform deletes no key.",
        checks=[Every("aws_kms_key", {"deletion_window_in_days": at_least(30), "lifecycle.prevent_destroy": True})],
        mutations=[
            Replacement("aws_kms_key", "deletion_window_in_days", 7),
            Replacement("aws_kms_key", "lifecycle.prevent_destroy", None),
        ],
    ),
)
