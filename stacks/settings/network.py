"""Settings of the network tier: address range, zones, egress."""

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
"""This host, carrier-grade NAT, loopback, link-local (with the metadata service), multicast, reserved."""
ZONE_LETTERS = "abcdef"
"""Zones end in a to f. The letter determines the zone's address range."""
LARGEST_VPC = 16
"""Prefix length: AWS's limit for a VPC."""
SMALLEST_VPC = 18
"""Prefix length: leaves each app subnet a /22, because every Fargate task takes an address."""

CIDR_ALLOWED = "allowed: an IPv4 CIDR with no host bits, such as 10.0.0.0/16"


def _network(value: Any) -> IPv4Network:
    if not isinstance(value, str):
        raise ValueError(f"{CIDR_ALLOWED}, as a string")  # noqa: TRY004 - pydantic reports only ValueError
    try:
        return IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{CIDR_ALLOWED} ({error})") from error


Cidr = Annotated[IPv4Network, BeforeValidator(_network)]


class EgressRule(Section):
    """A range outside the VPC that tasks may connect to."""

    cidr: Cidr
    """A public range, /8 or smaller; 0.0.0.0/0 is refused."""

    port: Annotated[int, Unit("TCP port"), Ge(1), Le(65535)] = 443
    """Port of the destination."""

    reason: Annotated[
        # Characters that EC2 allows in a description. Its 255 also hold the names of both ends; no interpolation.
        str,
        Matching(
            r"(?=.*\w.*\w.*\w)[\w .:/()#,@+=&;!*-]{10,200}", "10 to 200 letters, digits, spaces and .:/()#,@+=&;!*-"
        ),
    ]
    """Business justification (PCI DSS 1.2.5); becomes the description of the security group rule."""

    @field_validator("cidr")
    @classmethod
    def _is_public(cls, cidr: IPv4Network) -> IPv4Network:
        if cidr.prefixlen < 8 or any(cidr.overlaps(private) for private in (*PRIVATE_RANGES, *SPECIAL_RANGES)):
            raise ValueError("allowed: a public range of /8 or smaller")
        return cidr


class NetworkSettings(Section):
    """VPC, subnets, NAT, endpoints, security groups."""

    cidr: Cidr
    """The VPC's range: private, /16 to /18, disjoint from those of other environments so that VPCs can be connected. It
    cannot be changed while the VPC exists."""

    zones: tuple[str, ...]
    """Availability Zones, two or more. They are listed rather than looked up, so that plans are reproducible."""

    nat_per_zone: Annotated[
        bool, InProduction("a zone must not depend on another zone's NAT gateway", exactly=True)
    ] = True
    """Whether each zone has its own NAT gateway. If false, all zones use the first zone's: cheaper, but lost with that
    zone."""

    egress: Annotated[tuple[EgressRule, ...], Field(max_length=10)] = ()
    """Destinations outside AWS that tasks may connect to, such as a payment provider. Everything else is refused (PCI
    DSS 1.3.2)."""

    @field_validator("cidr")
    @classmethod
    def _is_private(cls, cidr: IPv4Network) -> IPv4Network:
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
            raise ValueError("allowed: two or more zones, so that the platform survives the loss of one")
        return zones

    @field_validator("egress")
    @classmethod
    def _are_disjoint(cls, egress: tuple[EgressRule, ...]) -> tuple[EgressRule, ...]:
        for position, rule in enumerate(egress):
            for other in egress[:position]:
                if rule.port == other.port and rule.cidr.overlaps(other.cidr):
                    raise ValueError(f"allowed: disjoint ranges; {rule.cidr} overlaps {other.cidr} on port {rule.port}")
        return egress
