"""Settings of the service tier: image, domain, a task's size, the number of tasks, what a client may ask."""

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import Field, ValidationInfo, field_validator

from stacks.settings.section import InProduction, Matching, NotBelow, Section, Unit, file_context

DOMAIN = Matching(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "a domain name, such as shop.example"
)

# Fargate's sizes: MiB by CPU units.
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
    """What is appended to the URL of this environment's own repository: `@sha256:<digest>` or `:<tag>`. A digest is
    what was tested, a tag whatever it was moved to."""

    architecture: Literal["ARM64", "X86_64"] = "ARM64"
    """What the image is built for. ARM64 is the cheaper of the two on Fargate."""

    hosted_zone: Annotated[str, DOMAIN]
    """The public Route 53 zone that holds the domain; its record and the certificate's proof are written there."""

    domain: Annotated[str, DOMAIN, Matching(".{1,64}", "64 characters at most, as in a certificate of ACM")]
    """The name that customers use, and that the certificate is for."""

    cpu: Annotated[Literal[256, 512, 1024, 2048, 4096, 8192, 16384], Unit("CPU units, 1024 a processor")] = 1024
    """Of a task: what one request may need. For more of them there are more tasks."""

    memory: Annotated[int, Unit("MiB")] = 2048
    """Of a task, which is killed where it takes more; Fargate has a range of it for each `cpu`."""

    minimum_tasks: Annotated[
        int, Unit("tasks"), Ge(1), Le(1000), InProduction("the service must outlive the loss of one", at_least=2)
    ] = 2
    """Tasks that always run; in production one for each zone, at least. Load grows faster than tasks start: raise it
    before a sale."""

    maximum_tasks: Annotated[int, Unit("tasks"), Ge(1), Le(1000), NotBelow("minimum_tasks")] = 20
    """Tasks that load may bring. Their connections together must be fewer than the database takes."""

    requests_per_task: Annotated[int, Unit("requests a minute"), Ge(1)] = 1000
    """More tasks come where each gets more than this, which is seen before their CPU rises."""

    requests_per_client: Annotated[int, Unit("requests in five minutes"), Ge(10), Le(2_000_000_000)] = 2000
    """From one address. WAF refuses what is above, as when passwords or cards are tried (PCI DSS 6.4.2)."""

    large_bodies: Annotated[
        tuple[
            Annotated[
                str,
                # WAF's limit for what it looks for is 200 bytes; it sees paths without //, /./ and /../.
                Matching(r"(?!.*//)(?!.*/\.{1,2}/)/[\w./~-]{1,199}", "a path of 200 characters at most, as /uploads/"),
            ],
            ...,
        ],
        Field(max_length=5),
    ] = ()
    """Beginnings of the paths that take bodies above 8 KB, as uploads do. WAF sees the first 8 KB of them."""

    @field_validator("domain")
    @classmethod
    def _lies_in_the_hosted_zone(cls, domain: str, info: ValidationInfo) -> str:
        zone = info.data.get("hosted_zone", domain)
        if domain != zone and not domain.endswith(f".{zone}"):
            raise ValueError(f"allowed: {zone} or a name that ends with .{zone}")
        return domain

    @field_validator("memory")
    @classmethod
    def _goes_with_the_cpu(cls, memory: int, info: ValidationInfo) -> int:
        if cpu := info.data.get("cpu"):
            sizes = MEMORY[cpu]
            if memory not in sizes:
                raise ValueError(f"allowed with {cpu} units of CPU: {sizes[0]} to {sizes[-1]} in steps of {sizes.step}")
        return memory

    @field_validator("minimum_tasks")
    @classmethod
    def _are_in_every_zone_in_production(cls, minimum: int, info: ValidationInfo) -> int:
        if file_context(info).production and minimum < file_context(info).zones:
            raise ValueError(f"allowed in production: a task for each of the {file_context(info).zones} zones, or more")
        return minimum

    @field_validator("large_bodies")
    @classmethod
    def _are_distinct(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(paths)) < len(paths):
            raise ValueError("allowed: each path once")
        return paths
