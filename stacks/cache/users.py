"""Users of the cache: the application authenticates with IAM; the default user has no permissions."""

from cdktf_cdktf_provider_aws.elasticache_user import ElasticacheUser, ElasticacheUserAuthenticationMode
from cdktf_cdktf_provider_aws.elasticache_user_group import ElasticacheUserGroup

from stacks.tier import TierStack

ENGINE = "redis"

# Reading and writing keys, but no commands on the whole keyspace or server: Redis's category @dangerous includes
# FLUSHALL, KEYS and CONFIG, the others are listed. Cluster clients need +cluster and +info when they connect.
APPLICATION_ACCESS_STRING = (
    "on ~* -@all +@read +@write +@connection +@transaction +@scripting"
    " -@dangerous -dbsize -function -randomkey -scan -script +cluster +info"
)
DEFAULT_ACCESS_STRING = "off ~keys* -@all"


def application_user(tier: TierStack) -> ElasticacheUser:
    """PCI DSS 8.3.1: no shared secret; tasks authenticate with a token signed by their role."""
    name = tier.names.resource_name("application")
    user = ElasticacheUser(
        tier,
        "application",
        # IAM authentication requires that both are equal.
        user_id=name,
        user_name=name,
        engine=ENGINE,
        access_string=APPLICATION_ACCESS_STRING,
        authentication_mode=ElasticacheUserAuthenticationMode(type="iam"),
    )
    tier.publish("user_name", user, "user_name", "User that tasks sign in as, by IAM")
    tier.export(user, "arn")
    return user


def user_group(tier: TierStack, *users: ElasticacheUser) -> ElasticacheUserGroup:
    """PCI DSS 2.2.2: clients without a user name are `default`, which is disabled."""
    default = ElasticacheUser(
        tier,
        "default",
        user_id=tier.names.resource_name("default"),
        user_name="default",
        engine=ENGINE,
        access_string=DEFAULT_ACCESS_STRING,
        # With authentication_mode, AWS returns a different value than was set, and every plan would show a change.
        no_password_required=True,
    )
    return ElasticacheUserGroup(
        tier,
        "users",
        user_group_id=tier.names.cache,
        engine=ENGINE,
        user_ids=[user.user_id for user in (default, *users)],
    )
