"""Mutations for test_service.py: service, task, scaling, load balancer, certificate, WAF, redeployment."""

from typing import Any

from local_aws.server import LocalAws
from tests.changes.mutations import Mutation, Related
from tests.changes.mutations.database import change_scalable_target, delete_scaling_policy
from tests.changes.mutations.lookup import balancer, named, service, tagged


def update_service(**parameters: Any) -> Mutation:
    """Update the service."""

    def change(aws: LocalAws) -> None:
        one = service(aws)
        aws.client("ecs").update_service(cluster=one.cluster_name, service=one.name, **parameters)

    return change


def change_task_network(**parameters: Any) -> Mutation:
    """Change the network configuration of tasks, with names of subnets and security groups."""

    def change(aws: LocalAws) -> None:
        (one,) = aws.client("ecs").describe_services(cluster=service(aws).cluster_name, services=[service(aws).name])[
            "services"
        ]
        network = {**one["networkConfiguration"]["awsvpcConfiguration"]}
        if "subnets" in parameters:
            network["subnets"] = [named(aws, "subnet", name) for name in parameters["subnets"]]
        if "groups" in parameters:
            network["securityGroups"] = [named(aws, "sg", name) for name in parameters["groups"]]
        network["assignPublicIp"] = parameters.get("public", network["assignPublicIp"])
        update_service(networkConfiguration={"awsvpcConfiguration": network})(aws)

    return change


def change_deployment(**parameters: Any) -> Mutation:
    """Change the deployment configuration."""
    return update_service(deploymentConfiguration=parameters)


def reduce_desired_count(aws: LocalAws) -> None:
    """Reduce the desired count, so that ECS does not replace stopped tasks."""
    update_service(desiredCount=1)(aws)


def change_task_definition(change: Any) -> Mutation:
    """Change the current task definition in moto, since the API cannot change a revision."""

    def changed(aws: LocalAws) -> None:
        family, _, revision = service(aws).task_definition.rpartition("/")[2].partition(":")
        change(aws.backend("ecs").task_definitions[family][int(revision)])

    return changed


def change_secret(definition: Any) -> None:
    for secret in definition.container_definitions[0]["secrets"]:
        secret["valueFrom"] = secret["valueFrom"].replace("database-credential", "another")


def disable_mount_encryption(definition: Any) -> None:
    for volume in definition.volumes:
        if "efsVolumeConfiguration" in volume:
            volume["efsVolumeConfiguration"]["transitEncryption"] = "DISABLED"


def allow_root_writes(definition: Any) -> None:
    definition.container_definitions[0]["readonlyRootFilesystem"] = False


def run_privileged(definition: Any) -> None:
    definition.container_definitions[0]["privileged"] = True


def keep_capabilities(definition: Any) -> None:
    definition.container_definitions[0]["linuxParameters"]["capabilities"]["drop"] = ["NET_RAW"]


def remove_memory_limit(definition: Any) -> None:
    del definition.container_definitions[0]["memory"]


def create_internet_facing_balancer(aws: LocalAws) -> None:
    aws.client("elbv2").create_load_balancer(
        Name="another", Subnets=[named(aws, "subnet", "public-a"), named(aws, "subnet", "public-b")]
    )


def remove_balancer_from_zones(aws: LocalAws) -> None:
    balancer_in_moto(aws).subnets = balancer_in_moto(aws).subnets[:1]


def balancer_in_moto(aws: LocalAws) -> Any:
    """moto's object of the load balancer."""
    return aws.backend("elbv2").load_balancers[balancer(aws)]


def change_balancer_group(aws: LocalAws) -> None:
    aws.client("elbv2").set_security_groups(LoadBalancerArn=balancer(aws), SecurityGroups=[named(aws, "sg", "service")])


def listener(aws: LocalAws, port: int) -> dict[str, Any]:
    """The listener of a port."""
    listeners = aws.client("elbv2").describe_listeners(LoadBalancerArn=balancer(aws))["Listeners"]
    (one,) = (one for one in listeners if one["Port"] == port)
    return one


def add_listener(aws: LocalAws) -> None:
    aws.client("elbv2").create_listener(
        LoadBalancerArn=balancer(aws),
        Protocol="HTTP",
        Port=8080,
        DefaultActions=listener(aws, 443)["DefaultActions"],
    )


def use_old_tls_policy(aws: LocalAws) -> None:
    aws.client("elbv2").modify_listener(
        ListenerArn=listener(aws, 443)["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08"
    )


def answer_http(aws: LocalAws) -> None:
    aws.client("elbv2").modify_listener(
        ListenerArn=listener(aws, 80)["ListenerArn"],
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}],
    )


def use_http_target_group(aws: LocalAws) -> None:
    (one,) = aws.backend("elbv2").target_groups.values()
    one.protocol = "HTTP"


def deregister_task(aws: LocalAws) -> None:
    elb = aws.client("elbv2")
    (group,) = elb.describe_target_groups()["TargetGroups"]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    elb.deregister_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[health[0]["Target"]])


def certificate(aws: LocalAws) -> Any:
    """moto's object of the certificate."""
    (arn,) = tagged(aws, "acm", "certificate")
    return aws.backend("acm")._certificates[arn]


def expire_certificate(aws: LocalAws) -> None:
    certificate(aws).status = "EXPIRED"


def change_certificate(aws: LocalAws) -> None:
    arn = aws.client("acm").request_certificate(DomainName="another.example")["CertificateArn"]
    aws.client("elbv2").modify_listener(
        ListenerArn=listener(aws, 443)["ListenerArn"], Certificates=[{"CertificateArn": arn}]
    )


def change_alias(aws: LocalAws) -> None:
    route53 = aws.client("route53")
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    (one,) = (record for record in records if record["Type"] == "A")
    one["AliasTarget"]["DNSName"] = "elsewhere.example."
    route53.change_resource_record_sets(
        HostedZoneId=zone["Id"], ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": one}]}
    )


def web_acl(aws: LocalAws) -> dict[str, Any]:
    """Parameters of UpdateWebACL with the current values."""
    waf = aws.client("wafv2")
    arn = waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    (one,) = (acl for acl in waf.list_web_acls(Scope="REGIONAL")["WebACLs"] if acl["ARN"] == arn)
    acl = waf.get_web_acl(Name=one["Name"], Scope="REGIONAL", Id=one["Id"])
    kept = ("Name", "Id", "DefaultAction", "VisibilityConfig", "Rules", "Description")
    return {**{name: acl["WebACL"][name] for name in kept}, "Scope": "REGIONAL", "LockToken": acl["LockToken"]}


def replace_web_acl(aws: LocalAws) -> None:
    """Associate another web ACL with the same rules and logs, but without tags."""
    waf, current = aws.client("wafv2"), web_acl(aws)
    log = waf.get_logging_configuration(
        ResourceArn=waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    )["LoggingConfiguration"]
    kept = ("DefaultAction", "VisibilityConfig", "Rules", "Scope")
    other = waf.create_web_acl(Name="another", **{name: current[name] for name in kept})["Summary"]["ARN"]
    waf.put_logging_configuration(
        LoggingConfiguration={"ResourceArn": other, "LogDestinationConfigs": log["LogDestinationConfigs"]}
    )
    waf.associate_web_acl(WebACLArn=other, ResourceArn=balancer(aws))


def count_managed_rules(aws: LocalAws) -> None:
    current = web_acl(aws)
    for rule in current["Rules"]:
        if "ManagedRuleGroupStatement" in rule["Statement"]:
            rule["OverrideAction"] = {"Count": {}}
            break
    aws.client("wafv2").update_web_acl(**current)


def remove_rate_limit(aws: LocalAws) -> None:
    current = web_acl(aws)
    current["Rules"] = [rule for rule in current["Rules"] if "RateBasedStatement" not in rule["Statement"]]
    aws.client("wafv2").update_web_acl(**current)


def delete_waf_logging(aws: LocalAws) -> None:
    waf = aws.client("wafv2")
    arn = waf.get_web_acl_for_resource(ResourceArn=balancer(aws))["WebACL"]["ARN"]
    waf.delete_logging_configuration(ResourceArn=arn)


def set_attribute(name: str, value: str) -> Mutation:
    """Set an attribute of the load balancer."""
    return lambda aws: aws.client("elbv2").modify_load_balancer_attributes(
        LoadBalancerArn=balancer(aws), Attributes=[{"Key": name, "Value": value}]
    )


def match_another_label(aws: LocalAws) -> None:
    """Change the pattern of the rule for rotations, so that it matches no rotation."""
    events = aws.client("events")
    (machine,) = tagged(aws, "states", "stateMachine", Tier="service")
    (name,) = events.list_rule_names_by_target(TargetArn=machine)["RuleNames"]
    pattern = events.describe_rule(Name=name)["EventPattern"]
    events.put_rule(Name=name, EventPattern=pattern.replace("AWSCURRENT", "AWSPREVIOUS"), State="ENABLED")


MUTATIONS: dict[str, Mutation] = {
    "test_tasks_are_placed_in_every_zone": change_task_network(subnets=["app-a"]),
    "test_tasks_have_no_public_address": change_task_network(public="ENABLED"),
    "test_tasks_have_their_security_group": change_task_network(groups=["load-balancer"]),
    "test_number_of_running_tasks": reduce_desired_count,
    "test_service_rebalances_zones": update_service(availabilityZoneRebalancing="DISABLED"),
    "test_failed_deployments_are_rolled_back": change_deployment(
        deploymentCircuitBreaker={"enable": False, "rollback": False}
    ),
    "test_deployments_keep_all_tasks_running": change_deployment(minimumHealthyPercent=50),
    "test_ecs_exec_is_disabled": update_service(enableExecuteCommand=True),
    "test_tasks_get_their_credential_from_the_secret": change_task_definition(change_secret),
    "test_tasks_mount_files_over_tls_and_with_iam": change_task_definition(disable_mount_encryption),
    "test_containers_have_no_capabilities": change_task_definition(keep_capabilities),
    "test_container_has_a_memory_limit": change_task_definition(remove_memory_limit),
    "test_root_file_system_is_read_only": change_task_definition(allow_root_writes),
    "test_container_is_not_privileged": change_task_definition(run_privileged),
    "test_tasks_scale_within_the_settings": change_scalable_target("ecs", MinCapacity=1),
    "test_tasks_scale_by_cpu_and_requests": delete_scaling_policy("ecs"),
    "test_only_the_load_balancer_is_internet_facing": create_internet_facing_balancer,
    "test_load_balancer_is_in_every_public_subnet": remove_balancer_from_zones,
    "test_load_balancer_has_its_security_group": change_balancer_group,
    "test_load_balancer_listens_on_443_and_80_only": add_listener,
    "test_tls_policy_of_the_listener": use_old_tls_policy,
    "test_http_is_redirected_to_https": answer_http,
    "test_target_group_uses_tls": use_http_target_group,
    "test_enough_targets_are_healthy": deregister_task,
    "test_certificate_is_for_the_domain_and_issued": expire_certificate,
    "test_load_balancer_uses_the_certificate": change_certificate,
    "test_domain_resolves_to_the_load_balancer": change_alias,
    "test_load_balancer_has_the_environments_web_acl": replace_web_acl,
    "test_managed_rule_groups_block": count_managed_rules,
    "test_requests_per_client_are_limited": remove_rate_limit,
    "test_web_acl_logs_to_a_log_group_of_the_environment": delete_waf_logging,
    "test_load_balancer_logs_to_a_bucket_of_the_environment": set_attribute("access_logs.s3.enabled", "false"),
    "test_load_balancer_drops_invalid_headers": set_attribute(
        "routing.http.drop_invalid_header_fields.enabled", "false"
    ),
    "test_requests_are_refused_while_waf_is_unavailable": set_attribute("waf.fail_open.enabled", "true"),
    "test_deletion_protection_of_the_load_balancer": set_attribute("deletion_protection.enabled", "false"),
    "test_redeployment_starts_after_a_rotation": match_another_label,
}
RELATED: Related = {
    "test_number_of_running_tasks": {
        "test_service.py::test_enough_targets_are_healthy": "a task that does not run takes none",
    },
}
