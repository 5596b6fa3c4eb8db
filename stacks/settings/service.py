"""Settings of the service tier: image, domain, number of tasks."""

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import ValidationInfo, field_validator

from stacks.settings.section import InProduction, Matching, Section

DOMAIN = Matching(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", "a domain name, such as shop.example"
)


class ServiceSettings(Section):
    """The application on Fargate, behind the load balancer."""

    image: Annotated[
        str,
        Matching(r"@sha256:[0-9a-f]{64}|:\w[\w.-]{0,127}", "a digest (@sha256:<64 hex digits>) or a tag (:1.4.2)"),
        InProduction("a tag can be moved to another image (PCI DSS 6.3.1)", starting="@sha256:"),
    ]
    """What is appended to the URL of this environment's own repository: `@sha256:<digest>` or `:<tag>`."""

    hosted_zone: Annotated[str, DOMAIN]
    """The public Route 53 zone that holds the domain."""

    domain: Annotated[str, DOMAIN]
    """The name that customers use."""

    minimum_tasks: Annotated[
        int, Ge(1), Le(1000), InProduction("the service must outlive the loss of one", at_least=2)
    ] = 2
    """Tasks that always run."""

    maximum_tasks: Annotated[int, Ge(1), Le(1000)] = 20
    """Tasks that load may bring."""

    @field_validator("domain")
    @classmethod
    def _lies_in_the_hosted_zone(cls, domain: str, info: ValidationInfo) -> str:
        zone = info.data.get("hosted_zone", domain)
        if domain != zone and not domain.endswith(f".{zone}"):
            raise ValueError(f"allowed: {zone} or a name that ends with .{zone}")
        return domain

    @field_validator("maximum_tasks")
    @classmethod
    def _are_not_below_the_minimum(cls, maximum: int, info: ValidationInfo) -> int:
        if maximum < info.data.get("minimum_tasks", 0):
            raise ValueError(f"allowed: minimum_tasks ({info.data['minimum_tasks']}) or more")
        return maximum
