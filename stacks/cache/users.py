"""Users of the cache: tasks sign in by IAM, and whoever names no user may do nothing."""

from cdktf_cdktf_provider_aws.elasticache_user import ElasticacheUser, ElasticacheUserAuthenticationMode
from cdktf_cdktf_provider_aws.elasticache_user_group import ElasticacheUserGroup

from stacks.tier import TierStack

ENGINE = "redis"

# Reads and writes of keys, but not what looks at, changes or empties the whole: FLUSHALL, KEYS and CONFIG are dangerous
# in Redis's own list, the others are named. What cluster clients ask first is added at the end.
APPLICATION_ACCESS_STRING = (
    "on ~* -@all +@read +@write +@connection +@transaction +@scripting"
    " -@dangerous -dbsize -function -randomkey -scan -script +cluster +info"
)
DEFAULT_ACCESS_STRING = "off ~keys* -@all"


def application_user(tier: TierStack) -> ElasticacheUser:
    """PCI DSS 8.3.1: no shared secret; a task signs in with a token that its role signs."""
    name = tier.names.resource_name("application")
    user = ElasticacheUser(
        tier,
        "application",
        # IAM authentication asks that both be the same.
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
    """PCI DSS 2.2.2: whoever names no user is `default`, and that one may do nothing."""
    default = ElasticacheUser(
        tier,
        "default",
        user_id=tier.names.resource_name("default"),
        user_name="default",
        engine=ENGINE,
        access_string=DEFAULT_ACCESS_STRING,
        # As authentication_mode, AWS would answer with another word for it, and every plan would show a change.
        no_password_required=True,
    )
    return ElasticacheUserGroup(
        tier,
        "users",
        user_group_id=tier.names.cache,
        engine=ENGINE,
        user_ids=[user.user_id for user in (default, *users)],
    )
