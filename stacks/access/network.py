"""What a deployment changes of the VPC, and of the way that requests take into it."""

from stacks.access.grants import Grant, Scope

# EC2 asks about each resource of a call: the new one, by the tags that it is made with, and those it is made in.
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
    ),
    Grant("TagAtBirth", "ec2", "CreateTags", "*/*", Scope.TAG_ON_CREATE),
    # A VPC comes with one of each, which nobody has tagged yet. They lose their rules: nothing may use them.
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
    # EFS and ElastiCache put interfaces into subnets in the name of whoever asks, and tag them with nothing.
    Grant(
        "Interfaces",
        "ec2",
        "CreateNetworkInterface DeleteNetworkInterface ModifyNetworkInterfaceAttribute",
        "network-interface/*",
    ),
    # An endpoint's private names.
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
    ),
    Grant("FirewallInFront", "elasticloadbalancing", "SetWebAcl"),
    Grant(
        "Firewall",
        "wafv2",
        "AssociateWebACL CreateWebACL DeleteLoggingConfiguration DeleteWebACL DisassociateWebACL "
        "PutLoggingConfiguration TagResource UntagResource UpdateWebACL",
        "regional/webacl/{ours}* regional/managedruleset/*/* "
        "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/{ours}*",
    ),
)
