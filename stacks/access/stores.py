"""Grants for data stores, backups and KMS keys."""

from stacks.access.grants import Grant, Scope

STORES: tuple[Grant, ...] = (
    Grant(
        "Database",
        "rds",
        "AddTagsToResource CreateDBCluster CreateDBClusterParameterGroup CreateDBClusterSnapshot CreateDBInstance "
        "CreateDBParameterGroup CreateDBSubnetGroup CreateEventSubscription DeleteDBCluster "
        "DeleteDBClusterParameterGroup DeleteDBInstance DeleteDBParameterGroup DeleteDBSubnetGroup "
        "DeleteEventSubscription ModifyDBCluster ModifyDBClusterParameterGroup ModifyDBInstance "
        "ModifyDBParameterGroup ModifyDBSubnetGroup ModifyEventSubscription RebootDBInstance "
        "RemoveTagsFromResource ResetDBClusterParameterGroup ResetDBParameterGroup",
        "cluster:{ours}* cluster-pg:{ours}* cluster-snapshot:{ours}* db:{ours}* es:{ours}* pg:{ours}* "
        "subgrp:{ours}* og:default:*",
        reads=(
            "DescribeDBClusterParameterGroups DescribeDBClusterParameters DescribeDBClusters DescribeDBInstances "
            "DescribeDBParameterGroups DescribeDBParameters DescribeDBSubnetGroups DescribeEventSubscriptions "
            "DescribeGlobalClusters ListTagsForResource"
        ),
    ),
    # Application Auto Scaling tests its caller's permissions with an empty name and with this ARN.
    Grant(
        "NoInstance",
        "rds",
        "AddTagsToResource CreateDBInstance DeleteDBInstance",
        "db: arn:aws:rds:*:12345:db:non-existing-db",
    ),
    Grant(
        "Cache",
        "elasticache",
        "AddTagsToResource CreateCacheParameterGroup CreateCacheSubnetGroup CreateReplicationGroup CreateSnapshot "
        "CreateUser CreateUserGroup DecreaseReplicaCount DeleteCacheParameterGroup DeleteCacheSubnetGroup "
        "DeleteReplicationGroup DeleteUser DeleteUserGroup IncreaseReplicaCount ModifyCacheParameterGroup "
        "ModifyCacheSubnetGroup ModifyReplicationGroup ModifyReplicationGroupShardConfiguration ModifyUser "
        "ModifyUserGroup RemoveTagsFromResource ResetCacheParameterGroup",
        "cluster:{ours}* parametergroup:{ours}* replicationgroup:{ours}* snapshot:{ours}* subnetgroup:{ours}* "
        "user:{ours}* usergroup:{ours}*",
        reads=(
            "DescribeCacheClusters DescribeCacheParameterGroups DescribeCacheParameters DescribeCacheSubnetGroups "
            "DescribeReplicationGroups DescribeUserGroups DescribeUsers ListTagsForResource"
        ),
    ),
    # EFS creates the replica on behalf of the caller, without tags.
    # https://docs.aws.amazon.com/efs/latest/ug/efs-replication.html
    Grant("MakeFiles", "elasticfilesystem", "CreateFileSystem"),
    Grant("TagFiles", "elasticfilesystem", "TagResource", "access-point/* file-system/*", Scope.FIRST_TAGGING),
    Grant(
        "Files",
        "elasticfilesystem",
        "CreateAccessPoint CreateMountTarget CreateReplicationConfiguration DeleteAccessPoint DeleteFileSystem "
        "DeleteFileSystemPolicy DeleteMountTarget DeleteReplicationConfiguration ModifyMountTargetSecurityGroups "
        "PutBackupPolicy PutFileSystemPolicy PutLifecycleConfiguration TagResource UntagResource UpdateFileSystem "
        "UpdateFileSystemProtection",
        "access-point/* file-system/*",
        Scope.RESOURCE_TAGS,
        reads=(
            "DescribeAccessPoints DescribeBackupPolicy DescribeFileSystemPolicy DescribeFileSystems "
            "DescribeLifecycleConfiguration DescribeMountTargetSecurityGroups DescribeMountTargets "
            "DescribeReplicationConfigurations"
        ),
    ),
    Grant(
        "Secrets",
        "secretsmanager",
        "CancelRotateSecret CreateSecret DeleteResourcePolicy DeleteSecret PutResourcePolicy RotateSecret "
        "TagResource UntagResource UpdateSecret",
        "secret:{ours}*",
    ),
    # RDS creates the master secret on behalf of the caller and chooses its name.
    Grant(
        "MasterSecret",
        "secretsmanager",
        "CreateSecret RotateSecret TagResource",
        "secret:rds!cluster-*",
        Scope.OUR_CLUSTER,
    ),
)

BACKUPS: tuple[Grant, ...] = (
    Grant("MakePlan", "backup", "CreateBackupPlan", "backup-plan:*", Scope.REQUEST_TAGS),
    Grant("TagPlan", "backup", "TagResource", "backup-plan:*", Scope.FIRST_TAGGING),
    Grant(
        "Plan",
        "backup",
        "CreateBackupSelection DeleteBackupPlan DeleteBackupSelection TagResource UntagResource UpdateBackupPlan",
        "backup-plan:*",
        Scope.RESOURCE_TAGS,
        reads=(
            "DescribeBackupVault GetBackupPlan GetBackupSelection GetBackupVaultAccessPolicy GetRestoreTestingPlan "
            "GetRestoreTestingSelection ListTags"
        ),
    ),
    Grant(
        "Vaults",
        "backup",
        "CreateBackupVault DeleteBackupVault DeleteBackupVaultAccessPolicy DeleteBackupVaultLockConfiguration "
        "ListRecoveryPointsByBackupVault PutBackupVaultAccessPolicy PutBackupVaultLockConfiguration TagResource "
        "UntagResource",
        "backup-vault:{ours}*",
    ),
    Grant(
        "RestoreTests",
        "backup",
        "CreateRestoreTestingPlan CreateRestoreTestingSelection DeleteRestoreTestingPlan "
        "DeleteRestoreTestingSelection TagResource UntagResource UpdateRestoreTestingPlan "
        "UpdateRestoreTestingSelection",
        "restore-testing-plan:{snake}*",
    ),
    Grant("VaultStorage", "backup-storage", "MountCapsule"),
    Grant("MakeKey", "kms", "CreateKey", scope=Scope.REQUEST_TAGS),
    Grant("TagKey", "kms", "TagResource", "key/*", Scope.FIRST_TAGGING),
    Grant(
        "Keys",
        "kms",
        "CreateAlias DeleteAlias EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource "
        "UpdateAlias UpdateKeyDescription",
        "key/*",
        Scope.RESOURCE_TAGS,
        reads="DescribeKey GetKeyPolicy GetKeyRotationStatus ListAliases ListResourceTags",
    ),
    Grant("Aliases", "kms", "CreateAlias DeleteAlias UpdateAlias", "{aliases}"),
)
