"""Settings of the service tier: image, domain, size and number of tasks, request limits."""

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.section import InProduction, Matching, NotBelow, Section, Unit, file_context

DOMAIN = Matching(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])",
    "a domain name, such as shop.example; other letters than a to z in Punycode (xn--)",
)

# Task sizes of Fargate: MiB by CPU units.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
MEMORY = {
    256: range(512, 1024 + 1, 512),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
    8192: range(16384, 61440 + 1, 4096),
    16384: range(32768, 122880 + 1, 8192),
}


class ServiceSettings(Section):
    """The application on Fargate, behind the load balancer."""

    image: Annotated[
        str,
        Matching(r"@sha256:[0-9a-f]{64}|:\w[\w.-]{0,127}", "a digest (@sha256:<64 hex digits>) or a tag (:1.4.2)"),
        InProduction("a tag can be moved to another image (PCI DSS 6.3.1)", prefix="@sha256:"),
    ]
    """Suffix of the image URL in this environment's ECR repository: `@sha256:<digest>` or `:<tag>`. Only a digest
    guarantees that the image is the one that was tested."""

    architecture: Literal["ARM64", "X86_64"] = "ARM64"
    """CPU architecture of the image. ARM64 is cheaper on Fargate."""

    hosted_zone: Annotated[str, DOMAIN]
    """The public Route 53 hosted zone of the domain. Its records point to the load balancer and validate the
    certificate."""

    domain: Annotated[str, Field(max_length=64), DOMAIN]  # ACM's limit
    """Domain name that customers use; the certificate is issued for it."""

    cpu: Annotated[Literal[256, 512, 1024, 2048, 4096, 8192, 16384], Unit("CPU units, 1024 per vCPU")] = 1024
    """CPU of a task. Scale the number of tasks for more requests, and this for heavier ones."""

    memory: Annotated[int, Unit("MiB")] = 2048
    """Memory of a task; a task that uses more is killed. Each `cpu` allows a range."""

    minimum_tasks: Annotated[
        int, Unit("tasks"), Ge(1), Le(1000), InProduction("the service must survive the loss of one", at_least=2)
    ] = 2
    """Tasks that always run; in production at least one per zone. Load grows faster than tasks start, so raise it
    before a sale."""

    maximum_tasks: Annotated[int, Unit("tasks"), Ge(1), Le(1000), NotBelow("minimum_tasks")] = 20
    """Maximum number of tasks. Together they must not need more connections than the database allows."""

    requests_per_task: Annotated[int, Unit("requests a minute"), Ge(1)] = 1000
    """Autoscaling adds tasks when each gets more than this; requests rise before CPU does."""

    requests_per_client: Annotated[int, Unit("requests in five minutes"), Ge(10), Le(2_000_000_000)] = 2000
    """Maximum from one IP address. WAF blocks the rest, as when passwords or cards are guessed (PCI DSS 6.4.2)."""

    large_bodies: Annotated[
        tuple[
            Annotated[
                str,
                # WAF matches search strings of 200 bytes at most, on normalized paths (without //, /./ and /../).
                Matching(
                    r"(?!.*//)(?!.*/\.{1,2}/)/[\w./~-]{1,199}", "a path of 200 characters at most, such as /uploads/"
                ),
            ],
            ...,
        ],
        Field(max_length=5),
    ] = ()
    """Path prefixes that accept bodies above 8 KB, such as uploads. WAF inspects only the first 8 KB."""

    @field_validator("domain")
    @classmethod
    def _is_in_the_hosted_zone(cls, domain: str, info: ValidationInfo) -> str:
        zone = info.data.get("hosted_zone", domain)
        if domain != zone and not domain.endswith(f".{zone}"):
            raise ValueError(f"allowed: {zone} or a name that ends with .{zone}")
        return domain

    @field_validator("memory")
    @classmethod
    def _is_in_the_range_for_the_cpu(cls, memory: int, info: ValidationInfo) -> int:
        if cpu := info.data.get("cpu"):
            sizes = MEMORY[cpu]
            if memory not in sizes:
                raise ValueError(f"allowed with {cpu} units of CPU: {sizes[0]} to {sizes[-1]} in steps of {sizes.step}")
        return memory

    @field_validator("minimum_tasks")
    @classmethod
    def _are_one_per_zone_or_more_in_production(cls, minimum: int, info: ValidationInfo) -> int:
        if file_context(info).production and minimum < file_context(info).zones:
            raise ValueError(f"allowed in production: {file_context(info).zones} or more, one task per zone")
        return minimum

    @field_validator("large_bodies")
    @classmethod
    def _are_distinct(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(paths)) < len(paths):
            raise ValueError("allowed: each path once")
        return paths
