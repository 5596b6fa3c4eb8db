"""Defects, one per tier: an edit of the tier's source, and the resource and attribute that failures must name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    """A mistake in one tier."""

    tier: str
    edit: str
    """A diff, as `tests.checkouts.edit` takes it."""
    resources: tuple[str, ...]
    """Addresses within the tier, or types, any of which a failure may name. A policy has several resources."""
    attribute: str
    """The wrong argument or policy statement, or the type of a missing resource."""

    def is_named_in(self, line: str) -> bool:
        """Whether a line names resource and attribute, with the address of its stack or of the joined document."""
        joined = [f"{type_}.{self.tier}_{name}" for type_, _, name in (each.rpartition(".") for each in self.resources)]
        return self.attribute in line and any(address in line for address in (*self.resources, *joined))


DEFECTS = (
    Defect(
        tier="foundation",
        edit="""\
--- stacks/foundation/stack.py
@@ __init__
         self.images = image_repository(self, self.keys.images)
+        S3Bucket(self, "uploads", bucket=self.names.bucket_name("uploads"))
""",
        resources=("aws_s3_bucket.uploads",),
        attribute="aws_s3_bucket_server_side_encryption_configuration",
    ),
    Defect(
        tier="network",
        edit="""\
--- stacks/network/flows.py
@@ ALLOWED_FLOWS
     Flow("load_balancer", "service", ports.SERVICE, "requests, encrypted to the task"),
+    Flow(INTERNET, "service", ports.SERVICE, "requests of partners"),
""",
        resources=("aws_vpc_security_group_ingress_rule.internet-to-service-8443-in",),
        attribute="cidr_ipv4",
    ),
    Defect(
        tier="database",
        edit="""\
--- stacks/database/stack.py
@@ _cluster
-            storage_encrypted=True,
""",
        resources=("aws_rds_cluster.cluster",),
        attribute="storage_encrypted",
    ),
    Defect(
        tier="cache",
        edit="""\
--- stacks/cache/stack.py
@@ _replication_group
-            transit_encryption_enabled=True,
+            transit_encryption_enabled=False,
""",
        resources=("aws_elasticache_replication_group.cache",),
        attribute="transit_encryption_enabled",
    ),
    Defect(
        tier="storage",
        edit="""\
--- stacks/storage/stack.py
@@ _file_system
-            encrypted=True,
""",
        resources=("aws_efs_file_system.files",),
        attribute="encrypted",
    ),
    Defect(
        tier="rotation",
        edit="""\
--- stacks/rotation/stack.py
@@ _rotate
-                automatically_after_days=None if settings.schedule else settings.days,
+                automatically_after_days=None if settings.schedule else 90,
""",
        resources=("aws_secretsmanager_secret_rotation.rotation-schedule",),
        attribute="automatically_after_days",
    ),
    Defect(
        tier="service",
        edit="""\
--- stacks/service/task.py
@@ task_role
-            allow("UseCache", ["elasticache:Connect"], [cache.replication_group.arn, cache.user.arn]),
+            allow("UseCache", ["elasticache:*"], [cache.replication_group.arn, cache.user.arn]),
""",
        resources=(
            "aws_iam_role.service-task",
            "aws_iam_role_policy.service-task-policy",
            "data.aws_iam_policy_document.service-task-permissions",
        ),
        attribute="UseCache",
    ),
    Defect(
        tier="recovery",
        edit="""\
--- stacks/recovery/vaults.py
@@ locked_vault
-    BackupVaultLockConfiguration(
-        tier,
-        f"{id}-lock",
-        backup_vault_name=vault.name,
-        min_retention_days=recovery.daily_days,
-        max_retention_days=recovery.monthly_days,
-        # If unset, the lock is in governance mode.
-        changeable_for_days=COOLING_OFF_DAYS if recovery.vault_lock == "compliance" else None,
-        provider=provider,
-    )
""",
        # The second Region's vault loses its lock, too, and then no stack has the type.
        resources=("aws_backup_vault.vault", "aws_backup_vault.copies", "aws_backup_vault_lock_configuration"),
        attribute="aws_backup_vault_lock_configuration",
    ),
    Defect(
        tier="audit",
        edit="""\
--- stacks/audit/stack.py
@@ _record_calls
-            enable_log_file_validation=True,
""",
        resources=("aws_cloudtrail.trail",),
        attribute="enable_log_file_validation",
    ),
    Defect(
        tier="observability",
        edit="""\
--- stacks/observability/stack.py
@@ _platform_healthy
-            alarm_actions=[topic.arn],
""",
        resources=("aws_cloudwatch_composite_alarm.platform-healthy",),
        attribute="alarm_actions",
    ),
    Defect(
        tier="access",
        edit="""\
--- stacks/access/deployer_policies.py
@@ _role_statements
-        allow("Roles", ROLE_ACTIONS, [limits.role_arn_pattern]),
+        allow("Roles", ["iam:*"], [limits.role_arn_pattern]),
""",
        resources=(
            "aws_iam_role.apply",
            "aws_iam_policy.identities-policy",
            "data.aws_iam_policy_document.identities-permissions",
        ),
        attribute="Roles",
    ),
)
