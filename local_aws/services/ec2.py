"""EC2: network ACL entries, rule descriptions, flow log destinations, options of endpoints; one call at a time.

Terraform creates the parts of a VPC concurrently, and moto's checks are not atomic: rules would be lost or duplicated.
"""

import json
from threading import RLock
from typing import Any, cast

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.flow_logs import FlowLogs
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.network_acls import NetworkAcl, NetworkAclEntry
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.vpcs import VPCEndPoint
from moto.ec2.responses import EC2Response

from local_aws.extension import ApiError, Extension

# Number of the entry that denies the rest. It can neither be changed nor deleted.
LAST_RULE = 32767
# AWS's defaults for flow logs in a bucket.
DEFAULT_DESTINATION_OPTIONS = {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": False}


class DescribedRule(SecurityGroupRule):
    """A rule with a description, whatever its peer is: addresses, a security group or a prefix list."""

    def __init__(
        self,
        ec2_backend: Any,
        ip_protocol: str,
        group_id: str,
        from_port: str | None,
        to_port: str | None,
        ip_range: dict[str, str] | None,
        source_group: dict[str, str] | None = None,
        prefix_list_id: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            ec2_backend, ip_protocol, group_id, from_port, to_port, ip_range, source_group, prefix_list_id, **settings
        )
        self._prefix_list = prefix_list_id or {}

    def __eq__(self, other: object) -> bool:
        """Whether AWS regards the rules as duplicates: descriptions do not matter."""
        return isinstance(other, SecurityGroupRule) and _permission(self) == _permission(other)

    @property
    def description(self) -> str | None:
        return self._peer.get("Description")

    def set_description(self, text: str | None) -> None:
        """Set the description, or remove it if the text is empty."""
        self._peer.pop("Description", None)
        if text:
            self._peer["Description"] = text

    def modify(self, request: dict[str, Any]) -> None:
        """Apply the group or prefix list and the description of ModifySecurityGroupRules."""
        if group := request.get("ReferencedGroupId"):
            self.source_group = {**self.source_group, "GroupId": group}
        if prefix_list := request.get("PrefixListId"):
            self.prefix_list_id = prefix_list
            self._prefix_list = {"PrefixListId": prefix_list}
        self.set_description(request.get("Description"))

    @property
    def _peer(self) -> dict[str, str]:
        return self._prefix_list or self.source_group or self.ip_range


def _permission(rule: SecurityGroupRule) -> tuple[object, ...]:
    addresses = rule.ip_range.get("CidrIp"), rule.ip_range.get("CidrIpv6")
    return (
        rule.ip_protocol,
        rule.from_port,
        rule.to_port,
        *addresses,
        rule.source_group.get("GroupId"),
        rule.prefix_list_id,
    )


class Backend(EC2Backend):
    """Adds rule descriptions, flow logs to a log group's ARN, entries of new network ACLs, and options of endpoints."""

    def create_network_acl(
        self, vpc_id: str, tags: list[dict[str, str]] | None = None, default: bool = False
    ) -> NetworkAcl:
        """Deny what no other entry allows.

        The example ec2-create-network-acl-1 in botocore/data/ec2/2016-11-15/examples-1.json.
        """
        created = super().create_network_acl(vpc_id, tags, default)
        if not default:
            for egress in (True, False):
                self.create_network_acl_entry(
                    created.id, LAST_RULE, "-1", "deny", egress, "0.0.0.0/0", None, None, None, None, None
                )
        return created

    def create_vpc_endpoint(
        self, vpc_id: str, service_name: str, endpoint_type: str | None, *args: Any, **kwargs: Any
    ) -> VPCEndPoint:
        """Add address types, the Region and DNS options; only interface endpoints have private names.

        https://github.com/go-to-k/cdk-real-drift/tree/main/tests/corpus (AWS__EC2__VPCEndpoint.*.json)
        """
        created: Any = super().create_vpc_endpoint(vpc_id, service_name, endpoint_type, *args, **kwargs)
        interface = endpoint_type == "Interface"
        created.private_dns_enabled = interface and created.private_dns_enabled
        created.ip_address_type, created.service_region = "ipv4", self.region_name
        created.dns_options = {"DnsRecordIpType": "ipv4" if interface else "service-defined"}
        return created

    def delete_vpc(self, vpc_id: str) -> Any:
        deleted = super().delete_vpc(vpc_id)
        # The default network ACL is deleted with the VPC.
        self.network_acls = {id: acl for id, acl in self.network_acls.items() if acl.vpc_id != vpc_id}
        return deleted

    def delete_nat_gateway(self, nat_gateway_id: str) -> NatGateway:
        """Disassociate the Elastic IP address, which stays allocated.

        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html
        """
        deleted = super().delete_nat_gateway(nat_gateway_id)
        associations = {address.association_id for address in self.addresses if address.association_id}
        for address in deleted.address_set:
            if address.get("associationId") in associations:
                self.disassociate_address(association_id=address["associationId"])
        return deleted

    def modify_security_group_rules(self, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
        super().modify_security_group_rules(group_id, rules)
        group = self.get_security_group_from_id(group_id)
        for rule_id, request in rules.items():
            cast(DescribedRule, group and group.get_rule(rule_id)).modify(request)

    def _sg_update_description(self, security_rule: SecurityGroupRule, rule: SecurityGroupRule) -> None:
        cast(DescribedRule, rule).set_description(security_rule.description)

    def create_flow_logs(
        self,
        resource_type: str,
        resource_ids: list[str],
        traffic_type: str,
        deliver_logs_permission_arn: str,
        log_destination_type: str,
        log_destination: str,
        log_group_name: str,
        log_format: str,
        max_aggregation_interval: int,
    ) -> tuple[list[FlowLogs], list[Any]]:
        if log_destination and log_destination_type in {None, "cloud-watch-logs"}:
            log_group_name = log_destination.split(":")[6]
        return super().create_flow_logs(
            resource_type,
            resource_ids,
            traffic_type,
            deliver_logs_permission_arn,
            log_destination_type,
            log_destination,
            log_group_name,
            log_format,
            max_aggregation_interval,
        )

    def delete_network_acl_entry(self, network_acl_id: str, rule_number: int, egress: bool) -> NetworkAclEntry:
        entries = self.get_network_acl(network_acl_id).entries
        if not any(entry.rule_number == rule_number and entry.egress == egress for entry in entries):
            raise ApiError(
                "InvalidNetworkAclEntry.NotFound",
                f"The specified network acl entry with rule number '{rule_number}' does not exist",
            )
        return super().delete_network_acl_entry(network_acl_id, rule_number, egress)


class Responses(EC2Response):
    """Serializes all calls, and adds the actions' missing parameters."""

    _lock = RLock()

    @property
    def backend(self) -> Backend:
        return cast(Backend, ec2_backends[self.current_account][self.region])

    def call_action(self) -> TYPE_RESPONSE:
        with self._lock:
            return super().call_action()

    def create_network_acl_entry(self) -> EmptyResult:
        self.backend.create_network_acl_entry(**self._entry())
        return EmptyResult()

    def replace_network_acl_entry(self) -> EmptyResult:
        self.backend.replace_network_acl_entry(**self._entry())
        return EmptyResult()

    def _entry(self) -> dict[str, Any]:
        ports, icmp = self._get_param("PortRange", {}), self._get_param("IcmpTypeCode", {})
        return {
            "network_acl_id": self._get_param("NetworkAclId"),
            "rule_number": self._get_param("RuleNumber"),
            "protocol": self._get_param("Protocol"),
            "rule_action": self._get_param("RuleAction"),
            "egress": self._get_param("Egress"),
            "cidr_block": self._get_param("CidrBlock"),
            "ipv6_cidr_block": self._get_param("Ipv6CidrBlock"),
            "icmp_code": icmp.get("Code"),
            "icmp_type": icmp.get("Type"),
            "port_range_from": ports.get("From"),
            "port_range_to": ports.get("To"),
        }

    def create_flow_logs(self) -> ActionResult:
        response = super().create_flow_logs()
        if self._get_param("LogDestinationType") == "s3":
            options = DEFAULT_DESTINATION_OPTIONS | self._get_param("DestinationOptions", {})
            for flow_log in cast(dict[str, list[str]], response.result)["FlowLogIds"]:
                cast(Any, self.backend.flow_logs[flow_log]).destination_options = options
        return response

    def modify_vpc_endpoint(self) -> ActionResult:
        endpoint = self.backend.describe_vpc_endpoints([self._get_param("VpcEndpointId")])[0]
        if (private_names := self._get_param("PrivateDnsEnabled")) is not None:
            endpoint.private_dns_enabled = private_names
        if self._get_param("ResetPolicy"):
            endpoint.policy_document = json.dumps(VPCEndPoint.DEFAULT_POLICY)
        return super().modify_vpc_endpoint()


EXTENSION = Extension(
    "ec2",
    Responses,
    Backend,
    models=(DescribedRule,),
    gaps={
        "aws_flow_log": "failed for a log group's ARN, and dropped a bucket's options",
        "aws_network_acl": "dropped ICMP type and code",
        "aws_vpc_endpoint": "could not change private DNS",
        "aws_vpc_security_group_egress_rule": "dropped descriptions of rules for groups and prefix lists",
        "aws_vpc_security_group_ingress_rule": "dropped descriptions of rules for groups",
    },
)
