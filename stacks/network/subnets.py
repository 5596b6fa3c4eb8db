"""Address plan: the CIDR range of each kind of subnet in each zone.

Ranges of one kind are contiguous, so that a network ACL needs one CIDR per kind. Within a kind, the zone's letter
determines the range: adding or removing a zone changes no other.

    /16 VPC   app 10.0.0.0/17      a /20 per zone (4,096 addresses: every Fargate task takes one)
              data 10.0.128.0/18   a /21 per zone
              public 10.0.192.0/19 a /22 per zone
              spare 10.0.224.0/19
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal, Self

from stacks.settings.network import ZONE_LETTERS

SubnetKind = Literal["app", "data", "public"]


@dataclass(frozen=True)
class AddressPlan:
    """Ranges of one VPC, by kind of subnet."""

    app: IPv4Network
    data: IPv4Network
    public: IPv4Network

    @classmethod
    def for_vpc(cls, vpc: IPv4Network) -> Self:
        """Divide a VPC's range: half for app, a quarter for data, an eighth for public."""
        app, rest = vpc.subnets()
        data, rest = rest.subnets()
        public, _spare = rest.subnets()
        return cls(app=app, data=data, public=public)

    def subnet(self, kind: SubnetKind, zone: str) -> IPv4Network:
        """Range of one kind of subnet in one zone."""
        # Eighths: the smallest power of two that covers all zone letters.
        by_zone: Sequence[IPv4Network] = list(getattr(self, kind).subnets(prefixlen_diff=3))
        return by_zone[ZONE_LETTERS.index(zone[-1])]
