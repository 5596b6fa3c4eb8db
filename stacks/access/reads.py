"""Read actions limited by name: of global services, of untagged resources, and those that reveal more than settings."""

from stacks.access.grants import Grant

READS_BY_NAME: tuple[Grant, ...] = (
    Grant(
        "Roles",
        "iam",
        # Terraform calls the third before it deletes a role; the last three are for the access tier itself.
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
    # Neither has tags, by which the roles' boundary tells environments apart; nor has a load balancer for WAF.
    Grant("Dashboards", "cloudwatch", "GetDashboard", "arn:aws:cloudwatch::{account}:dashboard/{ours}platform"),
    Grant("Schedules", "scheduler", "GetSchedule", "schedule/default/{ours}credential-age"),
    Grant(
        "Firewall",
        "wafv2",
        "GetWebACLForResource",
        "regional/webacl/{ours}* arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{ours}public/*",
    ),
    # These reveal more than configuration: a function's code, who may read a secret.
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
