"""Names and ARNs that are computed rather than read from a resource.

A policy may have to name a resource that a later tier creates, such as the trail in the policy of its bucket. Both
tiers take the name from here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

GLOBAL_REGION = "us-east-1"
"""Region of AWS's global services, such as IAM: of their requests, their events and their API."""
GITHUB_ISSUER = "token.actions.githubusercontent.com"
"""Issuer of the OIDC tokens that GitHub Actions workflows authenticate with."""
GITHUB_AUDIENCE = "sts.amazonaws.com"
"""Audience of GitHub's tokens.
https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments/configuring-openid-connect-in-amazon-web-services"""
BUCKETS = ("audit", "config", "delivery")
"""Log buckets: of the trail, of AWS Config, and of services that deliver logs to S3."""
ACCESS = "access"
"""The tier of the deployment roles. Administrators apply it by hand; the roles themselves cannot change it."""
OS_METRICS_LOG_GROUP = "RDSOSMetrics"
"""Log group of RDS's Enhanced Monitoring. RDS fixes the name, the same for all instances of an account and Region."""

STATE_MACHINES = ("credential-age", "redeployment")
"""State machines, by the last part of their names."""


@dataclass(frozen=True)
class Names:
    """Names and ARNs of one environment."""

    company: str
    environment: str
    account: str
    region: str
    second_region: str | None = None
    replaces: str | None = None
    """The environment that this one stands in for."""

    @property
    def boundary_arn(self) -> str:
        """ARN of the permissions boundary that `bootstrap` creates."""
        return f"arn:aws:iam::{self.account}:policy/{self.resource_name('boundary')}"

    @property
    def key_administrators_arn(self) -> str:
        """ARN of the role of the key administrators that `bootstrap` creates."""
        return f"arn:aws:iam::{self.account}:role/{self.resource_name('key-administrators')}"

    @property
    def event_bus_arn(self) -> str:
        """ARN of the event bus that receives the events of AWS services."""
        return self.arn("events", "event-bus/default")

    @property
    def regions(self) -> list[str]:
        """The environment's Region, then its second Region if it has one."""
        return [region for region in (self.region, self.second_region) if region]

    @property
    def environments(self) -> list[str]:
        """This environment, then the one that it replaces: the tags `Environment` of what its roles may touch.

        A successor restores the backups of the environment that it replaces, which have that one's tag.
        """
        return [environment for environment in (self.environment, self.replaces) if environment]

    def resource_name(self, what: str) -> str:
        """`<company>-<environment>-<what>`."""
        return f"{self.company}-{self.environment}-{what}"

    @property
    def prefixes(self) -> set[str]:
        """What names and paths of this environment's resources begin with."""
        return {self.resource_name(""), self.role_path, self.access_path}

    @property
    def tightest(self) -> Iterator[tuple[str, str, int]]:
        """Kind, name, and AWS's maximum length of the names that a long company or environment makes too long first."""
        yield "load balancer", self.load_balancer, 32
        yield "cache", self.cache, 40
        yield "backup vault", self.copy_vault, 50
        for bucket in ("state", *BUCKETS):
            yield "bucket", self.bucket_name(bucket), 63

    def bucket_name(self, what: str) -> str:
        """Bucket name: unique across all of AWS."""
        return f"{self.resource_name(what)}-{self.account}-{self.region}"

    def bucket_arn(self, what: str) -> str:
        """ARN of a bucket; it contains neither account nor Region."""
        return f"arn:aws:s3:::{self.bucket_name(what)}"

    def alarm_name(self, what: str) -> str:
        """Alarm name. The slash, which no environment's name contains, keeps prefixes of two environments apart."""
        return f"{self.company}/{self.environment}/{what}"

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource in the environment's account and Region."""
        return self.arn_in(self.region, service, resource)

    def arn_in(self, region: str, service: str, resource: str) -> str:
        """ARN of a resource in the environment's account and the given Region."""
        return f"arn:aws:{service}:{region}:{self.account}:{resource}"

    @property
    def config_role_arn(self) -> str:
        """ARN of AWS Config's service-linked role, whose name AWS fixes."""
        return f"arn:aws:iam::{self.account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"

    @property
    def role_path(self) -> str:
        """IAM path of the platform's roles; the deployment policies refer to it."""
        return f"/{self.company}/{self.environment}/"

    @property
    def access_path(self) -> str:
        """IAM path of the deployment roles and their policies, which no deployment may change."""
        return f"/{self.company}-access/{self.environment}/"

    def deployer_role_arn(self, role: str) -> str:
        """ARN of a deployment role: `plan` or `apply`."""
        return f"arn:aws:iam::{self.account}:role{self.access_path}{self.resource_name(role)}"

    @property
    def access_state_arn(self) -> str:
        """ARN of the object that holds the access tier's state."""
        return f"arn:aws:s3:::{self.state_bucket}/{self.environment}/{ACCESS}.tfstate"

    @property
    def oidc_provider_arn(self) -> str:
        """ARN of the OIDC provider for GitHub Actions; AWS derives it from the issuer's URL."""
        return f"arn:aws:iam::{self.account}:oidc-provider/{GITHUB_ISSUER}"

    @property
    def log_group_patterns(self) -> list[str]:
        """Name patterns of all log groups but the state machines'. None matches a group of `<environment>-x`."""
        return [
            self._log_group("*"),
            self.container_insights_log_group,
            self.waf_log_group,
            self.rotation_log_group,
            self.database_log_group("*"),
            OS_METRICS_LOG_GROUP,
        ]

    @property
    def state_machine_log_groups(self) -> list[str]:
        """Log groups of the state machines."""
        return list(map(self.state_machine_log_group, STATE_MACHINES))

    @property
    def state_bucket(self) -> str:
        """Bucket of the Terraform states of all tiers."""
        return self.bucket_name("state")

    @property
    def state_key_alias_arn(self) -> str:
        """ARN of the alias of the KMS key that encrypts the states; it stays the same when the key is replaced."""
        return self.arn("kms", f"alias/{self.resource_name('state')}")

    @property
    def trail(self) -> str:
        """Name of the CloudTrail trail."""
        return self.resource_name("trail")

    @property
    def trail_arn(self) -> str:
        """ARN of the trail, for the policies of its bucket and key."""
        return self.arn("cloudtrail", f"trail/{self.trail}")

    @property
    def trail_log_group(self) -> str:
        """Log group that the trail delivers to."""
        return self._log_group("trail")

    @property
    def load_balancer(self) -> str:
        """Name of the load balancer."""
        return self.resource_name("public")

    @property
    def load_balancer_arn_pattern(self) -> str:
        """Pattern of the load balancer's ARN, which ends in an id that AWS chooses."""
        return self.arn("elasticloadbalancing", f"loadbalancer/app/{self.load_balancer}/*")

    @property
    def metric_namespace(self) -> str:
        """CloudWatch namespace of our own metric filters."""
        return f"{self.company}/{self.environment}"

    @property
    def flow_log_group(self) -> str:
        """Log group of the VPC's flow logs."""
        return self._log_group("flow-logs")

    @property
    def application_log_group(self) -> str:
        """Log group of the application's tasks."""
        return self._log_group("application")

    def cache_log_group(self, kind: str) -> str:
        """Log group of one kind of cache log."""
        return self._log_group(f"cache/{kind}")

    @property
    def database(self) -> str:
        """Identifier of the Aurora cluster."""
        return self.resource_name("database")

    def database_log_group(self, kind: str) -> str:
        """Log group that Aurora exports one kind of log to; Aurora fixes the name."""
        return f"/aws/rds/cluster/{self.database}/{kind}"

    @property
    def cache(self) -> str:
        """Id of the cache's replication group."""
        return self.resource_name("cache")

    @property
    def cluster(self) -> str:
        """Name of the ECS cluster."""
        return self.resource_name("cluster")

    @property
    def service(self) -> str:
        """Name of the ECS service, its task definition family and its image repository."""
        return self.resource_name("service")

    @property
    def container_insights_log_group(self) -> str:
        """Log group of the cluster's Container Insights; ECS fixes the name."""
        return f"/aws/ecs/containerinsights/{self.cluster}/performance"

    @property
    def web_acl(self) -> str:
        """Name of the web ACL in front of the load balancer."""
        return self.resource_name("firewall")

    @property
    def waf_log_group(self) -> str:
        """Log group of the web ACL; WAF requires this prefix."""
        return f"aws-waf-logs-{self.web_acl}"

    @property
    def rotation(self) -> str:
        """Name of the Lambda function that rotates the application's database credential."""
        return self.resource_name("rotation")

    @property
    def rotation_arn(self) -> str:
        """ARN of the rotation function. Its own role refers to it, where a Terraform reference would be a cycle."""
        return self.arn("lambda", f"function:{self.rotation}")

    @property
    def rotation_log_group(self) -> str:
        """Log group of the rotation function."""
        return f"/aws/lambda/{self.rotation}"

    @property
    def vault(self) -> str:
        """Name of the backup vault."""
        return self.resource_name("backups")

    @property
    def copy_vault(self) -> str:
        """Name of the vault for copies in the second Region; Terraform states tell vaults apart by name."""
        return self.resource_name("backup-copies")

    def state_machine_log_group(self, what: str) -> str:
        """Log group of a state machine; with this prefix, AWS's own resource policy covers it."""
        return f"/aws/vendedlogs/states/{self.resource_name(what)}"

    def _log_group(self, what: str) -> str:
        return f"/{self.company}/{self.environment}/{what}"
