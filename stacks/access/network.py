"""Grants for the VPC, and for the path of requests: DNS, certificate, load balancer, WAF."""

from stacks.access.grants import Grant, Scope

# EC2 authorizes every resource of a call: the new one by its request tags, existing ones by their resource tags.
NETWORK: tuple[Grant, ...] = (
    *(
        Grant(f"Make{kind.title().replace('-', '')}", "ec2", action, f"{kind}/*", Scope.REQUEST_TAGS)
        for action, kind in (
            ("AllocateAddress", "elastic-ip"),
            ("CreateFlowLogs", "vpc-flow-log"),
            ("CreateInternetGateway", "internet-gateway"),
            ("CreateNatGateway", "natgateway"),
            ("CreateNetworkAcl", "network-acl"),
            ("CreateRouteTable", "route-table"),
            ("CreateSecurityGroup", "security-group"),
            ("AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress", "security-group-rule"),
            ("CreateSubnet", "subnet"),
            ("CreateVpc", "vpc"),
            ("CreateVpcEndpoint", "vpc-endpoint"),
        )
    ),
    Grant(
        "ChangeNetwork",
        "ec2",
        "AssociateRouteTable AttachInternetGateway AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress "
        "CreateFlowLogs CreateNatGateway CreateNetworkAcl CreateNetworkAclEntry CreateNetworkInterface CreateRoute "
        "CreateRouteTable CreateSecurityGroup CreateSubnet CreateTags CreateVpcEndpoint DeleteFlowLogs "
        "DeleteInternetGateway DeleteNatGateway DeleteNetworkAcl DeleteNetworkAclEntry DeleteRoute "
        "DeleteRouteTable DeleteSecurityGroup DeleteSubnet DeleteTags DeleteVpc DeleteVpcEndpoints "
        "DetachInternetGateway DisassociateAddress DisassociateRouteTable ModifyNetworkInterfaceAttribute "
        "ModifySecurityGroupRules ModifySubnetAttribute ModifyVpcAttribute ModifyVpcEndpoint ReleaseAddress "
        "ReplaceNetworkAclAssociation ReplaceRoute ReplaceRouteTableAssociation RevokeSecurityGroupEgress "
        "RevokeSecurityGroupIngress",
        "elastic-ip/* internet-gateway/* natgateway/* network-acl/* route-table/* security-group/* "
        "security-group-rule/* subnet/* vpc/* vpc-endpoint/* vpc-flow-log/*",
        Scope.RESOURCE_TAGS,
        reads=(
            "DescribeAccountAttributes DescribeAddresses DescribeAddressesAttribute DescribeFlowLogs "
            "DescribeInternetGateways DescribeNatGateways DescribeNetworkAcls DescribeNetworkInterfaceAttribute "
            "DescribeNetworkInterfaces DescribePrefixLists DescribeRouteTables DescribeSecurityGroupRules "
            "DescribeSecurityGroups DescribeSubnets DescribeVpcAttribute DescribeVpcEndpoints DescribeVpcs"
        ),
    ),
    Grant("TagAtBirth", "ec2", "CreateTags", "*/*", Scope.TAG_ON_CREATE),
    # A new VPC has default resources of these types without tags. They lose their rules, so that nothing can use them.
    Grant(
        "TagDefaults",
        "ec2",
        "CreateTags",
        "network-acl/* route-table/* security-group/*",
        Scope.FIRST_TAGGING,
    ),
    Grant(
        "CloseDefaults",
        "ec2",
        "DeleteNetworkAclEntry ReplaceNetworkAclAssociation RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
        "network-acl/* security-group/*",
        Scope.UNTAGGED,
    ),
)

INGRESS: tuple[Grant, ...] = (
    # EFS and ElastiCache create network interfaces on behalf of the caller, without tags.
    Grant(
        "Interfaces",
        "ec2",
        "CreateNetworkInterface DeleteNetworkInterface ModifyNetworkInterfaceAttribute",
        "network-interface/*",
    ),
    # Private DNS of interface endpoints.
    Grant("EndpointNames", "route53", "AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/*"),
    Grant("Records", "route53", "ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/*"),
    Grant("RequestCertificate", "acm", "RequestCertificate", scope=Scope.REQUEST_TAGS),
    Grant("TagCertificate", "acm", "AddTagsToCertificate", "certificate/*", Scope.FIRST_TAGGING),
    Grant(
        "Certificate",
        "acm",
        "AddTagsToCertificate DeleteCertificate RemoveTagsFromCertificate",
        "certificate/*",
        Scope.RESOURCE_TAGS,
        reads="DescribeCertificate ListTagsForCertificate",
    ),
    Grant(
        "MakeLoadBalancer",
        "elasticloadbalancing",
        "AddTags CreateListener CreateLoadBalancer CreateTargetGroup",
        "listener/app/{ours}* loadbalancer/app/{ours}* targetgroup/tasks-*",
        Scope.REQUEST_TAGS,
    ),
    Grant(
        "LoadBalancer",
        "elasticloadbalancing",
        "AddTags DeleteListener DeleteLoadBalancer DeleteTargetGroup ModifyListener ModifyListenerAttributes "
        "ModifyLoadBalancerAttributes ModifyTargetGroup ModifyTargetGroupAttributes RemoveTags SetSecurityGroups "
        "SetSubnets",
        "listener/app/{ours}* loadbalancer/app/{ours}* targetgroup/tasks-*",
        Scope.RESOURCE_TAGS,
        reads=(
            "DescribeCapacityReservation DescribeListenerAttributes DescribeListeners DescribeLoadBalancerAttributes "
            "DescribeLoadBalancers DescribeTags DescribeTargetGroupAttributes DescribeTargetGroups "
            "GetLoadBalancerWebACL"
        ),
    ),
    # AWS announces the second as the replacement of the first.
    Grant("FirewallInFront", "elasticloadbalancing", "SetWebAcl"),
    Grant(
        "FirewallOnLoadBalancer",
        "elasticloadbalancing",
        "CreateWebACLAssociation DeleteWebACLAssociation",
        "loadbalancer/app/{ours}*",
    ),
    Grant(
        "Firewall",
        "wafv2",
        "AssociateWebACL CreateWebACL DeleteLoggingConfiguration DeleteWebACL DisassociateWebACL "
        "PutLoggingConfiguration TagResource UntagResource UpdateWebACL",
        "regional/webacl/{ours}* regional/managedruleset/*/* "
        "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{ours}public/*",
        reads="GetLoggingConfiguration GetWebACL ListTagsForResource",
    ),
)
