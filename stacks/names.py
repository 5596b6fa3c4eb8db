"""Every name and ARN that is computed rather than read from a resource.

A tier that must name what a later tier makes (a bucket policy the trail, a key policy the log groups) finds the name
here, and so does the tier that makes it.
"""

from dataclasses import dataclass
from typing import Self

from stacks.settings import Environment
from stacks.settings.access import ISSUER

PROJECT = "globecart"
ACCESS = "access"
"""The tier of the roles that deploy: administrators apply it, and no deployment changes it."""


@dataclass(frozen=True)
class Names:
    """The names of one environment."""

    environment: str
    account: str
    region: str
    second_region: str | None = None

    @classmethod
    def from_settings(cls, settings: Environment) -> Self:
        """The names of the environment that the settings describe."""
        return cls(
            environment=settings.name,
            account=settings.account,
            region=settings.region,
            second_region=settings.second_region,
        )

    @property
    def regions(self) -> list[str]:
        """Where the environment has anything: its Region, and the second one, if there is one."""
        return [region for region in (self.region, self.second_region) if region]

    def resource_name(self, what: str) -> str:
        """`globecart-<environment>-<what>`."""
        return f"{PROJECT}-{self.environment}-{what}"

    def bucket_name(self, what: str) -> str:
        """A bucket's name, which is unique in all of AWS; at most 63 characters."""
        return f"{self.resource_name(what)}-{self.account}-{self.region}"

    def bucket_arn(self, what: str) -> str:
        """The ARN of a bucket, which names neither account nor Region."""
        return f"arn:aws:s3:::{self.bucket_name(what)}"

    def alarm_name(self, tier: str, what: str) -> str:
        """An alarm's name, which sorts by tier."""
        return self.resource_name(f"{tier}-{what}")

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and Region."""
        return self.arn_in(self.region, service, resource)

    def arn_in(self, region: str, service: str, resource: str) -> str:
        """The same in another Region."""
        return f"arn:aws:{service}:{region}:{self.account}:{resource}"

    @property
    def config_role_arn(self) -> str:
        """ARN of the role that AWS Config has in every account, once it was asked for; its name is AWS's."""
        return f"arn:aws:iam::{self.account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"

    @property
    def role_path(self) -> str:
        """IAM path of every role, which a deployer's policy can be bound to."""
        return f"/{PROJECT}/{self.environment}/"

    @property
    def access_path(self) -> str:
        """IAM path of the roles that deploy, and of their policies: apart from all that a deployment may change."""
        return f"/{PROJECT}-access/{self.environment}/"

    def deployer_role_arn(self, role: str) -> str:
        """ARN of a role that deploys: `plan` or `apply`."""
        return f"arn:aws:iam::{self.account}:role{self.access_path}{self.resource_name(role)}"

    @property
    def access_state_arn(self) -> str:
        """ARN of the object that says who deploys."""
        return f"arn:aws:s3:::{self.state_bucket}/{self.environment}/{ACCESS}.tfstate"

    @property
    def oidc_provider_arn(self) -> str:
        """ARN of the provider by which the account knows GitHub's workflows; AWS makes it of the issuer's address."""
        return f"arn:aws:iam::{self.account}:oidc-provider/{ISSUER}"

    @property
    def log_group_patterns(self) -> list[str]:
        """Patterns of all log groups' names."""
        return [
            self._log_group("*"),
            f"{self.container_insights_log_group}*",
            f"{self.waf_log_group}*",
            f"{self.rotation_log_group}*",
            self.database_log_group("*"),
            self.state_machine_log_group("*"),
        ]

    @property
    def state_bucket(self) -> str:
        """Bucket of the Terraform states of this environment's tiers."""
        return self.bucket_name("state")

    @property
    def state_key_alias_arn(self) -> str:
        """ARN of the alias of the key that encrypts the states. The alias stays when the key is replaced."""
        return self.arn("kms", f"alias/{self.resource_name('state')}")

    @property
    def trail(self) -> str:
        """The CloudTrail trail of the audit tier."""
        return self.resource_name("trail")

    @property
    def trail_arn(self) -> str:
        """The trail's ARN, which its bucket's and key's policies are bound to."""
        return self.arn("cloudtrail", f"trail/{self.trail}")

    @property
    def trail_log_group(self) -> str:
        """Log group of what the trail records."""
        return self._log_group("trail")

    @property
    def load_balancer(self) -> str:
        """The application's load balancer; at most 32 characters."""
        return self.resource_name("public")

    @property
    def load_balancer_arn_pattern(self) -> str:
        """Pattern of its ARN, which ends in an id that AWS chooses."""
        return self.arn("elasticloadbalancing", f"loadbalancer/app/{self.load_balancer}/*")

    @property
    def metric_namespace(self) -> str:
        """CloudWatch namespace of the metrics that our own filters make."""
        return f"{PROJECT}/{self.environment}"

    @property
    def flow_log_group(self) -> str:
        """Log group of the VPC's flow logs."""
        return self._log_group("flow-logs")

    @property
    def application_log_group(self) -> str:
        """Log group of what tasks write."""
        return self._log_group("application")

    def cache_log_group(self, kind: str) -> str:
        """Log group of one of the cache's logs."""
        return self._log_group(f"cache/{kind}")

    @property
    def database(self) -> str:
        """Identifier of the Aurora cluster."""
        return self.resource_name("database")

    def database_log_group(self, kind: str) -> str:
        """Log group that Aurora exports a log to. Aurora chooses the name, so it must be made by this one."""
        return f"/aws/rds/cluster/{self.database}/{kind}"

    @property
    def cache(self) -> str:
        """The cache's replication group; at most 40 characters."""
        return self.resource_name("cache")

    @property
    def cluster(self) -> str:
        """The ECS cluster."""
        return self.resource_name("cluster")

    @property
    def service(self) -> str:
        """The application's ECS service, its task family, and its image repository."""
        return self.resource_name("service")

    @property
    def container_insights_log_group(self) -> str:
        """Log group of the cluster's Container Insights. ECS chooses the name, so it must be made by this one."""
        return f"/aws/ecs/containerinsights/{self.cluster}/performance"

    @property
    def web_acl(self) -> str:
        """The web ACL in front of the load balancer."""
        return self.resource_name("firewall")

    @property
    def waf_log_group(self) -> str:
        """Log group of the web ACL. WAF takes no name that begins otherwise."""
        return f"aws-waf-logs-{self.web_acl}"

    @property
    def rotation(self) -> str:
        """The function that rotates the application's credential."""
        return self.resource_name("rotation")

    @property
    def rotation_arn(self) -> str:
        """The function's ARN, which its own role is bound to: a reference would be a cycle."""
        return self.arn("lambda", f"function:{self.rotation}")

    @property
    def rotation_log_group(self) -> str:
        """Log group of the rotation's function."""
        return f"/aws/lambda/{self.rotation}"

    @property
    def vault(self) -> str:
        """The backup vault; at most 50 characters."""
        return self.resource_name("backups")

    @property
    def copy_vault(self) -> str:
        """The vault of their copies in the second Region, of a name of its own: states tell vaults by their names."""
        return self.resource_name("backup-copies")

    def state_machine_log_group(self, what: str) -> str:
        """Log group of a state machine; AWS asks for the beginning, so that its log policy covers it."""
        return f"/aws/vendedlogs/states/{self.resource_name(what)}"

    def _log_group(self, what: str) -> str:
        return f"/{PROJECT}/{self.environment}/{what}"
