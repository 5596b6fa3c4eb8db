"""What a plan reads of what no Region binds, and of what more can be read of than how it is set up."""

from stacks.access.grants import Grant

READS_BY_NAME: tuple[Grant, ...] = (
    Grant(
        "Roles",
        "iam",
        # The third by Terraform before it deletes a role; the last three of the access tier's own.
        "GetRole GetRolePolicy ListInstanceProfilesForRole ListAttachedRolePolicies ListRolePolicies GetPolicy "
        "GetPolicyVersion",
        "{roles} {deployers} {deployers_policies}",
    ),
    Grant("Provider", "iam", "GetOpenIDConnectProvider", "{oidc_provider}"),
    Grant("Zones", "route53", "ListHostedZones"),
    Grant(
        "Records",
        "route53",
        "GetChange GetHostedZone ListResourceRecordSets ListTagsForResource",
        "arn:aws:route53:::hostedzone/* arn:aws:route53:::change/*",
    ),
    # What follows tells a function's code, and who may read a secret.
    Grant(
        "Functions",
        "lambda",
        "GetFunction GetFunctionCodeSigningConfig GetPolicy ListVersionsByFunction",
        "function:{ours}*",
    ),
    Grant("Secrets", "secretsmanager", "DescribeSecret GetResourcePolicy ListSecretVersionIds", "secret:{ours}*"),
    Grant(
        "Buckets",
        "s3",
        "GetAccelerateConfiguration GetBucketAcl GetBucketCORS GetBucketLogging GetBucketObjectLockConfiguration "
        "GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock GetBucketRequestPayment "
        "GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration GetLifecycleConfiguration "
        "GetReplicationConfiguration ListBucket",
        "{buckets}",
    ),
)
