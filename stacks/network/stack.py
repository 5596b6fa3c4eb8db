"""The network: VPC with three kinds of subnet in every zone, NAT per zone, and an explicit list of allowed flows.

The load balancer is in the public subnets, tasks are in the app subnets, and data stores are in the data subnets, which
have no route to the internet. Zones do not depend on each other.
"""

from collections.abc import Mapping, Sequence

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.default_network_acl import DefaultNetworkAcl
from cdktf_cdktf_provider_aws.default_route_table import DefaultRouteTable
from cdktf_cdktf_provider_aws.default_security_group import DefaultSecurityGroup
from cdktf_cdktf_provider_aws.eip import Eip
from cdktf_cdktf_provider_aws.internet_gateway import InternetGateway
from cdktf_cdktf_provider_aws.nat_gateway import NatGateway
from cdktf_cdktf_provider_aws.route import Route
from cdktf_cdktf_provider_aws.route_table import RouteTable
from cdktf_cdktf_provider_aws.route_table_association import RouteTableAssociation
from cdktf_cdktf_provider_aws.subnet import Subnet
from cdktf_cdktf_provider_aws.vpc import Vpc
from cdktf_cdktf_provider_aws.vpc_endpoint import VpcEndpoint
from constructs import Construct

from stacks.foundation.stack import FoundationStack
from stacks.network import network_acls
from stacks.network.endpoints import (
    S3_ENDPOINT,
    SECRETS_ENDPOINT,
    SHARED_ENDPOINTS,
    Endpoint,
    gateway_endpoint,
    interface_endpoint,
    merged,
)
from stacks.network.flow_logs import REJECTED_FROM_WITHIN, enable_flow_logs
from stacks.network.flows import ALLOWED_FLOWS, INTERNET, S3, Flow, allow_flows, security_groups
from stacks.network.subnets import AddressPlan, SubnetKind
from stacks.parts import ports
from stacks.parts.alarms import Alarm, create_alarms
from stacks.settings import Environment
from stacks.tier import TierStack

ZonalSubnets = Mapping[str, Subnet]
"""Subnets of one kind, by zone."""


class NetworkStack(TierStack):
    """VPC, subnets, NAT, routes, network ACLs, security groups, endpoints, flow logs."""

    tier = "network"

    def __init__(
        self,
        scope: Construct,
        settings: Environment,
        *,
        foundation: FoundationStack,
        own_endpoints: Sequence[Endpoint] = (),
    ) -> None:
        """Create the stack.

        Args:
            own_endpoints: for AWS services that tasks use besides those of the platform.
        """
        super().__init__(scope, settings)
        self._plan = AddressPlan.for_vpc(settings.network.cidr)
        self.vpc = self._vpc()
        self._lock_defaults()
        self.public_subnets = self._subnets("public")
        self.app_subnets = self._subnets("app")
        self.data_subnets = self._subnets("data")
        internet = self._internet_gateway()
        nats = self._nat_gateways(internet)
        app_tables = self._routes(internet, nats)
        self._network_acls()
        self.security_groups = security_groups(self, self.vpc)
        gateways = self._endpoints(app_tables, own_endpoints)
        self._allow_flows(gateways)
        enable_flow_logs(self, self.vpc, foundation.keys.logs)
        self._watch(foundation, nats)

    def _vpc(self) -> Vpc:
        vpc = Vpc(
            self,
            "vpc",
            cidr_block=str(self.settings.network.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,  # for the private DNS names of interface endpoints
            tags={"Name": self.names.resource_name("vpc")},
        )
        self.publish("vpc_id", vpc, "id", "The environment's VPC")
        self.export(vpc, "arn", "cidr_block")
        return vpc

    def _lock_defaults(self) -> None:
        """PCI DSS 1.2.1: resources that use the VPC's defaults can reach nothing and cannot be reached.

        Lists are stated as empty. If they were left out, the provider would accept whatever is there; only those of the
        default network ACL mean none (`resourceDefaultNetworkACL` in internal/service/ec2/vpc_default_network_acl.go).
        """
        name = {"Name": self.names.resource_name("default-locked")}
        DefaultSecurityGroup(self, "default-group", vpc_id=self.vpc.id, ingress=[], egress=[], tags=name)
        DefaultRouteTable(
            self, "default-routes", default_route_table_id=self.vpc.default_route_table_id, route=[], tags=name
        )
        DefaultNetworkAcl(
            self,
            "default-acl",
            default_network_acl_id=self.vpc.default_network_acl_id,
            # AWS associates a subnet with this ACL when it leaves another one; this resource must not undo that.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["subnet_ids"]),
            tags=name,
        )

    def _subnets(self, kind: SubnetKind) -> ZonalSubnets:
        subnets = {
            zone: Subnet(
                self,
                f"{kind}-{zone[-1]}",
                vpc_id=self.vpc.id,
                availability_zone=zone,
                cidr_block=str(self._plan.subnet(kind, zone)),
                map_public_ip_on_launch=False,
                tags={"Name": self.names.resource_name(f"{kind}-{zone[-1]}")},
            )
            for zone in self.settings.network.zones
        }
        for zone, subnet in subnets.items():
            self.publish(f"{kind}_subnet_{zone[-1]}", subnet, "id", f"The {kind} subnet in {zone}")
        return subnets

    def _internet_gateway(self) -> InternetGateway:
        return InternetGateway(
            self, "internet", vpc_id=self.vpc.id, tags={"Name": self.names.resource_name("internet")}
        )

    def _nat_gateways(self, gateway: InternetGateway) -> Mapping[str, NatGateway]:
        """One NAT gateway per zone, or a single one."""
        zones = self.settings.network.zones if self.settings.network.nat_per_zone else self.settings.network.zones[:1]
        return {zone: self._nat(zone, gateway) for zone in zones}

    def _nat(self, zone: str, gateway: InternetGateway) -> NatGateway:
        name = {"Name": self.names.resource_name(f"nat-{zone[-1]}")}
        address = Eip(self, f"nat-address-{zone[-1]}", domain="vpc", tags=name, depends_on=[gateway])
        nat = NatGateway(
            self,
            f"nat-{zone[-1]}",
            allocation_id=address.id,
            subnet_id=self.public_subnets[zone].id,
            tags=name,
            depends_on=[gateway],
        )
        self.publish(
            f"nat_address_{zone[-1]}",
            address,
            "public_ip",
            f"Address of the NAT gateway in {zone}, which others see of the tasks behind it",
        )
        return nat

    def _routes(self, gateway: InternetGateway, nats: Mapping[str, NatGateway]) -> list[RouteTable]:
        """Route public subnets to the internet, app subnets to NAT, data subnets nowhere (PCI DSS 1.4.4).

        Returns the route tables of the app subnets.
        """
        for zone, subnet in self.public_subnets.items():
            table = self._route_table("public", zone, subnet)
            Route(
                self,
                f"public-{zone[-1]}-to-internet",
                route_table_id=table.id,
                destination_cidr_block=str(INTERNET),
                gateway_id=gateway.id,
            )
        app_tables: list[RouteTable] = []
        for zone, subnet in self.app_subnets.items():
            table = self._route_table("app", zone, subnet)
            Route(
                self,
                f"app-{zone[-1]}-to-nat",
                route_table_id=table.id,
                destination_cidr_block=str(INTERNET),
                nat_gateway_id=nats.get(zone, next(iter(nats.values()))).id,
            )
            app_tables.append(table)
        for zone, subnet in self.data_subnets.items():
            self._route_table("data", zone, subnet)
        return app_tables

    def _route_table(self, kind: SubnetKind, zone: str, subnet: Subnet) -> RouteTable:
        id = f"{kind}-{zone[-1]}"
        table = RouteTable(
            self,
            f"{id}-routes",
            vpc_id=self.vpc.id,
            propagating_vgws=[],  # no routes from a VPN
            tags={"Name": self.names.resource_name(id)},
        )
        RouteTableAssociation(self, f"{id}-association", subnet_id=subnet.id, route_table_id=table.id)
        return table

    def _network_acls(self) -> None:
        subnets: dict[SubnetKind, ZonalSubnets] = {
            "public": self.public_subnets,
            "app": self.app_subnets,
            "data": self.data_subnets,
        }
        for kind, rules in network_acls.acl_rules(self._plan, self.settings.network.egress).items():
            network_acls.network_acl(self, self.vpc, kind, rules, list(subnets[kind].values()))

    def _endpoints(self, app_tables: list[RouteTable], own: Sequence[Endpoint]) -> Mapping[str, VpcEndpoint]:
        """PCI DSS 1.4.5: credentials, keys and logs never cross the internet. Returns the gateways by service."""
        endpoints = merged([*SHARED_ENDPOINTS, SECRETS_ENDPOINT, S3_ENDPOINT, *own])
        subnets = list(self.app_subnets.values())
        interfaces = {
            each.service: interface_endpoint(
                self, self.vpc, each, subnets=subnets, group=getattr(self.security_groups, each.group)
            )
            for each in endpoints
            if not each.is_gateway
        }
        self.export(interfaces[SECRETS_ENDPOINT.service], "id")
        return {
            each.service: gateway_endpoint(self, self.vpc, each, app_tables) for each in endpoints if each.is_gateway
        }

    def _allow_flows(self, gateways: Mapping[str, VpcEndpoint]) -> None:
        egress = [Flow("service", rule.cidr, rule.port, rule.reason) for rule in self.settings.network.egress]
        own = [Flow("service", service, ports.HTTPS, "data of own tiers") for service in gateways if service != S3]
        allow_flows(self, self.security_groups, [*ALLOWED_FLOWS, *egress, *own], gateways=gateways)

    def _watch(self, foundation: FoundationStack, nats: Mapping[str, NatGateway]) -> None:
        self.alarms = create_alarms(
            self,
            foundation.alarm_topic,
            [
                *(
                    Alarm(
                        name=f"nat-ports-{zone[-1]}",
                        runbook="nat-ports",
                        namespace="AWS/NATGateway",
                        metric="ErrorPortAllocation",
                        dimensions={"NatGatewayId": nat.id},
                        statistic="Sum",
                        threshold=1,
                        unit="failed connections",
                        period=60,
                        periods=3,
                        treat_missing_data="notBreaching",
                        reason=f"tasks in {zone} cannot connect to the internet, for example to the payment provider",
                    )
                    for zone, nat in nats.items()
                ),
                Alarm(
                    name="rejected-from-within",
                    namespace=self.names.metric_namespace,
                    metric=REJECTED_FROM_WITHIN,
                    statistic="Sum",
                    threshold=100,
                    unit="records",
                    period=300,
                    periods=1,
                    treat_missing_data="notBreaching",
                    reason="traffic inside the VPC was rejected; a rule is missing, or somebody scans the network",
                ),
            ],
        )
