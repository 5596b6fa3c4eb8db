"""Settings of the network tier: the address range, the zones, and what may be reached outside."""

from ipaddress import IPv4Network
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import Field, ValidationInfo, field_validator
from pydantic.functional_validators import BeforeValidator

from stacks.settings.section import InProduction, Matching, Section, Unit, file_context

PRIVATE_RANGES = tuple(IPv4Network(cidr) for cidr in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
SPECIAL_RANGES = tuple(
    IPv4Network(cidr)
    for cidr in ("0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
)
"""This host, carriers' NAT, loopback, link-local (with the metadata service), multicast, reserved."""
ZONE_LETTERS = "abcdef"
"""AWS names no zone beyond f. The letter picks the zone's address range."""
LARGEST_VPC = 16
"""Prefix length: AWS's limit for a VPC."""
SMALLEST_VPC = 18
"""Prefix length: leaves an app subnet a /22, as every Fargate task takes an address of its own."""

CIDR_ALLOWED = "allowed: an IPv4 CIDR with no host bits, such as 10.0.0.0/16"


def _network(value: Any) -> IPv4Network:
    if not isinstance(value, str):
        raise ValueError(f"{CIDR_ALLOWED}, as a text")  # noqa: TRY004 - pydantic tells a ValueError alone
    try:
        return IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{CIDR_ALLOWED} ({error})") from error


Cidr = Annotated[IPv4Network, BeforeValidator(_network)]


class EgressRule(Section):
    """A range outside the VPC that tasks may open connections to."""

    cidr: Cidr
    """A public range, /8 or smaller: a way out to everywhere is no rule."""

    port: Annotated[int, Unit("TCP port"), Ge(1), Le(65535)] = 443
    """Where the other end listens."""

    reason: Annotated[
        # EC2's characters for a description, which is this and the two parties' names within 255; no interpolation.
        str,
        Matching(
            r"(?=.*\w.*\w.*\w)[\w .:/()#,@+=&;!*-]{10,200}", "10 to 200 letters, digits, spaces and .:/()#,@+=&;!*-"
        ),
    ]
    """The business need (PCI DSS 1.2.5); it becomes the rule's description."""

    @field_validator("cidr")
    @classmethod
    def _is_not_the_world(cls, cidr: IPv4Network) -> IPv4Network:
        if cidr.prefixlen < 8 or any(cidr.overlaps(private) for private in (*PRIVATE_RANGES, *SPECIAL_RANGES)):
            raise ValueError("allowed: a public range of /8 or smaller; what lies within the VPC is not egress")
        return cidr


class NetworkSettings(Section):
    """VPC, subnets, NAT, endpoints, security groups."""

    cidr: Cidr
    """The VPC's range: private, /16 to /18, and apart from the other environments', so that they can be connected to
    one another. It stays for as long as the VPC does."""

    zones: tuple[str, ...]
    """The zones that everything is spread over; two or more. Named, never looked up, so that a plan repeats."""

    nat_per_zone: Annotated[bool, InProduction("a zone must not lose its way out with another zone", exactly=True)] = (
        True
    )
    """Whether each zone has a NAT gateway of its own, or all go out by the first zone's, which costs less and is lost
    with that zone."""

    egress: Annotated[tuple[EgressRule, ...], Field(max_length=10)] = ()
    """What tasks may reach outside the VPC, beyond AWS's services, such as a payment provider. All else is refused (PCI
    DSS 1.3.2)."""

    @field_validator("cidr")
    @classmethod
    def _is_private_and_large_enough(cls, cidr: IPv4Network) -> IPv4Network:
        if not any(cidr.subnet_of(private) for private in PRIVATE_RANGES):
            raise ValueError(f"allowed: a range within {', '.join(map(str, PRIVATE_RANGES))} (RFC 1918)")
        if not LARGEST_VPC <= cidr.prefixlen <= SMALLEST_VPC:
            raise ValueError(f"allowed: /{LARGEST_VPC} to /{SMALLEST_VPC}, so that an app subnet holds 1,000 tasks")
        return cidr

    @field_validator("zones")
    @classmethod
    def _are_distinct_zones_of_the_region(cls, zones: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        region = file_context(info).region
        if region and (foreign := [zone for zone in zones if zone not in {region + letter for letter in ZONE_LETTERS}]):
            raise ValueError(f"allowed: zones of {region}, such as {region}a; not {', '.join(foreign)}")
        if len(set(zones)) < len(zones):
            raise ValueError("allowed: each zone once")
        if len(zones) < 2:
            raise ValueError("allowed: two zones or more, so that the platform outlives the loss of one")
        return zones

    @field_validator("egress")
    @classmethod
    def _are_disjoint(cls, egress: tuple[EgressRule, ...]) -> tuple[EgressRule, ...]:
        for position, rule in enumerate(egress):
            for other in egress[:position]:
                if rule.port == other.port and rule.cidr.overlaps(other.cidr):
                    raise ValueError(f"allowed: disjoint ranges; {rule.cidr} overlaps {other.cidr} on port {rule.port}")
        return egress
