"""Settings of one environment: account, Region, owner, and one section per tier."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from stacks.names import Names
from stacks.settings.access import AccessSettings
from stacks.settings.audit import AuditSettings
from stacks.settings.cache import CacheSettings
from stacks.settings.database import DatabaseSettings
from stacks.settings.foundation import FoundationSettings
from stacks.settings.network import NetworkSettings
from stacks.settings.own import OwnSettings
from stacks.settings.partitions import REGIONS
from stacks.settings.recovery import RecoverySettings
from stacks.settings.rotation import RotationSettings
from stacks.settings.section import Derived, InOwnAccount, InProduction, Matching, Section, Unit, file_context
from stacks.settings.service import ServiceSettings

# The retention periods of CloudWatch Logs from a month to five years.
LogRetention = Literal[30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]

REGION = Matching("|".join(REGIONS), "a Region that the installed botocore knows, such as us-west-1")

# Security groups, load balancers, buckets and IAM paths have reserved beginnings.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
COMPANY = Matching(
    r"(?!(?:sg|internal|sthree|amzn-s3-demo)(?:-|$)|aws(?:-service-role)?$)[a-z](?:-?[a-z0-9])*",
    "lowercase letters, digits and single hyphens, starting with a letter; no prefix that AWS reserves, such as sg",
)

ACCOUNT = Matching(r"\d{12}", "the 12 digits of an AWS account")

NAME = Matching(
    r"(?!.{13})[a-z](?:-?[a-z0-9])+", "2 to 12 lowercase letters, digits and single hyphens, starting with a letter"
)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAILY = Matching(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d", "hh:mm-hh:mm in UTC")
WEEKLY = Matching(
    rf"(?:{'|'.join(DAYS)}):(?:[01]\d|2[0-3]):[0-5]\d-(?:{'|'.join(DAYS)}):(?:[01]\d|2[0-3]):[0-5]\d",
    "ddd:hh:mm-ddd:hh:mm in UTC",
)
A_DAY = timedelta(days=1)
A_WEEK = timedelta(weeks=1)


def _moment(text: str) -> timedelta:
    """Parse `hh:mm` as the time since midnight, `ddd:hh:mm` as the time since Monday 00:00."""
    *day, hours, minutes = text.split(":")
    return timedelta(days=DAYS.index(day[0]) if day else 0, hours=int(hours), minutes=int(minutes))


class Windows(Section):
    """Backup and maintenance windows of the database and the cache, in UTC."""

    backup: Annotated[str, DAILY] = "08:00-09:00"
    """Daily, an hour or more. Choose the hours with the fewest customers: backups take memory and I/O."""

    maintenance: Annotated[str, WEEKLY] = "sun:10:00-sun:11:00"
    """Weekly, an hour or more, not during the backup window. A patch may cause a failover."""

    @field_validator("backup", "maintenance")
    @classmethod
    def _is_an_hour_or_more(cls, window: str, info: ValidationInfo) -> str:
        start, end = map(_moment, window.split("-"))
        # ElastiCache's minimum for both windows; Aurora's is 30 minutes.
        if (end - start) % (A_DAY if info.field_name == "backup" else A_WEEK) < timedelta(hours=1):
            raise ValueError("allowed: an hour or more")
        return window

    @field_validator("maintenance")
    @classmethod
    def _does_not_overlap_the_backup_window(cls, maintenance: str, info: ValidationInfo) -> str:
        if "backup" in info.data:
            start, end = map(_moment, maintenance.split("-"))
            daily_start, daily_end = map(_moment, info.data["backup"].split("-"))
            starts_within_backup = (start - daily_start) % A_DAY < (daily_end - daily_start) % A_DAY
            reaches_next_backup = (daily_start - start) % A_DAY < (end - start) % A_WEEK
            if starts_within_backup or reaches_next_backup:
                raise ValueError(f"allowed: a window that does not overlap the daily backup, {info.data['backup']}")
        return maintenance


class Environment(Section):
    """Settings of one environment. Encryption, TLS, WAF, security groups, IAM and secrets cannot be turned off."""

    name: Annotated[str, NAME]
    """The file's name without `.toml`."""

    company: Annotated[str, COMPANY]
    """The company's name, with which every name begins: `<company>-<environment>-...`. It cannot be changed once
    something is deployed."""

    replaces: Annotated[str, NAME] | None = None
    """The environment that this one stands in for, for example in another Region: they may share the domain, the key
    administrators, and a permissions boundary that is not bootstrap's. This environment's roles may use the other's
    backups, but not the other way round. The domain moves here when this environment's service is deployed
    ([recovery](runbooks/recovery.md))."""

    production: bool = True
    """Whether the requirements for production apply. Must be true if the name starts with `prod`."""

    account: Annotated[str, ACCOUNT]
    """The AWS account; the provider refuses any other. Production must not share an account with other environments
    (PCI DSS 6.5.3)."""

    region: Annotated[str, REGION]
    """The Region. It cannot be changed later: names, zones and states belong to it. Create a new environment
    instead."""

    second_region: Annotated[
        Annotated[str, REGION] | None,
        InProduction("backups and files must survive the loss of the first Region", required="a second Region"),
    ] = None
    """Region for copies of backups and files, in case the first Region is lost; they are encrypted with keys of that
    Region. Without it, there are no copies."""

    owner: Annotated[
        str,
        Matching(r"\w[\w+=.@ /:-]{2,255}", "a team or an e-mail address, in 3 to 256 characters that a tag may have"),
    ]
    """Team or person responsible for the environment; a tag on every resource."""

    permissions_boundary: Annotated[
        str,
        Matching(
            r"arn:aws:iam::\d{12}:policy/(?:[\w+=,.@-]+/)*[\w+=,.@-]+",
            "the ARN of a policy, arn:aws:iam::<account>:policy/<name>",
        ),
        InOwnAccount("a policy"),  # IAM requires this of boundaries that are not AWS managed policies
        Derived("the policy that `bootstrap` creates, `<company>-<environment>-boundary`"),
    ]
    """Permissions boundary of every role of this environment, so that nobody can create a role with more
    permissions."""

    deletion_protection: Annotated[bool, InProduction("a plan that nobody read must not delete data", exactly=True)] = (
        True
    )
    """Protects everything that holds data: deletion protection, final snapshots, `prevent_destroy`, and buckets that
    can only be deleted when empty. Turn it off for environments that are destroyed as a whole."""

    log_retention_days: Annotated[
        LogRetention, Unit("days"), InProduction("audit logs are kept for twelve months (PCI DSS 10.5.1)", at_least=365)
    ] = 400
    """Retention of log groups and log buckets. Incidents are often noticed late."""

    windows: Windows = Windows()
    foundation: FoundationSettings
    network: NetworkSettings
    database: DatabaseSettings
    cache: CacheSettings = CacheSettings()
    rotation: RotationSettings = RotationSettings()
    service: ServiceSettings
    recovery: RecoverySettings = RecoverySettings()
    audit: AuditSettings = AuditSettings()
    access: AccessSettings
    own: OwnSettings = OwnSettings()

    @property
    def names(self) -> Names:
        """Names and ARNs of this environment."""
        return Names(self.company, self.name, self.account, self.region, self.second_region, self.replaces)

    @field_validator("company")
    @classmethod
    def _leaves_room_for_names_in_aws(cls, company: str, info: ValidationInfo) -> str:
        # The Region with the longest name, so that the limit does not depend on the file.
        names = Names(company, info.data.get("name", ""), "1" * 12, "ap-northeast-1")
        surplus, kind, name, limit = max((len(name) - limit, kind, name, limit) for kind, name, limit in names.tightest)
        if surplus > 0:
            raise ValueError(
                f"allowed: {len(company) - surplus} characters at most beside {names.environment}, "
                f"because the name of a {kind}, {name}, may have {limit}"
            )
        return company

    @field_validator("replaces")
    @classmethod
    def _is_another_environment(cls, replaces: str | None, info: ValidationInfo) -> str | None:
        if replaces is not None and replaces not in (others := file_context(info).others):
            raise ValueError(f"allowed: another environment: {', '.join(others) or 'there is none'}")
        return replaces

    @field_validator("second_region")
    @classmethod
    def _differs_from_region(cls, second: str | None, info: ValidationInfo) -> str | None:
        if second is not None and second == info.data.get("region"):
            raise ValueError(f"allowed: a Region other than {second}, the first Region")
        return second

    @field_validator("production")
    @classmethod
    def _is_true_if_the_name_starts_with_prod(cls, production: bool, info: ValidationInfo) -> bool:
        if not production and info.data.get("name", "").startswith("prod"):
            raise ValueError("allowed: true, in a file whose name starts with prod")
        return production
