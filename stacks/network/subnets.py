"""The address plan: which range of the VPC each kind of subnet has in each zone.

A kind's ranges lie together, so that one CIDR stands for all of them in a network ACL. Within it a zone's range follows
from the zone's letter: a zone that comes or goes moves no other.

    /16 VPC   app 10.0.0.0/17      a /20 a zone (4,096 addresses: every Fargate task takes one)
              data 10.0.128.0/18   a /21
              public 10.0.192.0/19 a /22
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
    """The ranges of one VPC."""

    app: IPv4Network
    data: IPv4Network
    public: IPv4Network

    @classmethod
    def for_vpc(cls, vpc: IPv4Network) -> Self:
        """Cut up a VPC's range: half of it for app, a quarter for data, an eighth for public."""
        app, rest = vpc.subnets()
        data, rest = rest.subnets()
        public, _spare = rest.subnets()
        return cls(app=app, data=data, public=public)

    def subnet(self, kind: SubnetKind, zone: str) -> IPv4Network:
        """The range of a kind of subnet in a zone."""
        # Eighths: the least power of two that holds every letter.
        by_zone: Sequence[IPv4Network] = list(getattr(self, kind).subnets(prefixlen_diff=3))
        return by_zone[ZONE_LETTERS.index(zone[-1])]
