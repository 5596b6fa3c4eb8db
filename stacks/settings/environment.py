"""One environment's settings: whose it is, where it runs, and a section a tier."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from stacks.settings.access import AccessSettings
from stacks.settings.audit import AuditSettings
from stacks.settings.cache import CacheSettings
from stacks.settings.database import DatabaseSettings
from stacks.settings.foundation import FoundationSettings
from stacks.settings.network import NetworkSettings
from stacks.settings.recovery import RecoverySettings
from stacks.settings.rotation import RotationSettings
from stacks.settings.section import InOwnAccount, InProduction, Matching, Section, Unit
from stacks.settings.service import ServiceSettings

# The retentions that CloudWatch Logs knows.
LogRetention = Literal[30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]

REGION = Matching(
    r"(?:af|ap|ca|eu|il|me|mx|sa|us)-(?:north|south)?(?:east|west|central|north|south)-\d",
    "a Region, such as us-west-1",
)

ACCOUNT = Matching(r"\d{12}", "the 12 digits of an AWS account")

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAILY = Matching(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d", "hh:mm-hh:mm in UTC")
WEEKLY = Matching(
    rf"(?:{'|'.join(DAYS)}):(?:[01]\d|2[0-3]):[0-5]\d-(?:{'|'.join(DAYS)}):(?:[01]\d|2[0-3]):[0-5]\d",
    "ddd:hh:mm-ddd:hh:mm in UTC",
)
A_DAY = timedelta(days=1)
A_WEEK = timedelta(weeks=1)


def _moment(text: str) -> timedelta:
    """Since Monday, 00:00, of `hh:mm` or `ddd:hh:mm`."""
    *day, hours, minutes = text.split(":")
    return timedelta(days=DAYS.index(day[0]) if day else 0, hours=int(hours), minutes=int(minutes))


class Windows(Section):
    """When AWS may take a backup and do its maintenance, in UTC; for the database and the cache."""

    backup: Annotated[str, DAILY] = "08:00-09:00"
    """Daily, an hour or more: when customers are fewest, since it takes memory and I/O of what runs."""

    maintenance: Annotated[str, WEEKLY] = "sun:10:00-sun:11:00"
    """Weekly, an hour or more, apart from the backup: a patch may fail an instance over."""

    @field_validator("backup", "maintenance")
    @classmethod
    def _is_an_hour_or_more(cls, window: str, info: ValidationInfo) -> str:
        start, end = map(_moment, window.split("-"))
        # ElastiCache's least for both windows; Aurora takes half of it.
        if (end - start) % (A_DAY if info.field_name == "backup" else A_WEEK) < timedelta(hours=1):
            raise ValueError("allowed: an hour or more")
        return window

    @field_validator("maintenance")
    @classmethod
    def _is_apart_from_the_backup(cls, maintenance: str, info: ValidationInfo) -> str:
        if "backup" in info.data:
            start, end = map(_moment, maintenance.split("-"))
            daily_start, daily_end = map(_moment, info.data["backup"].split("-"))
            starts_within_backup = (start - daily_start) % A_DAY < (daily_end - daily_start) % A_DAY
            reaches_next_backup = (daily_start - start) % A_DAY < (end - start) % A_WEEK
            if starts_within_backup or reaches_next_backup:
                raise ValueError(f"allowed: a window apart from the daily backup, {info.data['backup']}")
        return maintenance


class Environment(Section):
    """All that differs between environments. Encryption, TLS, WAF, security groups, IAM and secrets have no switch."""

    # 12 characters: `globecart-<name>-public` must fit a load balancer's 32, and the longest bucket name S3's 63.
    name: Annotated[
        str, Matching(r"[a-z](?:-?[a-z0-9]){1,11}", "2 to 12 small letters, digits and single hyphens, a letter first")
    ]
    """The file's own name."""

    production: bool = True
    """Whether production's demands hold, which the last column has; it must, where the name starts with `prod`."""

    account: Annotated[str, ACCOUNT]
    """The AWS account; no deployment leaves it. Production never shares one with another environment (PCI DSS
    6.5.3)."""

    region: Annotated[str, REGION]
    """Where it runs. Names, zones and states are a Region's own, so another one is another environment."""

    second_region: Annotated[
        Annotated[str, REGION] | None,
        InProduction("backups and files must outlive the loss of the first", required="a second Region"),
    ] = None
    """Where copies of backups and of files are kept, each under a key of that Region's, for when the first is lost;
    none without it."""

    owner: Annotated[str, Matching(r"\w[\w+=.@ /:-]{2,255}", "a team or an address, in a tag's characters")]
    """Who answers for the environment; a tag of every resource, so that whoever finds one knows whom to ask."""

    permissions_boundary: Annotated[
        str,
        Matching(
            r"arn:aws:iam::\d{12}:policy/(?:[\w+=,.@-]+/)*[\w+=,.@-]+",
            "the ARN of a policy, arn:aws:iam::<account>:policy/<name>",
        ),
        InOwnAccount("a policy"),  # IAM's rule for boundaries, but for AWS's own policies
    ]
    """The policy that no role of this environment may exceed, whatever its own policies say: who can make roles cannot
    make one that may more."""

    deletion_protection: Annotated[
        bool, InProduction("nobody may delete data with a plan that was not read", exactly=True)
    ] = True
    """Of all that keeps data: deletion protection, final snapshots, `prevent_destroy`, buckets that must be empty. Off
    where an environment is thrown away as a whole."""

    log_retention_days: Annotated[
        LogRetention, Unit("days"), InProduction("audit logs are kept for twelve months (PCI DSS 10.5.1)", at_least=365)
    ] = 400
    """For how long log groups and log buckets keep what they get: what is found late is looked into then."""

    windows: Windows = Windows()
    foundation: FoundationSettings
    network: NetworkSettings
    database: DatabaseSettings = DatabaseSettings()
    cache: CacheSettings = CacheSettings()
    rotation: RotationSettings = RotationSettings()
    service: ServiceSettings
    recovery: RecoverySettings = RecoverySettings()
    audit: AuditSettings = AuditSettings()
    access: AccessSettings

    @field_validator("second_region")
    @classmethod
    def _is_another_region(cls, second: str | None, info: ValidationInfo) -> str | None:
        if second is not None and second == info.data.get("region"):
            raise ValueError(f"allowed: a Region other than {second}, which is the first")
        return second

    @field_validator("production")
    @classmethod
    def _follows_the_name(cls, production: bool, info: ValidationInfo) -> bool:
        if not production and info.data.get("name", "").startswith("prod"):
            raise ValueError("allowed: true, in a file whose name starts with prod")
        return production
